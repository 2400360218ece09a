import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../../src/config/load.ts';
import { translateMosquittoConf } from '../../../src/config/mosquitto-conf.ts';

/** What is told is `fate line directive: text`. */
function translate(text: string) {
  const { notes, ...rest } = translateMosquittoConf(text);
  const told = notes.map(
    ({ fate, line, directive, text }) => `${fate} ${line} ${directive}: ${text}`,
  );
  return { ...rest, told };
}

test('the common directives become settings that a node accepts', () => {
  const { settings, told } = translate(`
# a comment
listener 1884 127.0.0.1
max_connections -1
max_inflight_messages 0
max_queued_messages 0
max_packet_size 65536
persistent_client_expiration 2w
retain_available false
`);
  assert.deepEqual(told, []);
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

test('what is lost is told apart from what is done otherwise, what nobody needs, and slips', () => {
  const { settings, told } = translate(`port 1883
allow_anonymous true
set_tcp_nodelay true
allow_annonymous false
memory_limit 1000000
max_qos 3
capath /etc/ssl/certs
plugin /usr/lib/rules.so
plugin_opt_depth 3
ciphers_tls1.3 TLS_AES_128_GCM_SHA256
queue_qos0_messages true
use_username_as_clientid false
connection_messages true
connection_messages false
zzz
`);
  assert.deepEqual(Object.fromEntries(settings), { port: '1883', anonymous: 'true' });
  assert.deepEqual(told, [
    'needless 3 set_tcp_nodelay: ',
    'unknown 4 allow_annonymous: did you mean allow_anonymous?',
    'otherwise 5 memory_limit: queue-memory for what waits, retained-bytes for what is retained',
    "lost 6 max_qos: '3' can't be taken over: expected 0, 1 or 2",
    'lost 7 capath: put the authorities into one file, for ca',
    'lost 8 plugin: no plugins; auth-http asks a server of yours',
    "lost 10 ciphers_tls1.3: OpenSSL's own choice",
    'lost 11 queue_qos0_messages: QoS 0 never waits for an absent client',
    'needless 12 use_username_as_clientid: ',
    'needless 13 connection_messages: ',
    'otherwise 14 connection_messages: log-level = "warn" leaves them out',
    'unknown 15 zzz: not taken over',
  ]);
});

test('a bridge is told once, with its other end', () => {
  const { told } = translate(`listener 1
connection cloud
address mqtt.example.com:8883
topic # out 1
remote_username box
bridge_cafile ca.pem
max_qos 9
connection other
addresses a b
cleansession true
`);
  assert.deepEqual(told, [
    'lost 2 connection: the bridge cloud to mqtt.example.com:8883: keep a mosquitto for it; nodes of a cluster need none',
    "lost 7 max_qos: '9' can't be taken over: expected 0, 1 or 2",
    'lost 8 connection: the bridge other to a b: keep a mosquitto for it; nodes of a cluster need none',
  ]);
});

test('of the two limits on size the smaller one is taken over, in whatever order', () => {
  const lines = ['message_size_limit 1000', 'max_packet_size 300000'];
  for (const text of [lines, lines.toReversed()]) {
    const { settings, told } = translate(`listener 1\n${text.join('\n')}\n`);
    assert.equal(settings.get('max-packet-size'), '1000');
    assert.match(told.join(), /^otherwise \d message_size_limit: max-packet-size counts the whole/);
  }
  assert.equal(
    translate('max_packet_size 0\nmessage_size_limit 5000\n').settings.get('max-packet-size'),
    '5000',
  );
});

test('1 and 0 are truth values to mosquitto, and what is none of them is told', () => {
  const secured = (value: string) =>
    translate(`listener 1\ncertfile c\nkeyfile k\nrequire_certificate ${value}\n`);
  assert.equal(secured('1').listeners[0]?.get('require-certificate'), 'required');
  assert.equal(secured('0').listeners[0]?.get('require-certificate'), undefined);
  assert.match(secured('always').told.join(), /^lost 4 require_certificate: 'always' can't be/);
  assert.equal(translate('persistence 1\n').wantsData, true);
});

test('what a listener has no use for, here or there, is left out of it', () => {
  const text = 'listener 1\ncafile ca\nrequire_certificate true\nwebsockets_origin https://a\n';
  const { listeners, settings, told } = translate(text);
  assert.deepEqual(listeners, []);
  assert.deepEqual(Object.fromEntries(settings), { port: '1', anonymous: 'false' });
  assert.deepEqual(told, [
    'needless 2 cafile: ',
    'needless 3 require_certificate: ',
    'needless 4 websockets_origin: ',
  ]);
  assert.equal(translate('port 1\ncafile ca\n').listeners.length, 0, 'the default one, too');
  const [webSocket] = listenersOf('listener 1\nprotocol websockets\nwebsockets_origin https://a\n');
  assert.deepEqual(webSocket, {
    port: '1',
    protocol: 'ws',
    'ws-path': '*',
    'ws-origin': 'https://a',
  });
});

test('a listener that was closed by what is not here is not open to everybody', () => {
  for (const line of ['bind_interface eth0', 'psk_hint box']) {
    const { settings, told } = translate(`listener 1\n${line}\n`);
    assert.equal(settings.get('bind'), '127.0.0.1');
    assert.match(told.join(), /^lost 2 .* bound to 127\.0\.0\.1 until/);
  }
  const both = translate('listener 1 10.0.0.1\nbind_interface eth0\n');
  assert.equal(both.settings.get('bind'), '10.0.0.1');
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
    { port: '9001', protocol: 'ws', 'ws-path': '*', bind: '::1' },
    { port: '8084', protocol: 'wss', ...pair, 'ws-path': '*' },
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
  assert.deepEqual(translate(text).told, []);
  const one = translate(
    'per_listener_settings true\nlistener 1\nallow_anonymous true\nacl_file a\n',
  );
  assert.deepEqual(Object.fromEntries(one.settings), { port: '1', anonymous: 'true', acl: 'a' });
  const shared = translate('listener 1\npassword_file p\nacl_file a\nlistener 2\n');
  assert.deepEqual(Object.fromEntries(shared.settings), { auth: 'p', acl: 'a' });
});

test('what was said of one listener and holds for all is told', () => {
  const text = 'listener 1\nmax_qos 1\nlistener 2\n';
  assert.deepEqual(translate(text).told, ['otherwise 2 max_qos: holds for all listeners here']);
  assert.deepEqual(translate('listener 1\nmax_qos 1\n').told, []);
  assert.deepEqual(translate('max_qos 1\nlistener 1\nlistener 2\n').told, []);
});

test('without a listener mosquitto serves its machine only, and that is told', () => {
  for (const text of ['allow_anonymous true\n', 'log_type notice\n', '']) {
    const { settings, told } = translate(text);
    assert.equal(settings.get('bind'), '127.0.0.1');
    assert.match(
      told.join(),
      /^otherwise 0 no listener: as mosquitto does then, it serves this machine only/,
    );
  }
  for (const text of ['listener 1883\n', 'port 1883\n', 'max_connections 5\n']) {
    assert.equal(translate(text).settings.get('bind'), undefined);
    assert.deepEqual(translate(text).told, []);
  }
  assert.equal(translate('bind_address 10.0.0.1\n').settings.get('bind'), '10.0.0.1');
});

test('the least important log_type is the level', () => {
  const levelOf = (text: string) => translate(text).settings.get('log-level');
  assert.equal(levelOf('log_type error\nlog_type notice\n'), 'info');
  assert.equal(levelOf('log_type all\n'), 'debug');
  assert.match(
    translate('listener 1\nlog_type all\n').told.join(),
    /^otherwise 2 log_type: log-level = "debug"/,
  );
  assert.equal(levelOf('max_qos 1\n'), undefined);
});

test("mosquitto's own folder is not taken over, and that is told", () => {
  const text = 'listener 1\npersistence true\npersistence_location /var/lib/mosquitto/\n';
  const { settings, wantsData, told } = translate(text);
  assert.equal(settings.get('data'), undefined);
  assert.equal(wantsData, true);
  assert.match(
    told.join(),
    /^otherwise 3 persistence_location: what is in mosquitto's folder is not read/,
  );
  assert.match(translate('listener 1\npersistence true\n').told.join(), /^otherwise 2 persist/);
  assert.equal(translate('persistence_location /a\n').wantsData, false);
});

test('a listener that has no counterpart opens no port to everybody', () => {
  const text = 'listener 0 /run/mosquitto.sock\nmax_connections 5\nlistener 1884 box.lan\n';
  const { settings, listeners, told } = translate(text);
  assert.deepEqual(listeners, []);
  assert.equal(settings.get('port'), '1884');
  assert.equal(settings.get('bind'), '127.0.0.1');
  assert.equal(settings.get('max-connections'), undefined);
  assert.equal(translate('port 1883\nbind_address box\n').settings.get('bind'), '127.0.0.1');
  assert.match(told[0] ?? '', /^lost 1 listener: a Unix socket, left out/);
  assert.match(told[1] ?? '', /^lost 3 listener: 'box\.lan' can't .* bound to 127\.0\.0\.1/);
});
