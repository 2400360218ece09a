import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { listenerKeys } from '../../../src/config/listeners.ts';
import { ConfigError, loadConfig } from '../../../src/config/load.ts';

function load(flags: Record<string, string>, file?: string) {
  const given = file === undefined ? flags : { ...flags, config: 's.toml' };
  return loadConfig(given, { environment: {}, hostName: 'h', readFile: () => file ?? '' }).config;
}

function listenersOf(flags: Record<string, string>, file?: string) {
  return load(flags, file).listeners.map(({ protocol, port, bind, place }) => {
    return `${place} ${protocol} ${bind ?? '*'} ${port}`;
  });
}

function problemsOf(flags: Record<string, string>, file?: string): readonly string[] {
  try {
    load(flags, file);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

const pair = { cert: 'c', key: 'k' };

test('by default there is one listener, for TCP on 1883', () => {
  assert.deepEqual(listenersOf({}), ['-port tcp * 1883']);
});

test('-port, -tls, -ws and -wss open a listener each, and off closes one', () => {
  const flags = { port: '0', tls: '8883', ws: '8083', wss: '8084', bind: '::1', ...pair };
  assert.deepEqual(listenersOf(flags), [
    '-port tcp ::1 0',
    '-tls tls ::1 8883',
    '-ws ws ::1 8083',
    '-wss wss ::1 8084',
  ]);
  assert.deepEqual(listenersOf({ port: 'off', ws: '1' }), ['-ws ws * 1']);
});

test('each [[listener]] is a listener, with the options as its defaults', () => {
  const file = `bind = "::1"
cert = "c"
key = "k"
max-connections = 7

[[listener]]
port = 1
max-connections = 3

[[listener]]
protocol = "tls"
port = 2
bind = "127.0.0.1"
cert = ["own", "other"]
key = ["k1", "k2"]
anonymous = true
`;
  assert.deepEqual(listenersOf({}, file), ['s.toml:6 tcp ::1 1', 's.toml:10 tls 127.0.0.1 2']);
  const [first, second] = load({}, file).listeners;
  assert.deepEqual([first?.connectionsMax, second?.connectionsMax], [3, 7]);
  assert.deepEqual([first?.anonymous, second?.anonymous], [undefined, true]);
  assert.equal(first?.tls, undefined);
  assert.deepEqual(second?.tls?.cert, ['own', 'other']);
  assert.deepEqual(listenersOf({ port: '9' }, file)[0], '-port tcp ::1 9');
});

test('a listener has its own password file and ACL, or those of the node', () => {
  const file = `auth = "users"
acl = "topics"
[[listener]]
port = 1
[[listener]]
port = 2
auth = "own-users"
acl = "own-topics"
`;
  const filesOf = (flags: Record<string, string>) =>
    load(flags, file).listeners.map(({ passwordFile, aclFile }) => [passwordFile, aclFile]);
  const [node, own] = [
    ['users', 'topics'],
    ['own-users', 'own-topics'],
  ];
  assert.deepEqual(filesOf({ ws: '3' }), [node, node, own]);
  assert.deepEqual(filesOf({ acl: '/flag' })[0], ['users', '/flag']);
});

test('a listener keeps its identity, its address, when the file is read again', () => {
  const idsOf = (file: string) => load({}, file).listeners.map(({ id }) => id);
  const table = '[[listener]]\nport = 0\n';
  assert.deepEqual(idsOf(`${table}bind = "::1"\n${table}${table}`), ['[::1]:0', '*:0', '*:0 #2']);
  assert.deepEqual(idsOf(`\n\n${table}max-connections = 5\n`), ['*:0']);
});

test('a mistake in a [[listener]] is reported with its line', () => {
  const file = `[[listener]]
port = 1
protocol = "quic"

[[listener]]
prot = 2
bind = "::1"

[[listener]]
port = 99999
`;
  assert.deepEqual(problemsOf({}, file), [
    "s.toml:6: unknown key 'prot'; did you mean 'port'?",
    "s.toml:3: bad value 'quic' for 'protocol': expected one of tcp, tls, ws, wss",
    "s.toml:10: bad value '99999' for 'port': expected a port number from 0 to 65535",
  ]);
  assert.deepEqual(problemsOf({}, file.replace('prot = 2\n', '')), [
    "s.toml:3: bad value 'quic' for 'protocol': expected one of tcp, tls, ws, wss",
    's.toml:5: the listener has no port',
    "s.toml:9: bad value '99999' for 'port': expected a port number from 0 to 65535",
  ]);
  assert.match(
    problemsOf({}, '[listener]\nport = 1\n').join(),
    /s\.toml:1: write \[\[listener\]\]/,
  );
});

test('a key of TLS or WebSocket is refused for a listener with another protocol', () => {
  const file = `
[[listener]]
port = 1
cert = "c"
key = "k"
use-identity-as-username = true

[[listener]]
protocol = "ws"
port = 2
tls-version = "1.3"
ws-origin = "https://a.example"

[[listener]]
protocol = "tls"
port = 3
cert = "c"
key = "k"
ws-origin = "https://a.example"
`;
  const problems = [
    's.toml:4: cert, key, use-identity-as-username: only with protocol = "tls" or "wss"; this listener is tcp',
    's.toml:11: tls-version: only with protocol = "tls" or "wss"; this listener is ws',
    's.toml:19: ws-origin: only with protocol = "ws" or "wss"; this listener is tls',
  ];
  assert.deepEqual(problemsOf({}, file), problems);
  assert.deepEqual(problemsOf({ crp: 'x' }, file).slice(1), problems, 'beside other mistakes');
  const harmless = 'require-certificate = "no"\nuse-identity-as-username = false\n';
  assert.deepEqual(
    problemsOf({}, `cert = "c"\nkey = "k"\n[[listener]]\nport = 1\n${harmless}`),
    [],
  );
});

test('an option that needs another one is refused without it', () => {
  assert.match(problemsOf({ tls: '1' }).join(), /^-tls: TLS needs a certificate and its key/);
  assert.match(problemsOf({ wss: '1', cert: 'a,b', key: 'k' }).join(), /-cert names 2 and -key 1/);
  const required = { tls: '1', ...pair, 'require-certificate': 'true' };
  assert.match(problemsOf(required).join(), /-require-certificate=required needs -ca/);
  const identity = { tls: '1', ...pair, 'use-identity-as-username': 'true' };
  assert.match(problemsOf(identity).join(), /needs -require-certificate/);
  assert.match(problemsOf({ port: 'off' }).join(), /^no listener: -port is off/);
});

test('two listeners on one address and port are refused, and both are named', () => {
  assert.deepEqual(problemsOf({ port: '8883', tls: '8883', ...pair }), [
    "-port (TCP [::]:8883) and -tls (TCP [::]:8883) can't both listen: give one of them another port",
  ]);
  const file = `[[listener]]
port = 1884
bind = "127.0.0.1"
`;
  assert.deepEqual(problemsOf({ port: '1884' }, file), [
    "-port (TCP [::]:1884) and s.toml:1 (TCP 127.0.0.1:1884) can't both listen: give one of them another port",
  ]);
  const both = (one: string, other: string) =>
    problemsOf(
      {},
      `[[listener]]\nport = 1\nbind = "${one}"\n[[listener]]\nport = 1\nbind = "${other}"`,
    ).length;
  assert.equal(both('::', '0.0.0.0'), 1);
  assert.equal(both('0.0.0.0', '127.0.0.1'), 1);
  assert.equal(both('::1', '0:0::1'), 1);
  assert.equal(both('0.0.0.0', '::1'), 0);
  assert.equal(both('127.0.0.1', '127.0.0.2'), 0);
  assert.deepEqual(problemsOf({ port: '0', ws: '0' }), []);
});

test('a listener, -http and the TCP port of -large or -roaming exclude each other on one address', () => {
  const cluster = { csk: 'secret', bind: '127.0.0.1' };
  assert.deepEqual(problemsOf({ ...cluster, port: '7947', large: '1M' }), [
    "-port (TCP 127.0.0.1:7947) and -large on the port number of -csp (TCP 127.0.0.1:7947) can't both listen: give one of them another port",
  ]);
  assert.deepEqual(problemsOf({ ...cluster, roaming: 'true', csp: '4', http: '0.0.0.0:4' }), [
    "-roaming on the port number of -csp (TCP 127.0.0.1:4) and -http (TCP 0.0.0.0:4) can't both listen: give one of them another port",
  ]);
  assert.deepEqual(problemsOf({ ws: '9001', http: '9001' }), [
    "-ws (TCP [::]:9001) and -http (TCP 127.0.0.1:9001) can't both listen: give one of them another port",
  ]);
  const elsewhere = { ...cluster, bind: '127.0.0.2', large: '1M', http: '127.0.0.1:7947' };
  assert.deepEqual(problemsOf(elsewhere), [], 'on two addresses');
  assert.deepEqual(problemsOf({ ...cluster, port: '7947' }), [], 'gossip and sync use UDP');
  assert.deepEqual(problemsOf({ port: '7947', large: '1M' }), [], 'no cluster, no TCP port');
  assert.deepEqual(problemsOf({ port: '8080' }), [], 'the default port of -http is only tried');
  assert.deepEqual(problemsOf({ ...cluster, large: '1M', port: '0', csp: '0', http: '0' }), []);
});

test('an origin that no browser sends is refused', () => {
  for (const origin of [
    'https://a.example',
    'http://[::1]:8080',
    'capacitor://localhost',
    'null',
  ]) {
    assert.deepEqual(problemsOf({ ws: '1', 'ws-origin': origin }), [], origin);
  }
  const wrong = ['foo', 'https://a.example/', 'https://A.example', 'https://a.example:443'];
  for (const origin of wrong) {
    assert.match(problemsOf({ ws: '1', 'ws-origin': origin }).join(), /for -ws-origin/, origin);
  }
});

test('options of TLS or WebSocket without such a listener cause a warning', () => {
  const warningsOf = (flags: Record<string, string>) =>
    loadConfig(flags, { environment: {}, hostName: 'h', readFile: () => '' }).warnings;
  assert.deepEqual(warningsOf({ ...pair, 'require-certificate': 'required' }), [
    'no listener uses TLS (-tls=PORT, -wss=PORT): -cert, -key, -require-certificate has no effect',
  ]);
  assert.deepEqual(warningsOf({ ...pair, tls: '8883' }), []);
  assert.match(warningsOf({ 'tls-version': '1.3' }).join(), /-tls-version has no effect/);
  const origin = { 'ws-origin': 'https://a.example' };
  assert.match(warningsOf(origin).join(), /^no listener uses WebSocket .*-ws-origin has no/);
  assert.deepEqual(warningsOf({ ...origin, ws: '8083' }), []);
  assert.deepEqual(warningsOf({}), []);
});

test('docs/listeners.md has every key of a listener', () => {
  const page = readFileSync('docs/listeners.md', 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  for (const key of listenerKeys) {
    assert.ok(
      rows.some((row) => row.split('|')[1]?.includes(`\`${key}\``)),
      key,
    );
  }
});

test('a [[listener]] may have rates and a highest QoS of its own', () => {
  const file = `client-message-rate = 10
connect-rate = 5

[[listener]]
port = 1

[[listener]]
port = 2
client-message-rate = 0
byte-rate = "1M"
rate-burst = "5s"
max-qos = 1
`;
  const [first, second] = load({}, file).listeners;
  assert.equal(first?.rates.clientMessages, 10);
  assert.equal(first?.connectRate, 5);
  assert.equal(first?.maximumQos, 2);
  assert.equal(second?.rates.clientMessages, Number.POSITIVE_INFINITY);
  assert.equal(second?.rates.listenerBytes, 1024 ** 2);
  assert.equal(second?.rates.burstSeconds, 5);
  assert.equal(second?.maximumQos, 1);
});
