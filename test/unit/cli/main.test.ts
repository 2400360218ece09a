import assert from 'node:assert/strict';
import { test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { maskedTitle } from '../../../src/cli/process-title.ts';
import { fakeContext } from '../../support/fake-context.ts';

async function shoal(...tokens: string[]) {
  const context = fakeContext();
  const code = await main(tokens, context);
  return { code, out: context.out.join(''), err: context.err.join('') };
}

test('-version and -V print the version', async () => {
  for (const flag of ['-version', '--version', '-V']) {
    const { code, out } = await shoal(flag);
    assert.equal(code, 0);
    assert.match(out, /^shoal \d+\.\d+\.\d+/);
  }
});

test('-help shows flags as users type them, in groups, with their defaults', async () => {
  for (const flag of ['-h', '-help', '--help']) {
    const { code, out } = await shoal(flag);
    assert.equal(code, 0);
    assert.match(out, /^Cluster:$/m);
    assert.match(out, /^ {2}-nid <name> +node name/m);
    assert.match(out, /^ {2}-crp <port> [^-]*\(default\s+7946\)/m);
    assert.doesNotMatch(out, /--[a-z]/);
  }
});

test('the help fits the terminal, and its commands and examples come before the flags', async () => {
  for (const outputColumns of [60, 80, 200]) {
    const context = fakeContext({ outputColumns });
    await main(['-help'], context);
    const help = context.out.join('');
    const long = help.split('\n').filter((line) => line.length > Math.min(outputColumns, 100));
    assert.deepEqual(long, []);
    const order = ['-auth=users', '-tls=8883', '-data=', 'Commands:', 'Options:', 'Node:'];
    const places = order.map((part) => help.indexOf(part));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.ok(!places.includes(-1));
  }
});

test('flags and commands of other programs get a hint at those of Shoal', async () => {
  for (const [tokens, hint] of [
    [['-v'], /-version prints the version, -log-level=debug /],
    [['-p', '1884'], /unknown option '-p': -port=PORT /],
    [['-c', 'x.conf'], /-config=FILE .* shoal convert /],
    [['stop'], /SIGTERM/],
    [['chek'], /did you mean 'check'\?/],
    [['help', 'chek'], /'chek'; did you mean 'check'\?/],
  ] as const) {
    const { code, err } = await shoal(...tokens);
    assert.equal(code, 2);
    assert.match(err, hint);
  }
});

test('an unknown flag is refused with a suggestion', async () => {
  const { code, err } = await shoal('-nod=box1');
  assert.equal(code, 2);
  assert.equal(
    err,
    "shoal: unknown option '-nod'; did you mean -nid?\nshoal: -help lists all commands and flags\n",
  );
  const { err: capital } = await shoal('-Port=1884');
  assert.match(capital, /^shoal: unknown option '-Port'; did you mean -port\?\n/);
});

test('help and version are commands as well as flags', async () => {
  const { code, out } = await shoal('help');
  assert.equal(code, 0);
  assert.equal(out, (await shoal('-help')).out);
  assert.match((await shoal('help', 'passwd')).out, /^Usage: shoal passwd /);
  assert.equal((await shoal('version')).out, (await shoal('-version')).out);
});

test('the help of explain lists only the flags that explain uses', async () => {
  const { out } = await shoal('explain', '-h');
  const flags = [...out.matchAll(/^ {2}-([a-z]+)/gm)].map(([, flag]) => flag);
  assert.deepEqual(flags.sort(), ['acl', 'config', 'h', 'listener']);
});

test('a surplus argument is refused, not ignored', async () => {
  for (const tokens of [
    ['convert', 'a.conf', 'b.conf'],
    ['check', 'shoal.toml'],
    ['config', 'show', 'port'],
  ]) {
    const { code, err } = await shoal(...tokens);
    assert.equal(code, 2);
    assert.match(err, /^shoal: (config show|check|convert) takes (no argument|1 argument, not 2)/);
  }
});

test('an unknown command is refused with a suggestion', async () => {
  const { code, err } = await shoal('chek');
  assert.equal(code, 2);
  assert.equal(err, "shoal: unknown command or stray argument 'chek'; did you mean 'check'?\n");
});

test('a flag without its value is refused', async () => {
  const { code, err } = await shoal('-nid');
  assert.equal(code, 2);
  assert.match(err, /^shoal: -nid needs a value: -nid=<name>$/m);
});

test('each mistake in the configuration has a line of its own', async () => {
  const { code, err } = await shoal('check', '-port=x', '-crp=y');
  assert.equal(code, 2);
  assert.match(err, /^shoal: .* -port: .*\nshoal: .* -crp: .*\n$/);
});

const ANY_PORTS = ['-port=0', '-crp=0', '-csp=0', '-http=off'];

test('check accepts a configuration that a node starts with', async () => {
  const { code, out } = await shoal(
    'check',
    '-nid=n1',
    '-csk=s',
    '-mbs=10.0.0.1:1,10.0.0.2',
    ...ANY_PORTS,
  );
  assert.equal(code, 0);
  assert.equal(out, 'configuration ok\n');
});

test('flags may stand before and after the name of a command', async () => {
  const { out } = await shoal('-nid=early', '-crp=1', 'config', 'show', '-nid=late');
  assert.match(out, /^nid +late +flag -nid$/m);
  assert.match(out, /^crp +1 +flag -crp$/m);
});

test('a flag before a command that lacks it is refused, without its value', async () => {
  const { code, err } = await shoal('-csk=verysecret', 'pub', '-t', 'a', '-m', 'b');
  assert.equal(code, 2);
  assert.equal(err, "shoal: unknown option '-csk'\nshoal: see shoal pub -help\n");
});

test('config show hides the query of a URL', async () => {
  const { out } = await shoal('config', 'show', '-auth-http=http://auth/?key=s3cret');
  assert.match(out, /^auth-http +http:\/\/auth\/\?\*\*\* /m);
});

test('config show hides the token and prints the origin of each value', async () => {
  const { out } = await shoal('config', 'show', '-csk=verysecret', '-no-encrypt');
  assert.match(out, /^csk +\*\*\* +flag -csk$/m);
  assert.match(out, /^encrypt +false +flag -encrypt$/m);
  assert.match(out, /^port +1883 +default$/m);
  assert.doesNotMatch(out, /verysecret/);
});

test('config show prints every setting of a listener and its origin', async () => {
  const file = `acl = "a"
max-connections = 7
cert = "c"
key = "k"
[[listener]]
port = 1
[[listener]]
port = 2
protocol = "tls"
auth = "p"
ca = "ca"
require-certificate = "optional"
`;
  const context = { ...fakeContext(), readFile: () => file };
  await main(['config', 'show', '-config=s.toml'], context);
  const text = context.out.join('');
  assert.match(text, /^anonymous +true +default$/m, 'as it is without authentication');
  const rows = text.match(/^(\[\[| ).*/gm)?.map((row) => row.trim().replace(/ +/g, ' '));
  const rates = [
    'max-qos 2 default',
    'client-message-rate 0 default',
    'client-byte-rate 0 default',
    'message-rate 0 default',
    'byte-rate 0 default',
    'connect-rate 0 default',
    'rate-burst 1s default',
  ];
  assert.deepEqual(rows, [
    '[[listener]] tcp *:1 file s.toml:5',
    'anonymous true default',
    'auth - default',
    'acl a file s.toml:1',
    'auth-jwt-key - default',
    'auth-http - default',
    'max-connections 7 file s.toml:2',
    'max-packet-size 1M default',
    ...rates,
    'proxy-protocol false default',
    '[[listener]] tls *:2 file s.toml:7',
    'anonymous false default',
    'auth p file s.toml:10',
    'acl a file s.toml:1',
    'auth-jwt-key - default',
    'auth-http - default',
    'max-connections 7 file s.toml:2',
    'max-packet-size 1M default',
    ...rates,
    'proxy-protocol false default',
    'cert c file s.toml:3',
    'key k file s.toml:4',
    'ca ca file s.toml:11',
    'crl - default',
    'require-certificate optional file s.toml:12',
    'use-identity-as-username false default',
    'tls-version 1.2 default',
  ]);
});

test('convert prints a valid configuration, and its losses on standard error', async () => {
  const text = `port 1884
user root
bind_address ::1
mount_point a/
persistence true
prot 1
set_tcp_nodelay true
log_timestamp true
`;
  const context = { ...fakeContext(), readFile: () => text };
  assert.equal(await main(['convert', 'm.conf'], context), 6);
  assert.equal(
    context.out.join(''),
    'port = 1884\nbind = "::1"\ndata = "shoal-data"\nanonymous = false\n',
  );
  const report = context.err.join('').replace(/^shoal: /gm, '');
  assert.deepEqual(report.replace(/(: \w+:) .*/g, '$1').split('\n'), [
    'not supported, and so lost:',
    '  m.conf:4: mount_point:',
    'unknown to mosquitto as well:',
    '  m.conf:6: prot:',
    'works differently:',
    '  m.conf:2: user:',
    '  m.conf:5: persistence:',
    'not needed here: set_tcp_nodelay (line 7), log_timestamp (line 8)',
    '',
  ]);
});

test('convert reads standard input, and ends with 0 if nothing is lost', async () => {
  const context = { ...fakeContext(), readInput: async () => 'listener 1883\npid_file /p\n' };
  assert.equal(await main(['convert', '-'], context), 0);
  assert.equal(context.out.join(''), 'port = 1883\nanonymous = false\n');
  assert.match(context.err.join(''), /-:2: pid_file: the service manager does this/);
});

test('convert keeps a listener that it cannot translate as a comment', async () => {
  const text = 'listener 1883\nlistener 8883\ncertfile /c.pem\n';
  const context = { ...fakeContext(), readFile: () => text };
  assert.equal(await main(['convert', 'm.conf'], context), 6);
  const toml = `anonymous = false

[[listener]]
port = 1883

# left out: TLS needs both certfile and keyfile
# [[listener]]
# port = 8883
# cert = "/c.pem"
# protocol = "tls"
`;
  assert.equal(context.out.join(''), toml);
});

test('convert refuses a file that it cannot read', async () => {
  const { code, err } = await shoal('convert', 'nowhere.conf');
  assert.equal(code, 2);
  assert.equal(err, 'shoal: nowhere.conf: there is no such file\n');
});

test('the process title is the command line without its secrets', () => {
  assert.equal(
    maskedTitle(['-nid=a', '-csk=s3cret', '--csk', 's3cret', '-mbs', 'b']),
    'shoal -nid=a -csk=*** -csk=*** -mbs=b',
  );
  assert.equal(maskedTitle(['-csk-file=/x']), 'shoal -csk-file=/x');
  assert.equal(maskedTitle(['-encrypt', '-auth', 'passwd']), 'shoal -encrypt -auth=passwd');
  assert.equal(
    maskedTitle(['-log-level', 'info', 'passwd', '-b', 'f', 'u', 's3cret']),
    'shoal -log-level=info passwd',
  );
  const url = 'http://auth/check?key=s3cret';
  assert.equal(maskedTitle([`-auth-http=${url}`]), 'shoal -auth-http=http://auth/check?***');
  for (const [line, title] of [
    ['sub -t a -P s3cret -u ann', 'sub -t a -P=*** -u ann'],
    ['sub --pw=s3cret -t a', 'sub -pw=*** -t a'],
    ['rr -L mqtt://ann:s3cret@host/a', 'rr -L=mqtt://***@host/a'],
    ['bench -sub-url=mqtt://ann:s3/cr@et@host', 'bench -sub-url=mqtt://***@host'],
    ['join SHOAL-S3CRET -nid=a', 'join'],
    ['config set csk s3cret -all', 'config set csk ***'],
    ['api /x -body {"token":"s3cret"}', 'api /x -body=***'],
  ] as const) {
    assert.equal(maskedTitle(line.split(' ')), `shoal ${title}`);
  }
});

const BAN_TARGETS = ': -client=ID, -user=NAME or -address=ADDRESS says whom';
const TO_A_PORT = 'connects to a port, -h HOST -p PORT or -L URL, and asks no node by name';

test('a mistake in a command names the command, and where its help is', async () => {
  for (const [tokens, complaint, help] of [
    [['ping'], 'ping needs NODE', 'ping'],
    [
      ['ping', 'a', 'b'],
      'ping takes 1 argument, not 2: put an argument with blanks in quotes',
      'ping',
    ],
    [['status', 'x'], 'status takes no argument', 'status'],
    [['ban', 'dev1'], `ban takes no argument${BAN_TARGETS}`, 'ban'],
    [['unban', 'dev1'], `unban takes no argument${BAN_TARGETS}`, 'unban'],
    [['pub', '-nid=a', '-t', 'x'], `unknown option '-nid': pub ${TO_A_PORT}`, 'pub'],
    [['sub', '-control=/a'], `unknown option '-control': sub ${TO_A_PORT}`, 'sub'],
    [['rr', '-nid', 'a'], `unknown option '-nid': rr ${TO_A_PORT}`, 'rr'],
    [['bench', '-nid=a'], `unknown option '-nid': bench ${TO_A_PORT}`, 'bench'],
    [['status', '-x'], "unknown option '-x'", 'status'],
    [['retained', 'rm'], 'retained rm needs FILTER', 'retained rm'],
    [['token', 'foo'], "token has no command 'foo'", 'token'],
    [['status', '-timeout'], '-timeout needs a value: -timeout=<duration>', 'status'],
    [
      ['health', '-format=x'],
      "bad value 'x' for -format: expected one of text, json, nagios, prometheus",
      'health',
    ],
  ] as const) {
    const context = fakeContext();
    assert.equal(await main(tokens, context), 2);
    assert.equal(context.err.join(''), `shoal: ${complaint}\nshoal: see shoal ${help} -help\n`);
  }
});
