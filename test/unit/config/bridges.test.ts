// The [[bridge]] tables of the file: what they make, what is refused, what is shown.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { ConfigError, loadConfig } from '../../../src/config/load.ts';
import { fakeContext } from '../../support/fake-context.ts';

const BRIDGE = `[[bridge]]
name = "hq"
address = ["mqtts://a.example.com", "ws://b.example.com/mqtt"]
topics = ["sensors/# out", "cmd/+/x in 2 here/ ''", "# both 0"]
`;

function load(text: string, flags: Record<string, string> = {}) {
  const host = { environment: {}, hostName: 'box', readFile: () => text };
  return loadConfig({ config: 'b.toml', ...flags }, host);
}

function problemsOf(text: string, flags: Record<string, string> = {}): readonly string[] {
  try {
    load(text, flags);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('a bridge has addresses, topic rules and the defaults of its keys', () => {
  const [bridge] = load(BRIDGE, { data: 'd' }).config.bridges;
  assert.deepEqual(bridge?.options.addresses, [
    { protocol: 'mqtts', host: 'a.example.com', port: 8883, path: '' },
    { protocol: 'ws', host: 'b.example.com', port: 80, path: '/mqtt' },
  ]);
  assert.deepEqual(bridge?.options.topics, [
    { pattern: 'sensors/#', direction: 'out', qos: 1, localPrefix: '', farPrefix: '' },
    { pattern: 'cmd/+/x', direction: 'in', qos: 2, localPrefix: 'here/', farPrefix: '' },
    { pattern: '#', direction: 'both', qos: 0, localPrefix: '', farPrefix: '' },
  ]);
  assert.equal(bridge?.options.clientId, 'box.hq');
  assert.equal(bridge?.options.version, 5);
});

test('each mistake of a bridge has a line with its place and the right form', () => {
  assert.deepEqual(problemsOf('[[bridge]]\n'), [
    'b.toml:1: the bridge has no name',
    'b.toml:1: the bridge has no address',
    'b.toml:1: the bridge has no topics',
  ]);
  assert.deepEqual(problemsOf(`${BRIDGE}cert = "c"\n`), [
    'b.toml:1: cert and key go together: the certificate and its private key',
  ]);
  assert.deepEqual(problemsOf(`${BRIDGE}${BRIDGE}`), [
    "b.toml:5: another bridge has the name 'hq' already",
  ]);
  assert.deepEqual(problemsOf(BRIDGE, { csk: 'x' }), [
    'b.toml:1: in a cluster the bridge needs a client-id, the same on every node, so that the far side knows it wherever it runs',
  ]);
  assert.deepEqual(problemsOf(BRIDGE.replace('"hq"', '"hq"\nusrname = "x"')), [
    "b.toml:3: unknown key 'usrname'; did you mean 'username'?",
  ]);
  const wrong = [
    ['address', '"tcp://a"'],
    ['address', '"mqtt://user:pw@a"'],
    ['topics', '"a/#/b out 1"'],
    ['topics', '"a up 1"'],
    ['topics', '"$share/g/a in 1"'],
    ['max-rate', '"fast"'],
    ['password', '""'],
  ] as const;
  for (const [key, value] of wrong) {
    const lines = BRIDGE.split('\n').filter((line) => !line.startsWith(`${key} =`));
    const [problem = ''] = problemsOf(`${lines.join('\n')}${key} = ${value}\n`);
    assert.match(problem, new RegExp(`^b\\.toml:\\d: bad value.* for '${key}': expected `));
    assert.ok(!problem.includes('pw@') || key === 'address', 'no secret is shown');
  }
});

test('exactly once is lowered where a restart or another node would lose messages', () => {
  const text = `${BRIDGE}client-id = "x"\n`.replace('out"', 'out 2"');
  const isLowered = (flags: Record<string, string>, more = ''): boolean => {
    const { config, warnings } = load(text + more, flags);
    const [bridge] = config.bridges;
    const lowered = bridge?.options.topics[0]?.qos === 1;
    assert.equal(
      warnings.some((line) => line.includes('with QoS 1 instead of 2')),
      lowered,
    );
    return lowered;
  };
  assert.ok(isLowered({}));
  assert.ok(!isLowered({ data: 'd' }));
  assert.ok(isLowered({ data: 'd', csk: 'a-token' }));
  assert.ok(!isLowered({ data: 'd', csk: 'a-token' }, 'run-on = "each"\n'));
});

test('a bridge of MQTT 3.1.1 that carries topics both ways has a warning of circles', () => {
  const isWarned = (text: string): boolean =>
    load(text).warnings.some((line) => /bridge hq carries # both ways .* in a circle/.test(line));
  assert.ok(isWarned(`${BRIDGE}protocol = "3.1.1"\n`));
  assert.ok(!isWarned(BRIDGE));
  assert.ok(!isWarned(`${BRIDGE.replace('# both', '# out')}protocol = "3.1.1"\n`));
});

test('config show prints the keys of a bridge, and no password', async () => {
  const text = `${BRIDGE}username = "u"\npassword = "pw-secret"\n`;
  const context = { ...fakeContext(), readFile: () => text };
  await main(['config', 'show', '-config=b.toml'], context);
  const shown = context.out.join('');
  assert.match(shown, /^\[\[bridge\]\] +hq +file b\.toml:1$/m);
  assert.match(shown, /^ {2}username +u +file b\.toml:5$/m);
  assert.match(shown, /^ {2}password +\*\*\* +file b\.toml:6$/m);
  assert.match(shown, /^ {2}topics +sensors\/# out 1,cmd\/\+\/x in 2 here\/ "",# both 0 +file/m);
  assert.doesNotMatch(shown, /pw-secret/);
});
