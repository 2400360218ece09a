import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandOf } from '../../../src/cli/banner.ts';
import { run } from '../../../src/cli/commands/run.ts';
import type { Config } from '../../../src/config/config.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { NameInUseError } from '../../../src/net/cluster/name-rival.ts';
import { BindError } from '../../../src/net/cluster/udp.ts';
import { ListenError } from '../../../src/net/listen-error.ts';
import type { OpenListener, RunningNode } from '../../../src/node/node.ts';
import { type FakeContext, fakeContext } from '../../support/fake-context.ts';

const cluster = { nid: 'n1', csk: '0c5b9e2f4a7d18c36b0e95f2a4d7c81e' };

function running(given: Partial<RunningNode> = {}): RunningNode {
  return {
    listeners: [{ protocol: 'tcp', local: { address: '::', port: 1883 } }],
    gossip: { address: '192.168.1.100', port: 7946 },
    sync: { address: '192.168.1.100', port: 7947 },
    sentence: () => 'All well.',
    reload: async () => [],
    noteConfiguration: () => undefined,
    rekey: async () => undefined,
    stop: async () => undefined,
    ...given,
  };
}

function listening(protocol: OpenListener['protocol'], port: number): OpenListener {
  return { protocol, local: { address: '::', port } };
}

function start(
  flags: Record<string, string>,
  node: RunningNode | Error,
  context: FakeContext = fakeContext(),
  taken: readonly Error[] = [],
) {
  const load = () => loadConfig(flags, context);
  const startNode = async () => {
    if (node instanceof Error) throw node;
    return node;
  };
  const ended = run(load, context, startNode, async () => [...taken]);
  return { context, ended };
}

async function output(context: FakeContext): Promise<string> {
  await new Promise((resolve) => setImmediate(resolve));
  return context.out.join('');
}

test('a started node prints the three lines that scripts look for', async () => {
  const { context } = start(cluster, running());
  const time = /\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d/.source;
  const lines = [
    `${time} cluster on udp 192\\.168\\.1\\.100:7946`,
    `${time} cluster sync on udp port 7947`,
    `${time} Shoal v\\d+\\.\\d+\\.\\d+\\S* tcp \\[::\\]:1883`,
  ];
  assert.match(await output(context), new RegExp(`^${lines.join('\n')}\n`));
});

test('the banner has the join command for the next box, without the token', async () => {
  const { context } = start(cluster, running());
  const text = await output(context);
  assert.match(text, /node shoal\.js -nid=NAME -csk=TOKEN -mbs=192\.168\.1\.100:7946\n/);
  assert.match(text, /mosquitto_sub -h /);
  assert.doesNotMatch(text, /verysecret/);
});

test('a node whose token is in a file offers a join command with a file', async () => {
  const fake = { ...fakeContext(), readFile: () => `${cluster.csk}\n` };
  const { context } = start({ nid: 'n1', 'csk-file': 'token' }, running(), fake);
  assert.match(await output(context), /-nid=NAME -csk-file=TOKEN-FILE -mbs=/);
});

test('a node on loopback offers its join command to this box only', async () => {
  const gossip = { address: '127.0.0.1', port: 7946 };
  const { context } = start(cluster, running({ gossip }));
  const text = await output(context);
  assert.doesNotMatch(text, /next box/);
  assert.match(
    text,
    /no other box can reach it; another node on this box joins with the same token:/,
  );
  assert.match(text, /-mbs=127\.0\.0\.1:7946 -bind=127\.0\.0\.1 -port=0 -crp=0 -csp=0\n/);
});

test('the join command repeats how this node was started', () => {
  assert.equal(commandOf('/opt/shoal/shoal.js', '/opt/shoal'), 'node shoal.js');
  assert.equal(commandOf('/opt/shoal/dist/shoal.js', '/opt/shoal'), 'node dist/shoal.js');
  assert.equal(commandOf('/opt/shoal/shoal.js', '/root'), 'node /opt/shoal/shoal.js');
  assert.equal(commandOf('/opt/shoal/shoal.js', undefined), 'node /opt/shoal/shoal.js');
  assert.equal(commandOf('/usr/bin/shoal', '/root'), 'shoal');
});

/** Any existing file: the test node reads none. */
const FILE = join(process.cwd(), 'package.json');

const certificates = {
  ...{ port: 'off', tls: '8883', cert: FILE, key: FILE, ca: FILE },
  ...{ 'require-certificate': 'required', 'use-identity-as-username': 'true' },
};

