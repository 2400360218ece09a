import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../../src/config/load.ts';
import { translateDirectives } from '../../../src/config/mosquitto-conf.ts';
import { type MosquittoFiles, readDirectives } from '../../../src/config/mosquitto-lines.ts';

const noFiles: MosquittoFiles = { readFile: () => '', listFolder: () => [] };

/** The notes are `severity line directive: text`. */
function translate(text: string, files = noFiles) {
  const translation = translateDirectives(readDirectives('m.conf', text, files));
  const notes = translation.notes.map(
    ({ severity, directive: { line, name }, text }) => `${severity} ${line} ${name}: ${text}`,
  );
  const settings = Object.fromEntries(translation.settings);
  const listeners = translation.listeners
    .filter(({ isOpen }) => isOpen)
    .map((listener) => Object.fromEntries(listener.settings));
  return { settings, listeners, bridges: translation.bridges, notes };
}

test('the common directives become settings that a node accepts', () => {
  const { settings, notes } = translate(`
# a comment
listener 1884 127.0.0.1
max_connections -1
max_inflight_messages 0
max_queued_messages 0
max_packet_size 65536
persistent_client_expiration 2w
retain_available false
`);
  assert.deepEqual(notes, []);
  const host = { environment: {}, hostName: 'h', readFile: () => '' };
  const { config } = loadConfig(settings, host);
  assert.equal(config.port, 1884);
  assert.equal(config.bindAddress, '127.0.0.1');
  assert.equal(config.connectionsMax, Number.POSITIVE_INFINITY);
  assert.equal(config.inflightMax, 65_535);
  assert.equal(config.queueMessagesMax, Number.POSITIVE_INFINITY);
  assert.equal(config.packetBytesMax, 65_536);
  assert.equal(config.sessionExpirySecondsMax, 14 * 86_400);
  assert.equal(config.retainAvailable, false);
});

test('losses, misspellings, differences and unnecessary directives are distinguished', () => {
  const { settings, notes } = translate(`port 1883
allow_anonymous true
set_tcp_nodelay true
allow_annonymous false
memory_limit 1000001
max_qos 3
capath /etc/ssl/certs
plugin /usr/lib/rules.so
plugin_opt_depth 3
ciphers_tls1.3 TLS_AES_128_GCM_SHA256
queue_qos0_messages true
connection_messages true
connection_messages false
zzz
`);
  assert.deepEqual(settings, {
    port: '1883',
    anonymous: 'true',
    'memory-limit': '1000001',
  });
  assert.deepEqual(notes, [
    'unnecessary 3 set_tcp_nodelay: ',
    'unknown 4 allow_annonymous: did you mean allow_anonymous?',
    'different 5 memory_limit: mosquitto limits its whole heap; here what clients make the node keep, which is most of it',
    "unsupported 6 max_qos: Shoal can't use '3': it expects 0, 1 or 2",
    'unsupported 7 capath: join the authorities into one file, for ca',
    'unsupported 8 plugin: Shoal has no plugins; auth-http can ask a server of yours',
    'unsupported 10 ciphers_tls1.3: Shoal uses the default ciphers of OpenSSL',
    'unsupported 11 queue_qos0_messages: Shoal queues no QoS 0 messages for an absent client',
    'unnecessary 12 connection_messages: ',
    'different 13 connection_messages: log-level = "warn" omits them',
    'unknown 14 zzz: mosquitto has no such directive',
  ]);
});

test('the limits of the whole node are translated', () => {
  const { settings, notes } = translate(`listener 1883
max_connections 500
global_max_connections 200
global_max_clients -1
max_inflight_messages 7
`);
  assert.equal(settings['max-connections'], '200', 'the smaller of both');
  assert.equal(settings['max-sessions'], '0');
  assert.equal(settings['max-inflight-messages'], '7');
  assert.equal(settings['receive-maximum'], '7');
  assert.deepEqual(notes, []);
});

test('the directives on client identifiers and retained messages have options here', () => {
  const { settings, notes } = translate(`listener 1883
check_retain_source false
clientid_prefixes dev-
use_username_as_clientid 1
`);
  assert.deepEqual(settings, {
    port: '1883',
    'check-retain-source': 'false',
    'clientid-prefixes': 'dev-',
    'use-username-as-clientid': 'true',
    anonymous: 'false',
  });
  assert.deepEqual(notes, []);
});

