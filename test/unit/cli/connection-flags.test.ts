import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../src/cli/exit-codes.ts';
import {
  type ConnectionFlags,
  connectionOf,
  missingTopic,
} from '../../../src/cli/mqtt/connection-flags.ts';
import { formatAddress } from '../../../src/cli/mqtt/transport.ts';

function connection(given: Partial<ConnectionFlags>) {
  return connectionOf({ keepalive: '60', protocolVersion: '5', ...given });
}

test('the broker is the one of -h and -p, of -L, or the one on this machine', () => {
  for (const [flags, address] of [
    [{}, 'tcp://localhost:1883'],
    [{ host: '10.0.0.1', port: '1884' }, 'tcp://10.0.0.1:1884'],
    [{ tls: true }, 'tls://localhost:8883'],
    [{ cafile: 'ca.pem', ws: true }, 'wss://localhost:443/mqtt'],
    [{ url: 'mqtts://box1' }, 'tls://box1:8883'],
    [{ url: 'ws://box1:9001/live' }, 'ws://box1:9001/live'],
    [{ url: 'mqtt://[fe80::1]:1884' }, 'tcp://[fe80::1]:1884'],
  ] as const) {
    assert.equal(formatAddress(connection(flags).settings.address), address);
  }
});

test('a URL may hold user, password and topic', () => {
  const { settings, urlTopic } = connection({ url: 'mqtt://ann:p%40ss@box1:1884/home/t7' });
  assert.equal(settings.username, 'ann');
  assert.equal(settings.password, 'p@ss');
  assert.equal(urlTopic, 'home/t7');
});

test('a URL of a WebSocket has its path, and no topic', () => {
  const { settings, urlTopic } = connection({ url: 'ws://ann:p@box1:9001/a/1' });
  assert.equal(settings.address.path, '/a/1');
  assert.equal(urlTopic, undefined);
  for (const [url, hint] of [
    ['wss://box1/a', ': the path of a WebSocket URL is no topic'],
    ['mqtt://box1', ''],
  ] as const) {
    const flags = { keepalive: '60', protocolVersion: '5', url };
    assert.equal(missingTopic('sub needs -t FILTER', flags).message, `sub needs -t FILTER${hint}`);
  }
});

test('a wrong flag is refused with its value and the right form', () => {
  for (const [flags, message] of [
    [{ port: 'x' }, "bad value 'x' for -p: expected 1 to 65535"],
    [{ keepalive: '70000' }, "bad value '70000' for -k: expected 0 to 65535"],
    [{ protocolVersion: '4' }, "bad value '4' for -V: expected 5, 311 or 31"],
    [{ url: 'http://x' }, "bad value 'http://x' for -L: expected mqtt://host:port/topic"],
    [{ url: 'mqtt://x', host: 'y' }, '-L names host and port: leave -h and -p out'],
    [{ willRetain: true }, 'a will needs -will-topic'],
    [
      { willTopic: 'a/#' },
      "bad value 'a/#' for -will-topic: expected a topic without wildcards, such as home/t7",
    ],
  ] as const) {
    assert.throws(() => connection(flags), new UsageError(message));
  }
});
