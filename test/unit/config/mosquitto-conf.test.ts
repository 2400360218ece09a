import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../../src/config/load.ts';
import { translateMosquittoConf } from '../../../src/config/mosquitto-conf.ts';

test('the common directives become settings that a node accepts', () => {
  const { settings, remarks } = translateMosquittoConf(`
# a comment
listener 1884 127.0.0.1
max_connections -1
max_inflight_messages 0
max_queued_messages 0
message_size_limit 65536
persistent_client_expiration 2w
retain_available false
`);
  assert.deepEqual(remarks, []);
  const { config } = loadConfig(Object.fromEntries(settings), {
    environment: {},
    hostName: 'h',
    readFile: () => '',
  });
  assert.equal(config.port, 1884);
  assert.equal(config.bindAddress, '127.0.0.1');
  assert.equal(config.connectionsMax, Number.POSITIVE_INFINITY);
  assert.equal(config.inflightMax, 65_535);
  assert.equal(config.queueMessagesMax, Number.POSITIVE_INFINITY);
  assert.equal(config.packetBytesMax, 65_536);
  assert.equal(config.sessionExpirySecondsMax, 14 * 86_400);
  assert.equal(config.retainAvailable, false);
});

test('what has no counterpart is listed with its line', () => {
  const { settings, remarks } = translateMosquittoConf(
    'port 1883\nlistener 8883\nconnection bridge\nset_tcp_nodelay true\nmax_qos 3\n',
  );
  assert.deepEqual([...settings], [['port', '1883']]);
  assert.equal(remarks.length, 4);
  assert.match(remarks[0] ?? '', /^line 2: listener: a second listener, on port 8883/);
  assert.match(remarks[1] ?? '', /^line 3: connection: no bridges/);
  assert.match(remarks[2] ?? '', /^line 4: set_tcp_nodelay: no counterpart/);
  assert.match(remarks[3] ?? '', /^line 5: max_qos: '3' can't be taken over: expected 0, 1 or 2/);
});

test('a limit that mosquitto takes away and we never do stays at our default', () => {
  assert.deepEqual([...translateMosquittoConf('message_size_limit 0\n').settings], []);
});