test('a connection becomes a [[bridge]]', () => {
  const { bridges, notes } = translate(`listener 1
connection cloud
addresses mqtt.example.com:8883 mqtt2.example.com
topic sensors/# out 1
topic cmd/# in 2 local/ remote/
topic # both
remote_username box
remote_password secret
remote_clientid box7
bridge_cafile /etc/ca.pem
bridge_protocol_version mqttv50
keepalive_interval 30
restart_timeout 2 60
cleansession true
round_robin true
notifications_local_only true
bridge_insecure false
max_qos 9
`);
  assert.deepEqual(notes, ["unsupported 18 max_qos: Shoal can't use '9': it expects 0, 1 or 2"]);
  const [settings] = bridges.map((draft) => Object.fromEntries(draft.settings));
  assert.deepEqual(settings, {
    name: 'cloud',
    protocol: '5',
    'reconnect-min': '2s',
    'reconnect-max': '60s',
    notifications: 'false',
    username: 'box',
    password: 'secret',
    'client-id': 'box7',
    ca: '/etc/ca.pem',
    keepalive: '30',
    'clean-start': 'true',
    'round-robin': 'true',
    insecure: 'false',
    address: 'mqtts://mqtt.example.com:8883,mqtts://mqtt2.example.com:1883',
    topics: 'sensors/# out 1,cmd/# in 2 local/ remote/,# both 0',
  });
});

test('a connection has the defaults of mosquitto', () => {
  const { bridges } = translate('connection a\naddress b\ntopic #\n');
  const [settings] = bridges.map((draft) => Object.fromEntries(draft.settings));
  assert.deepEqual(settings, {
    name: 'a',
    protocol: '3.1.1',
    'reconnect-min': '5s',
    'reconnect-max': '30s',
    notifications: 'true',
    address: 'mqtt://b:1883',
    topics: '# out 0',
  });
});

test('a connection that no node would accept is left out with the reason of the node', () => {
  for (const [directives, reason] of [
    ['restart_timeout 30 10', 'reconnect-min is above reconnect-max'],
    ['bridge_certfile /c.pem', 'cert and key go together: the certificate and its private key'],
    ['remote_password x', 'MQTT 3.1.1 has no password without a user name: set username'],
  ]) {
    const { bridges } = translate(`connection a\naddress b\ntopic # out 1\n${directives}\n`);
    assert.equal(bridges[0]?.refusal, reason);
  }
});

test('what a bridge cannot do has a note, and a connection without it stays a comment', () => {
  const { notes, bridges } = translate(`listener 1
connection psk
address a
topic # out 1
bridge_psk 1234
bridge_identity box
bridge_cafile ca.pem
start_type lazy
connection empty
topic # out 1
connection psk
address b
topic #,x out
`);
  assert.deepEqual(notes, [
    'unsupported 5 bridge_psk: Shoal has no TLS-PSK: use certificates, or a password over TLS',
    'unsupported 6 bridge_identity: Shoal has no TLS-PSK',
    'different 7 bridge_cafile: a relative path counts from the folder of the TOML file',
    'different 8 start_type: a bridge starts with the node and stays connected',
    'unsupported 9 connection: left out: the bridge has no address',
    'unsupported 11 connection: left out: the bridge has no topics',
    "unsupported 13 topic: Shoal can't use '#,x out 0' as a topic rule",
  ]);
  assert.deepEqual(
    bridges.map(({ refusal }) => refusal === undefined),
    [true, false, false],
  );
});

test('a payload that message_size_limit allows fits into a packet', () => {
  const sizesOf = (text: string) => {
    const { settings } = translate(`listener 1\n${text}`);
    return [settings['message-size-limit'], settings['max-packet-size']];
  };
  assert.deepEqual(sizesOf('message_size_limit 1000\n'), ['1000', undefined]);
  assert.deepEqual(sizesOf('message_size_limit 5000000\n'), ['5000000', '5131072']);
  assert.deepEqual(sizesOf('message_size_limit 5000000\nmax_packet_size 300000\n'), [
    '5000000',
    '300000',
  ]);
  assert.deepEqual(sizesOf('max_packet_size 0\nmessage_size_limit 0\n'), ['0', undefined]);
});

