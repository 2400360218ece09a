import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import type { BrokerOptions } from '../../../src/broker/options.ts';
import { isClustered } from '../../../src/config/config.ts';
import { ConfigError, loadConfig } from '../../../src/config/load.ts';

interface Given {
  flags?: Record<string, string>;
  environment?: Record<string, string>;
  files?: Record<string, string>;
}

function load({ flags = {}, environment = {}, files = {} }: Given) {
  return loadConfig(flags, {
    environment,
    hostName: 'box7',
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error('no such file');
      return text;
    },
  });
}

function problemsOf(given: Given): readonly string[] {
  try {
    load(given);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

/** As `openssl rand -hex 16` prints it. */
const STRONG = '0c5b9e2f4a7d18c36b0e95f2a4d7c81e';

test('without options a node is a single broker named after its host', () => {
  const { config, origins } = load({});
  assert.equal(config.nodeName, 'box7');
  assert.equal(config.port, 1883);
  assert.equal(isClustered(config), false);
  assert.deepEqual(config.members, []);
  assert.deepEqual(origins.port, { source: 'default', place: '' });
});

test('a flag wins over the environment, the environment over the file, the file over the default', () => {
  const files = { 'a.toml': 'port = 3\ncrp = 3\ncsp = 3\n' };
  const environment = { SHOAL_PORT: '2', SHOAL_CRP: '2', SHOAL_CONFIG: 'a.toml' };
  const { config, origins } = load({ flags: { port: '1' }, environment, files });
  assert.deepEqual([config.port, config.gossipPort, config.syncPort], [1, 2, 3]);
  assert.deepEqual(origins.port, { source: 'flag', place: '-port' });
  assert.deepEqual(origins.gossipPort, { source: 'environment', place: 'SHOAL_CRP' });
  assert.deepEqual(origins.syncPort, { source: 'file', place: 'a.toml:3' });
});

test('a member without a port has the default one, and IPv6 is written in brackets', () => {
  const { config } = load({
    flags: { csk: 's', mbs: '192.168.1.101:7946, box2.local,[fd00::1]:9000,::1' },
  });
  assert.deepEqual(config.members, [
    { host: '192.168.1.101', port: 7946 },
    { host: 'box2.local', port: 7946 },
    { host: 'fd00::1', port: 9000 },
    { host: '::1', port: 7946 },
  ]);
});

test('a member that is not a host and port is refused', () => {
  for (const mbs of [
    'a:',
    'a:0',
    'a:70000',
    'a,,b',
    '300.1.1.1:7946',
    '-a:1',
    'a b',
    '[a]:1',
    '[fe80::1]:1',
  ]) {
    const [problem = ''] = problemsOf({ flags: { csk: 's', mbs } });
    assert.match(problem, /^bad value '.*' for -mbs: expected host:port/, mbs);
  }
});

test('members without a token are refused, and the error names the ways to set one', () => {
  const [problem = ''] = problemsOf({ flags: { mbs: 'a' } });
  assert.match(problem, /^-mbs needs the cluster token, .*: -csk=TOKEN or -csk-file=FILE$/);
});

test('an empty token is refused, and the error never shows a token', () => {
  assert.match(problemsOf({ flags: { csk: '' } })[0] ?? '', /-csk.*none of them empty/);
  const message = problemsOf({ flags: { csk: 'verysecret,' } }).join();
  assert.match(message, /-csk/);
  assert.doesNotMatch(message, /verysecret/);
});

test('several tokens keep their order: the first signs', () => {
  const [fresh, old] = [STRONG, STRONG.replaceAll('0', 'f')];
  assert.deepEqual(load({ flags: { csk: `${fresh},${old}` } }).config.tokens, [fresh, old]);
});

test('a comma on the command line is refused if it makes a weak token, without showing it', () => {
  const [problem = '', ...more] = problemsOf({ flags: { csk: `${STRONG} battery,pearl` } });
  assert.match(
    problem,
    /^-csk: the comma separates 2 tokens, .*; too weak: number 2; use -csk-file/,
  );
  assert.doesNotMatch(problem, /pearl/);
  assert.deepEqual(more, []);
});

test('in a token file a comma is part of the token', () => {
  const files = { '/run/token': 'correct horse battery,x\n' };
  const { config } = load({ flags: { 'csk-file': '/run/token' }, files });
  assert.deepEqual(config.tokens, ['correct horse battery,x']);
});

test('weak tokens cause a warning with their position, a generated one does not', () => {
  const warningsOf = (tokens: string): string[] =>
    load({ flags: { 'csk-file': '/t' }, files: { '/t': tokens } }).warnings.slice();
  assert.deepEqual(warningsOf(STRONG), []);
  assert.match(warningsOf('12345678').join(), /^the cluster token is weak: about 2\^4 guesses/);
  assert.match(warningsOf(`${STRONG}\npassword`).join(), /^cluster token 2 is weak/);
});

test('a memory limit that lacks its unit causes a warning', () => {
  const warningsOf = (limit: string): readonly string[] =>
    load({ flags: { 'memory-limit': limit } }).warnings;
  assert.match(
    warningsOf('256').join(),
    /^-memory-limit=256 is 256 bytes, room for .* such as 256M$/,
  );
  for (const limit of ['0', '1M', '256M']) assert.deepEqual(warningsOf(limit), []);
});

test('a token file has one token a line', () => {
  const { config, origins } = load({
    flags: { 'csk-file': '/run/token' },
    files: { '/run/token': 'new\nold\n' },
  });
  assert.deepEqual(config.tokens, ['new', 'old']);
  assert.equal(origins.tokens.place, '/run/token');
});

test('a token file is refused if it is missing or empty, or if -csk is given too', () => {
  assert.match(
    problemsOf({ flags: { 'csk-file': 'x' } })[0] ?? '',
    /^-csk-file=\/.*\/x: no such file/,
  );
  assert.match(
    problemsOf({ flags: { 'csk-file': '/x' }, files: { '/x': '\n' } })[0] ?? '',
    /^\/x: holds no cluster token/,
  );
  assert.match(
    problemsOf({ flags: { 'csk-file': 'x', csk: 'a' }, files: { x: 'b' } })[0] ?? '',
    /both -csk and -csk-file/,
  );
});

test('a member named twice is refused', () => {
  const [problem] = problemsOf({ flags: { csk: 's', mbs: 'A:1,b,a:1' } });
  assert.equal(problem, '-mbs names a:1 twice');
});

test('gossip and sync need different ports, unless both are 0', () => {
  assert.match(problemsOf({ flags: { crp: '5000', csp: '5000' } })[0] ?? '', /-crp and -csp/);
  assert.deepEqual(problemsOf({ flags: { crp: '0', csp: '0' } }), []);
});

test('all mistakes are reported at once, each with the option and the accepted form', () => {
  const problems = problemsOf({ flags: { port: '70000', 'log-level': 'loud', encrypt: 'maybe' } });
  assert.deepEqual(problems, [
    "bad value 'loud' for -log-level: expected one of debug, info, warn, error",
    "bad value '70000' for -port: expected a port number from 0 to 65535, or off",
    "bad value 'maybe' for -encrypt: expected true or false",
  ]);
});

test('an empty value is reported as missing, with the accepted form', () => {
  assert.deepEqual(problemsOf({ flags: { port: '' } }), [
    '-port needs a value: a port number from 0 to 65535, or off',
  ]);
});

test('a mistake in the file is reported with file:line, an unknown key with a suggestion', () => {
  const files = { 'a.toml': '# mine\nport = 99999\n\nmbss = "a"\nlog-level = 1979-05-27\n' };
  assert.deepEqual(problemsOf({ flags: { config: 'a.toml' }, files }), [
    "a.toml:4: unknown key 'mbss'; did you mean 'mbs'?",
    "a.toml:5: the value of 'log-level' must be a string, a number, true or false, or an array of these",
    "a.toml:2: bad value '99999' for -port: expected a port number from 0 to 65535, or off",
  ]);
});

test('a file that is not TOML is reported with the line', () => {
  const [problem = ''] = problemsOf({
    flags: { config: 'a.toml' },
    files: { 'a.toml': 'port = 1\nport 2\n' },
  });
  assert.match(problem, /^a\.toml:2: \S/);
  assert.doesNotMatch(problem, /\n/);
});

test('common TOML mistakes are explained: quotes, repeated keys, brackets, tables', () => {
  for (const [text, problem] of [
    ['nid = "box1\nport = 1\n', 'a.toml:1: the closing quote is missing'],
    ["nid = 'box1\nport = 1\n", 'a.toml:1: the closing quote is missing'],
    ['csk = secret\n', "a.toml:1: the value of 'csk' needs quotes around it"],
    ['port = 1\nport = 2\n', "a.toml:2: 'port' is given twice"],
    ['[listener]\nport = 1\n', 'a.toml:1: write [[listener]], in double brackets'],
    [
      '[listener]\nport = 1\n[listener]\nport = 2\n',
      'a.toml:3: write [[listener]], in double brackets',
    ],
    ['[[listner]]\nport = 1\n', 'a.toml:1: unknown table [[listner]]; did you mean [[listener]]?'],
    [
      '[mqtt]\nmax-qos = 1\n',
      'a.toml:1: unknown table [mqtt]; only [[listener]] and [[bridge]] are tables',
    ],
    [
      '[[listener]]\nport = 1\ndata = "d"\n',
      "a.toml:3: 'data' is an option of the node: write it above the first [[listener]]",
    ],
    [
      '[[listener]]\nport = 1\nacl_file = "a"\n',
      "a.toml:3: unknown key 'acl_file'; did you mean 'acl'?",
    ],
    ['certfile = "c"\n', "a.toml:1: unknown key 'certfile'; did you mean 'cert'?"],
    ['csk_file = "c"\n', "a.toml:1: unknown key 'csk_file'; did you mean 'csk-file'?"],
  ] as const) {
    assert.deepEqual(problemsOf({ flags: { config: 'a.toml' }, files: { 'a.toml': text } }), [
      problem,
    ]);
  }
});

test('wrong values in a [[listener]] are reported together with all other mistakes', () => {
  const files = { 'a.toml': 'nod = "a"\n[[listener]]\nport = 70000\n' };
  const [first = '', second = ''] = problemsOf({ flags: { config: 'a.toml' }, files });
  assert.match(first, /^a\.toml:1: unknown key 'nod'/);
  assert.match(second, /^a\.toml:3: bad value '70000' for 'port'/);
});

test('an array in the file means the same as commas on the command line', () => {
  const files = { 'a.toml': 'csk = "s"\nmbs = ["a:1", "b:2"]\nencrypt = true\nperiod = "2s"\n' };
  const { config } = load({ flags: { config: 'a.toml' }, files });
  assert.equal(config.members.length, 2);
  assert.equal(config.encrypt, true);
  assert.equal(config.periodMs, 2000);
});

test('a relative path in the file counts from its folder, in a flag from the working directory', () => {
  const file = `
data = "state"
auth = "../people"
acl = "/srv/topics"
csk-file = "token"
cert = ["a.pem", "/srv/b.pem"]
key = ["a.key", "b.key"]

[[listener]]
port = 1
protocol = "tls"
acl = "own"
ca = "ca.pem"
`;
  const files = { '/etc/shoal/s.toml': file, '/etc/shoal/token': 'secret' };
  const flags = { config: '/etc/shoal/s.toml', 'auth-jwt-key': 'jwt' };
  const { config } = load({ flags, files, environment: { SHOAL_CRL: 'crl.pem' } });
  const { aclFile, tls } = config.listeners[0] ?? {};
  assert.deepEqual(config.tokens, ['secret']);
  assert.deepEqual(
    [config.dataFolder, config.passwordFile, config.aclFile, config.tokenKeyFile],
    ['/etc/shoal/state', '/etc/people', '/srv/topics', resolve('jwt')],
  );
  assert.deepEqual(
    [aclFile, tls?.ca, tls?.crl, tls?.cert, tls?.key],
    [
      '/etc/shoal/own',
      '/etc/shoal/ca.pem',
      resolve('crl.pem'),
      ['/etc/shoal/a.pem', '/srv/b.pem'],
      ['/etc/shoal/a.key', '/etc/shoal/b.key'],
    ],
  );
});

test('a profile sets the times that have no option of their own', () => {
  const wan = load({ flags: { profile: 'wan', 'ping-timeout': '500' } }).config;
  assert.ok(wan.periodMs > load({}).config.periodMs);
  assert.equal(wan.pingTimeoutMs, 500);
});

test('a ping timeout of half the period or more is refused', () => {
  const [problem = ''] = problemsOf({ flags: { period: '1s', 'ping-timeout': '500ms' } });
  assert.match(
    problem,
    /-period and -ping-timeout .* \(500 ms\) must be less than the period \(1000 ms\)/,
  );
});

test('sizes and times take units', () => {
  const { config } = load({
    flags: { 'max-packet-size': '64k', 'max-session-expiry': '7d', 'connect-timeout': '15' },
  });
  assert.equal(config.packetBytesMax, 65_536);
  assert.equal(config.sessionExpirySecondsMax, 604_800);
  assert.equal(config.connectTimeoutSeconds, 15);
});

test('a limit of 0 means no limit', () => {
  const { config } = load({ flags: { 'max-connections': '0', 'max-queued-bytes': '0' } });
  assert.equal(config.connectionsMax, Number.POSITIVE_INFINITY);
  assert.equal(config.queueBytesMax, Number.POSITIVE_INFINITY);
});

test('the queue policy may be given as its number', () => {
  assert.equal(load({ flags: { 'queue-policy': '1' } }).config.syncQueuePolicy, 'discard-oldest');
});

test('-topics accepts only filters that can match messages of clients', () => {
  assert.deepEqual(load({ flags: { topics: 'a/#,+/b' } }).config.forwardedTopics, ['a/#', '+/b']);
  for (const topics of ['a#', '$SYS/#', 'a//#/b', '']) {
    assert.equal(problemsOf({ flags: { topics } }).length, 1, topics);
  }
});

test('a misspelt variable causes a warning, a variable of another program does not', () => {
  const environment = { SHOAL_MSB: 'a', SHOAL_SERVICE_HOST: '10.0.0.1' };
  assert.deepEqual(load({ environment }).warnings, [
    'unknown variable SHOAL_MSB; did you mean SHOAL_MBS?',
  ]);
});

test("a node bound to loopback warns of members that it can't reach", () => {
  const warningsOf = (bind: string, mbs: string) =>
    load({ flags: { csk: STRONG, bind, mbs } }).warnings;
  assert.deepEqual(warningsOf('127.0.0.1', '127.0.0.1:7948,192.168.1.101'), [
    "-bind=127.0.0.1 is reachable from this machine only: the node can't join 192.168.1.101:7946",
  ]);
  assert.deepEqual(warningsOf('127.0.0.1', 'localhost,127.0.0.2:1'), []);
  assert.deepEqual(warningsOf('192.168.1.100', '192.168.1.101'), []);
});

test('a node with -bind gets unicast, which a warning says', () => {
  const warningsOf = (bind: string) =>
    load({ flags: { csk: STRONG, sync: 'multicast', bind } }).warnings;
  assert.match(warningsOf('192.168.1.100').join(), /^-bind=192.168.1.100 receives no multicast/);
  assert.deepEqual(warningsOf('0.0.0.0'), []);
});

test('cluster options that exclude each other are refused, with what to change', () => {
  const refusalOf = (flags: Record<string, string>) =>
    problemsOf({ flags: { csk: STRONG, ...flags } });
  assert.deepEqual(refusalOf({ roaming: 'true', 'client-takeover': 'off' }), [
    '-roaming needs -client-takeover: nodes find a session by where its client was connected last; leave out -client-takeover=off',
  ]);
  const [interest = '', ...more] = refusalOf({ forward: 'interest', shared: 'cluster' });
  assert.match(interest, /^-forward=interest and -shared=cluster exclude each other: .*drop one/);
  assert.deepEqual(more, []);
  const [multicast = ''] = refusalOf({ forward: 'interest', sync: 'multicast' });
  assert.match(multicast, /^-forward=interest and -sync=multicast exclude each other: .*drop one/);
});

test('options of a cluster cause a warning without one', () => {
  const flags = { large: '1M', roaming: 'true', forward: 'interest', shared: 'node' };
  assert.deepEqual(load({ flags }).warnings, [
    'this node is in no cluster (-csk=TOKEN): -forward=interest, -large, -roaming has no effect',
  ]);
  assert.deepEqual(load({ flags: { sync: 'multicast' } }).warnings, [
    'this node is in no cluster (-csk=TOKEN): -sync=multicast has no effect',
  ]);
  assert.deepEqual(load({ flags: { ...flags, csk: STRONG } }).warnings, []);
});

test('-advertise takes an address, the gossip port and the sync port', () => {
  const advertised = (advertise: string) => load({ flags: { advertise } }).config.advertise;
  assert.deepEqual(advertised('203.0.113.7'), { address: '203.0.113.7' });
  assert.deepEqual(advertised('203.0.113.7:17946,17947'), {
    address: '203.0.113.7',
    gossipPort: 17946,
    syncPort: 17947,
  });
  assert.deepEqual(advertised('[fd00::7]:17946'), { address: 'fd00::7', gossipPort: 17946 });
  const wrong = [
    'box.lan',
    '203.0.113.7,17947',
    '203.0.113.7:1,1',
    '203.0.113.7:1,0',
    '1.2.3.4:1,x',
  ];
  for (const advertise of wrong) {
    const [problem = ''] = problemsOf({ flags: { advertise } });
    assert.match(problem, /-advertise: expected .* :GOSSIP,SYNC/, advertise);
  }
});

test('-advertise with another gossip port but no sync port causes a warning', () => {
  const warningsOf = (advertise: string) => load({ flags: { csk: STRONG, advertise } }).warnings;
  const [warning = '', ...more] = warningsOf('203.0.113.7:17946');
  assert.match(
    warning,
    /messages to 203\.0\.113\.7 port 7947.*-advertise=203\.0\.113\.7:17946,PORT/,
  );
  assert.deepEqual(more, []);
  for (const right of ['203.0.113.7', '203.0.113.7:7946', '203.0.113.7:17946,17947']) {
    assert.deepEqual(warningsOf(right), []);
  }
});

test('SHOAL_PORT as Kubernetes sets it for a service is ignored', () => {
  const environment = { SHOAL_PORT: 'tcp://10.0.0.1:1883' };
  assert.equal(load({ environment }).config.port, 1883);
});

test("a configuration has the broker's options under the broker's names", () => {
  const options: BrokerOptions = { ...load({}).config, version: '0' };
  assert.equal(options.packetBytesMax, 1024 * 1024);
});