test('the banner says who may connect, as the listener decides', async () => {
  const described = async (flags: Record<string, string>): Promise<string> => {
    const { context } = start(flags, running({ listeners: [listening('tls', 8883)] }));
    return /^ {2}clients +(.*)/m.exec(await output(context))?.[1] ?? '';
  };
  const { 'use-identity-as-username': _, ...nameless } = certificates;
  const optional = { ...certificates, 'require-certificate': 'optional' };
  assert.equal(
    await described(certificates),
    'need a certificate, and then may publish and subscribe',
  );
  assert.match(
    await described({ ...certificates, acl: FILE }),
    /^need a certificate, and then have the rights that \/.*package\.json gives/,
  );
  assert.match(await described({ ...optional, auth: FILE }), /^need a certificate or a password,/);
  assert.match(
    await described({ ...nameless, auth: FILE }),
    /^need a certificate and need a password,/,
  );
  assert.match(await described({ auth: FILE }), /^need a password,/);
  assert.match(
    await described({ auth: FILE, anonymous: 'true' }),
    /^may connect without a user name,/,
  );
  assert.match(await described({ anonymous: 'true' }), /^need no password, and may publish/);
  assert.equal(await described({ anonymous: 'false' }), 'no client can connect');
});

test('listeners that differ have a line each in the banner', async () => {
  const node = running({ listeners: [listening('tcp', 1883), listening('tls', 8883)] });
  const { context } = start({ ...certificates, port: '1883', anonymous: 'true' }, node);
  const text = await output(context);
  assert.match(text, /clients +-port: need no password, .*\n +-tls: need a certificate, /);
});

test('a node that is open to everyone says so once', async () => {
  const { context } = start(cluster, running());
  const text = await output(context);
  assert.match(
    text,
    /tcp \[::\]:1883\n.*level=warn event="any client may connect/,
    'after the start lines',
  );
  assert.doesNotMatch(text, /need no password/);
});

test('the command to try has the flags that the listener asks for', async () => {
  const tried = async (flags: Record<string, string>, ...listeners: OpenListener[]) => {
    const { context } = start(flags, running({ listeners }));
    return / (-h .*) -t test\/hello/.exec((await output(context)).replace(/-h \S+/g, '-h H'))?.[1];
  };
  assert.equal(await tried({}, listening('tcp', 1883)), '-h H');
  assert.equal(await tried({ auth: FILE }, listening('tcp', 1883)), '-h H -u USER -P PASSWORD');
  assert.equal(
    await tried(certificates, listening('tls', 8883)),
    '-h H -p 8883 --cafile CA-FILE --cert CERT-FILE --key KEY-FILE',
  );
  assert.equal(await tried({ anonymous: 'false' }, listening('tcp', 1883)), undefined);
});

test('the hint that a box needs no -mbs names the gossip port if it is another one', async () => {
  const joined = async (port: number): Promise<string> => {
    const node = running({ gossip: { address: '192.168.1.100', port } });
    return await output(start(cluster, node).context);
  };
  assert.match(await joined(7946), / on this network it needs no -mbs$/m);
  assert.match(await joined(7950), / on this network it needs no -mbs, but the same -crp=7950$/m);
});

test('the join command has the advertised address', async () => {
  const { context } = start({ ...cluster, advertise: '203.0.113.7' }, running());
  const text = await output(context);
  assert.match(text, /cluster on udp 203\.0\.113\.7:7946\n/);
  assert.match(text, /-mbs=203\.0\.113\.7:7946/);
});

test('a node without a token says that it is a single broker', async () => {
  const single: RunningNode = {
    listeners: [{ protocol: 'tcp', local: { address: '127.0.0.1', port: 40_000 } }],
    sentence: () => 'All well.',
    reload: async () => [],
    noteConfiguration: () => undefined,
    rekey: async () => undefined,
    stop: async () => undefined,
  };
  const { context } = start({}, single);
  const text = await output(context);
  assert.match(text, /none, this is a single broker/);
  assert.match(text, /mosquitto_sub -h 127\.0\.0\.1 -p 40000/);
  assert.doesNotMatch(text, /cluster on udp/);
});

test('in JSON every line of the output is a record', async () => {
  const { context } = start({ ...cluster, anonymous: 'true', 'log-format': 'json' }, running());
  const events = (await output(context))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).event);
  assert.equal(events[0], 'cluster on udp 192.168.1.100:7946');
  assert.equal(events.length, 3);
});

test('with -log-level=warn a node without faults prints nothing', async () => {
  const { context } = start({ ...cluster, anonymous: 'true', 'log-level': 'warn' }, running());
  assert.equal(await output(context), '');
});

test('SIGTERM stops the node and ends with 0', async () => {
  let stops = 0;
  const { context, ended } = start(cluster, running({ stop: async () => void stops++ }));
  await output(context);
  context.signal('SIGTERM');
  assert.equal(await ended, 0);
  assert.equal(stops, 1);
  assert.deepEqual(context.exits, []);
});

test('a second signal ends the process at once', async () => {
  let release = (): void => undefined;
  const stop = () => new Promise<void>((resolve) => (release = resolve));
  const { context, ended } = start(cluster, running({ stop }));
  await output(context);
  context.signal('SIGTERM');
  await output(context);
  context.signal('SIGINT');
  assert.deepEqual(context.exits, [130]);
  release();
  await ended;
});