test('1 and 0 are truth values, and any other word is reported', () => {
  const secured = (value: string) =>
    translate(`listener 1\ncertfile /c\nkeyfile /k\ncafile /a\nrequire_certificate ${value}\n`);
  assert.equal(secured('1').listeners[0]?.['require-certificate'], 'required');
  assert.equal(secured('0').listeners[0]?.['require-certificate'], undefined);
  assert.match(secured('always').notes.join(), /^unsupported 5 require_certificate: .*'always'/);
  assert.equal(translate('persistence 1\n').settings.data, 'shoal-data');
});

test('a listener keeps only the keys of its protocol', () => {
  const text = 'listener 1\ncafile /ca\nrequire_certificate true\nwebsockets_origin https://a\n';
  const { listeners, settings, notes } = translate(text);
  assert.deepEqual(listeners, []);
  assert.deepEqual(settings, { port: '1', anonymous: 'false' });
  assert.deepEqual(notes, [
    'unnecessary 2 cafile: ',
    'unnecessary 3 require_certificate: ',
    'unnecessary 4 websockets_origin: ',
  ]);
  assert.equal(translate('port 1\ncafile /ca\n').listeners.length, 0, 'the default one, too');
  const [webSocket] = translate(
    'listener 1\nprotocol websockets\nwebsockets_origin https://a\n',
  ).listeners;
  assert.deepEqual(webSocket, {
    port: '1',
    protocol: 'ws',
    'ws-path': '*',
    'ws-origin': 'https://a',
  });
});

test('a listener whose restriction is not supported is bound to this machine', () => {
  for (const line of ['bind_interface eth0', 'psk_hint box', 'mount_point a/']) {
    const { settings, notes } = translate(`listener 1\n${line}\n`);
    assert.equal(settings.bind, '127.0.0.1');
    assert.match(notes.join(), /^unsupported 2 .* bound to 127\.0\.0\.1 until/);
  }
  const both = translate('listener 1 10.0.0.1\nbind_interface eth0\n');
  assert.equal(both.settings.bind, '10.0.0.1');
});

test('several listeners, or one that is more than a port, become tables', () => {
  const text = `
port 1885
max_connections 5
listener 8883
cafile /ca.crt
certfile /box.crt
keyfile /box.key
require_certificate true
use_identity_as_username true
listener 9001 ::1
protocol websockets
listener 8084
protocol websockets
certfile /box.crt
keyfile /box.key
listener 1886
enable_proxy_protocol 2
`;
  const pair = { cert: '/box.crt', key: '/box.key' };
  const proven = { 'require-certificate': 'required', 'use-identity-as-username': 'true' };
  assert.deepEqual(translate(text).listeners, [
    { port: '1885', 'max-connections': '5' },
    { port: '8883', protocol: 'tls', ca: '/ca.crt', ...pair, ...proven },
    { port: '9001', protocol: 'ws', 'ws-path': '*', bind: '::1' },
    { port: '8084', protocol: 'wss', 'ws-path': '*', ...pair },
    { port: '1886', 'proxy-protocol': 'true' },
  ]);
  const [only] = translate('certfile /box.crt\nkeyfile /box.key\n').listeners;
  assert.deepEqual(only, { port: '1883', protocol: 'tls', ...pair });
});

test('anonymous clients are accepted exactly where mosquitto accepts them', () => {
  const anonymousOf = (text: string) => translate(text).settings.anonymous;
  assert.equal(anonymousOf('listener 1883\n'), 'false');
  assert.equal(anonymousOf('listener 1883\nallow_anonymous true\n'), 'true');
  assert.equal(anonymousOf('listener 1883\npassword_file /p\n'), undefined);
  const old = 'per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2\n';
  const open = [{ port: '1', anonymous: 'true' }, { port: '2' }];
  assert.deepEqual(translate(old).listeners, open);
  const current = translate('listener 1\nlistener_allow_anonymous true\nlistener 2\n');
  assert.deepEqual([current.listeners, current.notes], [open, []]);
});

