import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../../src/config/load.ts';
import { translateMosquittoConf } from '../../../src/config/mosquitto-conf.ts';

const translate = (text: string) => translateMosquittoConf('m.conf', text);

test('the common directives become settings that a node accepts', () => {
  const { settings, remarks } = translate(`
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
  const { settings, remarks } = translate(
    'port 1883\nallow_anonymous true\nconnection bridge\nset_tcp_nodelay true\nmax_qos 3\n',
  );
  assert.deepEqual(Object.fromEntries(settings), { port: '1883', anonymous: 'true' });
  assert.equal(remarks.length, 3);
  assert.match(remarks[0] ?? '', /^m\.conf:3: connection: no bridges/);
  assert.match(remarks[1] ?? '', /^m\.conf:4: set_tcp_nodelay: no counterpart/);
  assert.match(
    remarks[2] ?? '',
    /^m\.conf:5: max_qos: '3' can't be taken over: expected 0, 1 or 2/,
  );
});

test('a limit that mosquitto takes away and we never do stays at our default', () => {
  assert.equal(
    translate('listener 1\nmessage_size_limit 0\n').settings.get('max-packet-size'),
    undefined,
  );
});

function listenersOf(text: string) {
  return translate(text).listeners.map((listener) => Object.fromEntries(listener));
}

test('several listeners, or one that is more than a port, become tables', () => {
  const text = `
port 1885
max_connections 5
listener 8883
cafile ca.crt
certfile box.crt
keyfile box.key
require_certificate true
use_identity_as_username true
listener 9001 ::1
protocol websockets
listener 8084
protocol websockets
certfile box.crt
keyfile box.key
`;
  const pair = { cert: 'box.crt', key: 'box.key' };
  const proven = { 'require-certificate': 'required', 'use-identity-as-username': 'true' };
  assert.deepEqual(listenersOf(text), [
    { port: '1885', 'max-connections': '5' },
    { port: '8883', protocol: 'tls', ca: 'ca.crt', ...pair, ...proven },
    { port: '9001', protocol: 'ws', bind: '::1' },
    { port: '8084', protocol: 'wss', ...pair },
  ]);
  const [only] = listenersOf('certfile box.crt\nkeyfile box.key\n');
  assert.deepEqual(only, { port: '1883', protocol: 'tls', ...pair });
});

test('who may come in is said as mosquitto would decide it', () => {
  const anonymousOf = (text: string) => translate(text).settings.get('anonymous');
  assert.equal(anonymousOf('listener 1883\n'), 'false');
  assert.equal(anonymousOf('listener 1883\nallow_anonymous true\n'), 'true');
  assert.equal(anonymousOf('listener 1883\npassword_file p\n'), undefined);
  const text = 'per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2\n';
  assert.deepEqual(listenersOf(text), [{ port: '1', anonymous: 'true' }, { port: '2' }]);
});

test('per_listener_settings: users and topics are of the listener above them', () => {
  const text = `per_listener_settings true
password_file p0
listener 1
password_file p1
acl_file a1
listener 2
allow_anonymous true
acl_file a2
`;
  assert.deepEqual(listenersOf(text), [
    { port: '1883', auth: 'p0' },
    { port: '1', auth: 'p1', acl: 'a1' },
    { port: '2', anonymous: 'true', acl: 'a2' },
  ]);
  assert.deepEqual([...translate(text).settings], [['anonymous', 'false']]);
  assert.deepEqual(translate(text).remarks, []);
  const one = translate(
    'per_listener_settings true\nlistener 1\nallow_anonymous true\nacl_file a\n',
  );
  assert.deepEqual(Object.fromEntries(one.settings), { port: '1', anonymous: 'true', acl: 'a' });
  const shared = translate('listener 1\npassword_file p\nacl_file a\nlistener 2\n');
  assert.deepEqual(Object.fromEntries(shared.settings), { auth: 'p', acl: 'a' });
});

test('what was said of one listener and holds for all is told', () => {
  const text = 'listener 1\nmax_qos 1\nlistener 2\n';
  assert.equal(translate(text).remarks.join(), 'm.conf:2: max_qos: holds for all listeners here');
  assert.deepEqual(translate('listener 1\nmax_qos 1\n').remarks, []);
  assert.deepEqual(translate('max_qos 1\nlistener 1\nlistener 2\n').remarks, []);
});

test('without a listener mosquitto serves its machine only, and that is told', () => {
  for (const text of ['allow_anonymous true\n', 'log_type notice\n', '']) {
    const { settings, remarks } = translate(text);
    assert.equal(settings.get('bind'), '127.0.0.1');
    assert.match(remarks.join(), /^m\.conf: no listener: mosquitto serves only this machine/);
  }
  for (const text of ['listener 1883\n', 'port 1883\n', 'max_connections 5\n']) {
    assert.equal(translate(text).settings.get('bind'), undefined);
    assert.deepEqual(translate(text).remarks, []);
  }
  assert.equal(translate('bind_address 10.0.0.1\n').settings.get('bind'), '10.0.0.1');
});

test('the least important log_type is the level', () => {
  const levelOf = (text: string) => translate(text).settings.get('log-level');
  assert.equal(levelOf('log_type error\nlog_type notice\n'), 'info');
  assert.equal(levelOf('log_type all\n'), 'debug');
  assert.match(
    translate('listener 1\nlog_type all\n').remarks.join(),
    /^m\.conf:2: log_type: log-level = "debug"/,
  );
  assert.equal(levelOf('max_qos 1\n'), undefined);
});

test("mosquitto's own folder is taken over only with a remark", () => {
  const text = 'listener 1\npersistence true\npersistence_location /var/lib/mosquitto/\n';
  const { settings, remarks } = translate(text);
  assert.equal(settings.get('data'), '/var/lib/mosquitto/');
  assert.match(remarks.join(), /^m\.conf:3: persistence_location: this is mosquitto's own folder/);
  assert.match(translate('listener 1\npersistence true\n').remarks.join(), /^m\.conf:2: persist/);
});

test('a listener that has no counterpart opens no port to everybody', () => {
  const text = 'listener 0 /run/mosquitto.sock\nmax_connections 5\nlistener 1884 box.lan\n';
  const { settings, listeners, remarks } = translate(text);
  assert.deepEqual(listeners, []);
  assert.equal(settings.get('port'), '1884');
  assert.equal(settings.get('bind'), '127.0.0.1');
  assert.equal(settings.get('max-connections'), undefined);
  assert.equal(translate('port 1883\nbind_address box\n').settings.get('bind'), '127.0.0.1');
  assert.match(remarks[0] ?? '', /^m\.conf:1: listener: a Unix socket, left out/);
  assert.match(remarks[1] ?? '', /^m\.conf:3: listener: 'box\.lan' can't .* bound to 127\.0\.0\.1/);
});