/** Runs a node and changes its configuration file. */
async function changeFile(before: string, after: string, wrongFiles: readonly string[] = []) {
  const files = new Map([['a.toml', before]]);
  const context = { ...fakeContext(), readFile: (path: string) => files.get(path) ?? '' };
  const reloaded: Config[] = [];
  const reload = async (config: Config): Promise<readonly string[]> => {
    reloaded.push(config);
    return wrongFiles;
  };
  const noted: (readonly string[])[] = [];
  const node = running({ reload, noteConfiguration: (problems) => noted.push(problems) });
  start({ ...cluster, config: 'a.toml' }, node, context);
  await output(context);
  files.set('a.toml', after);
  context.signal('SIGHUP');
  return { reloaded, noted, text: await output(context) };
}

test('SIGHUP applies the reloadable options and names those that need a restart', async () => {
  const { reloaded, text } = await changeFile(
    'max-subscriptions = 5\n',
    'max-subscriptions = 7\ncrp = 7950\nlog-level = "error"\n',
  );
  assert.equal(reloaded[0]?.subscriptionsPerClientMax, 7);
  assert.match(text, /level=warn event="changed, but needs a restart" flags=-crp\n/);
  assert.doesNotMatch(text, /configuration reloaded/, 'info lines end with the new level');
});

test('a changed -bind moves the listeners, and the log says that the cluster needs a restart', async () => {
  const { text } = await changeFile('bind = "::1"\n', 'bind = "127.0.0.1"\nport = 1884\n');
  assert.match(text, /event="changed, but needs a restart" flags=-bind\n/);
  assert.match(text, /event="configuration reloaded"/);
});

test('a SIGHUP during the start takes effect once the node runs', async () => {
  const context = fakeContext();
  const load = () => loadConfig({ nid: 'n1' }, context);
  void run(load, context, async () => {
    context.signal('SIGHUP');
    return running();
  });
  assert.match(await output(context), /configuration reloaded/);
});

test('SIGHUP with a wrong file does not report success', async () => {
  const { text } = await changeFile('', '', ['users:1: x', 'acl:1: x']);
  assert.match(text, /level=warn event="configuration reloaded, except for .*" faults=2\n/);
  assert.doesNotMatch(text, /event="configuration reloaded"/);
});

test('SIGHUP with a wrong configuration keeps the last good one', async () => {
  const { reloaded, noted, text } = await changeFile('', '\nmax-subscriptions = "many"\n');
  assert.deepEqual(reloaded, []);
  assert.match(String(noted), /^a\.toml:2: bad value 'many'/, 'for the status');
  assert.match(text, /a\.toml:2: bad value 'many' for -max-subscriptions/);
  assert.match(text, /the last good one stays/);
});

test('SIGUSR1 changes nothing', async () => {
  const { context } = start(cluster, running());
  await output(context);
  context.signal('SIGUSR1');
  assert.match(await output(context), /signal ignored/);
});

test('an unexpected fault at the start ends with 1', async () => {
  const { context, ended } = start(cluster, new Error('disk gone'));
  assert.equal(await ended, 1);
  assert.deepEqual(context.err, ['shoal: disk gone\n']);
});

test('a port in use ends with 3 and names the flag that changes it', async () => {
  const cause = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });
  const error = new ListenError({ place: '-port', bind: undefined, port: 1883 }, cause);
  const { context, ended } = start(cluster, error);
  assert.equal(await ended, 3);
  const line = /^shoal: TCP \[::\]:1883 is in use by .+; choose another port with -port\n$/;
  assert.match(context.err.join(''), line);
});

test('all ports in use are named at once, each of them once', async () => {
  const [gossip, sync] = ['UDP 7946 is in use', 'UDP 7947 is in use'];
  const taken = [new BindError(gossip), new BindError(sync)];
  const { context, ended } = start(cluster, new BindError(sync), fakeContext(), taken);
  assert.equal(await ended, 3);
  assert.deepEqual(context.err, [`shoal: ${sync}\n`, `shoal: ${gossip}\n`]);
});

test('a UDP port that cannot be opened ends with 3', async () => {
  const { ended } = start(cluster, new BindError('UDP is in use'));
  assert.equal(await ended, 3);
});

test('a name in use ends with 4 and names its holder on standard error', async () => {
  const error = new NameInUseError('n1', { address: '192.168.1.101', port: 7946 });
  const { context, ended } = start(cluster, error);
  assert.equal(await ended, 4);
  assert.match(
    context.err.join(''),
    /^shoal: .* 192\.168\.1\.101:7946; choose another name with -nid\n$/,
  );
});

test('a node whose name turns out to be in use shortly after its start stops and says so', async () => {
  const holder = { address: '192.168.1.101', port: 7946 };
  const refused = Promise.resolve(new NameInUseError('n1', holder));
  let isStopped = false;
  const stop = async (): Promise<void> => {
    isStopped = true;
  };
  const { ended, context } = start(cluster, running({ failed: refused, stop }));
  assert.equal(await ended, 4);
  assert.ok(isStopped);
  assert.match(context.err.join(''), /n1 is in use by the node at 192\.168\.1\.101:7946/);
});