test('with per_listener_settings, users and topics belong to the listener above them', () => {
  const text = `per_listener_settings true
password_file /p0
listener 1
password_file /p1
acl_file /a1
listener 2
allow_anonymous true
acl_file /a2
`;
  const { settings, listeners, notes } = translate(text);
  assert.deepEqual(listeners, [
    { port: '1883', auth: '/p0' },
    { port: '1', auth: '/p1', acl: '/a1' },
    { port: '2', anonymous: 'true', acl: '/a2' },
  ]);
  assert.deepEqual([settings, notes], [{ anonymous: 'false' }, []]);
  const one = translate(
    'per_listener_settings true\nlistener 1\nallow_anonymous true\nacl_file /a\n',
  );
  assert.deepEqual(one.settings, { port: '1', anonymous: 'true', acl: '/a' });
  const shared = translate('listener 1\npassword_file /p\nacl_file /a\nlistener 2\n');
  assert.deepEqual(shared.settings, { auth: '/p', acl: '/a' });
});

test('the password and ACL file plugins of mosquitto 2.1 become password file and ACL', () => {
  const everywhere = translate(`listener 1883
global_plugin /usr/lib/mosquitto_password_file.so
plugin_opt_password_file /etc/mosquitto/pw
plugin /usr/lib/mosquitto_acl_file.so
plugin_opt_acl_file /etc/mosquitto/acl
`);
  const files = { auth: '/etc/mosquitto/pw', acl: '/etc/mosquitto/acl' };
  assert.deepEqual([everywhere.settings, everywhere.notes], [{ port: '1883', ...files }, []]);
  const named = translate(`plugin_load users /usr/lib/mosquitto_password_file.so
plugin_opt_password_file /pw
plugin_load rules /usr/lib/mosquitto_dynamic_security.so
plugin_opt_config_file /ds.json
listener 1
plugin_use users
listener 2
plugin_use rules
`);
  assert.deepEqual(named.listeners, [{ port: '1', auth: '/pw' }, { port: '2' }]);
  assert.match(named.notes.join(), /^unsupported 3 plugin_load: Shoal has no plugins;[^,]*$/);
});

test('a setting of one listener that applies to all of them is reported', () => {
  const text = 'listener 1\nmax_qos 1\nlistener 2\n';
  assert.deepEqual(translate(text).notes, ['different 2 max_qos: applies to all listeners here']);
  assert.deepEqual(translate('listener 1\nmax_qos 1\n').notes, []);
  assert.deepEqual(translate('max_qos 1\nlistener 1\nlistener 2\n').notes, []);
});

test('without a listener mosquitto serves its own machine only, and so does the result', () => {
  for (const text of ['allow_anonymous true\n', 'log_type notice\n', '']) {
    const { settings, notes } = translate(text);
    assert.equal(settings.bind, '127.0.0.1');
    assert.match(
      notes.join(),
      /^different 0 no listener: serves this machine only, as mosquitto does/,
    );
  }
  for (const text of ['listener 1883\n', 'port 1883\n', 'max_connections 5\n']) {
    assert.equal(translate(text).settings.bind, undefined);
    assert.deepEqual(translate(text).notes, []);
  }
  assert.equal(translate('bind_address 10.0.0.1\n').settings.bind, '10.0.0.1');
});

test('the least important log_type becomes the log level', () => {
  const levelOf = (text: string) => translate(text).settings['log-level'];
  assert.equal(levelOf('log_type error\nlog_type notice\n'), 'info');
  assert.equal(levelOf('log_type all\n'), 'debug');
  assert.match(
    translate('listener 1\nlog_type all\n').notes.join(),
    /^different 2 log_type: log-level = "debug"/,
  );
  assert.equal(levelOf('max_qos 1\n'), undefined);
});

test('persistence gets a data folder beside that of mosquitto', () => {
  const text = 'listener 1\npersistence true\npersistence_location /var/lib/mosquitto/\n';
  const { settings, notes } = translate(text);
  assert.equal(settings.data, '/var/lib/shoal');
  assert.match(
    notes.join(),
    /^different 3 persistence_location: mosquitto's database is not read: .* in \/var\/lib\/shoal$/,
  );
  assert.equal(translate('listener 1\npersistence true\n').settings.data, 'shoal-data');
  assert.equal(translate('persistence_location /a\n').settings.data, undefined);
});

test('a listener without a counterpart is left out, and opens no port', () => {
  const text = `listener 0 /run/mosquitto.sock
max_connections 5
listener 1884 box.lan
listener 1885
protocol http_api
listener 1886
certfile /c
listener 1887
certfile /c
keyfile /k
require_certificate true
`;
  const { listeners, notes } = translate(text);
  assert.deepEqual(listeners, [{ port: '1884', bind: '127.0.0.1' }]);
  assert.deepEqual(notes, [
    'unsupported 1 listener: left out: Shoal has no Unix sockets',
    "unsupported 3 listener: bind takes an IP address, not 'box.lan'; bound to 127.0.0.1 until you set one",
    'unsupported 4 listener: left out: Shoal does not speak http_api',
    'unsupported 6 listener: left out: TLS needs both certfile and keyfile',
    'unsupported 8 listener: left out: a client certificate needs the authorities that issue it: cafile',
  ]);
  assert.equal(translate('port 1883\nbind_address box\n').settings.bind, '127.0.0.1');
  const none = translate('listener 0 /run/mosquitto.sock\n');
  assert.deepEqual(none.settings, { bind: '127.0.0.1', anonymous: 'false' });
});

test('use_identity_as_username without require_certificate asks for certificates', () => {
  const text = 'listener 1\ncafile /a\ncertfile /c\nkeyfile /k\nuse_identity_as_username true\n';
  const { listeners, notes } = translate(text);
  assert.equal(listeners[0]?.['require-certificate'], 'required');
  assert.match(notes.join(), /^different 5 use_identity_as_username: asks for certificates;/);
});

test('one listener on all IPv4 and one on all IPv6 addresses become one', () => {
  const { settings, listeners, notes } = translate('listener 1883 0.0.0.0\nlistener 1883 ::\n');
  assert.deepEqual([settings, listeners, notes], [{ port: '1883', anonymous: 'false' }, [], []]);
  const differing = translate('listener 1 0.0.0.0\nlistener 1 ::\nmax_connections 5\n');
  assert.deepEqual(differing.listeners, [{ port: '1', bind: '0.0.0.0' }]);
  assert.deepEqual(differing.notes, [
    'unsupported 2 listener: left out: another listener has its address and port: m.conf:1',
  ]);
  assert.equal(translate('listener 1\nsocket_domain ipv4\n').settings.bind, '0.0.0.0');
});

test('include_dir is followed in the order of mosquitto, each file with its own section', () => {
  const folder = ['b.conf', 'A.conf', 'README', '01.conf', 'a.conf', 'B.conf', '.conf'];
  const sources: Record<string, string> = {
    '/d/01.conf': 'listener 1\n',
    '/d/A.conf': 'max_connections 7\n',
    '/d/a.conf': 'listener 2\nmax_connections 8\ninclude_dir /e\n',
    '/d/B.conf': 'max_qos 9\n',
  };
  const read: string[] = [];
  const files: MosquittoFiles = {
    listFolder: () => folder,
    readFile: (path) => {
      read.push(path);
      return sources[path] ?? '';
    },
  };
  const text = 'listener 3\ninclude_dir /d\nmax_connections 9\n';
  const { listeners, notes } = translate(text, files);
  assert.deepEqual(read, ['/d/01.conf', '/d/A.conf', '/d/a.conf', '/d/B.conf', '/d/b.conf']);
  assert.deepEqual(listeners, [
    { port: '1883', 'max-connections': '7' },
    { port: '3', 'max-connections': '9' },
    { port: '1' },
    { port: '2', 'max-connections': '8' },
  ]);
  assert.match(notes.join(), /^unnecessary 3 include_dir: ,unsupported 1 max_qos: /);
});

test('a folder or file of include_dir that is unreadable is an error with file and line', () => {
  const fail = (): never => {
    throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
  };
  const expected = { problems: ['m.conf:2: include_dir: /d: this user may not read it'] };
  assert.throws(() => translate('\ninclude_dir /d\n', { ...noFiles, listFolder: fail }), expected);
});

test('a line is not lost because of a character that some programs take for a line end', () => {
  for (const character of ['\u2028', '\u0085', '\r']) {
    const text = `max_connections 7\npassword_file /etc/users${character}x\n`;
    const names = readDirectives('m.conf', text, noFiles).map(({ name, value }) => [name, value]);
    assert.deepEqual(names[1], ['password_file', `/etc/users${character}x`]);
  }
});
