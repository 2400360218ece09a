// What becomes of the directives of mosquitto.conf that no option of ours stands for, and how much
// that matters. Source: mosquitto.conf(5) of mosquitto 2.0 and 2.1.

/** From what matters most to what matters least. */
export type Fate = 'lost' | 'unknown' | 'otherwise' | 'needless';

const NO_PLUGINS = 'no plugins; auth-http asks a server of yours';
const NO_PSK = 'no TLS-PSK: certificates, or passwords inside TLS';
const NO_ENGINES = 'keys are files in PEM form';
const OWN_CIPHERS = "OpenSSL's own choice of ciphers";
const SERVICE = 'left to the service manager';
const OUTPUT = 'the log goes to standard output';

const LOST: Readonly<Record<string, string>> = {
  accept_protocol_versions: 'MQTT 3.1, 3.1.1 and 5.0 are all accepted',
  auth_plugin: NO_PLUGINS,
  bind_interface: 'bound to 127.0.0.1 until you name its address in bind',
  capath: 'put the authorities into one file, for ca',
  check_retain_source: 'what a client retained stays when it may publish that no more',
  ciphers: OWN_CIPHERS,
  'ciphers_tls1.3': OWN_CIPHERS,
  clientid_prefixes: 'any client identifier is let in',
  global_plugin: NO_PLUGINS,
  http_dir: 'no files are served',
  include_dir: 'nothing in it was read: convert the files in it one by one',
  max_inflight_bytes: 'only max-inflight-messages',
  mount_point: 'a topic is the same at every listener',
  plugin: NO_PLUGINS,
  psk_file: NO_PSK,
  psk_hint: `${NO_PSK}; bound to 127.0.0.1 until you decide`,
  queue_qos0_messages: 'messages of QoS 0 never wait for an absent client',
  retain_expiry_interval: 'retained messages stay until they are replaced',
  tls_engine: NO_ENGINES,
  tls_engine_kpass_sha1: NO_ENGINES,
  tls_keyform: NO_ENGINES,
  use_subject_as_username: 'only the Common Name can be it: use-identity-as-username',
  use_username_as_clientid: 'a client chooses its identifier freely',
};

const OTHERWISE: Readonly<Record<string, string>> = {
  auto_id_prefix: 'always auto-',
  connection_messages: 'log-level = "warn" leaves them out',
  global_max_clients: 'max-sessions',
  global_max_connections: 'max-connections',
  log_dest: OUTPUT,
  log_facility: OUTPUT,
  log_timestamp_format: 'log-time is "local" or "iso"',
  memory_limit: 'queue-memory for what waits, retained-bytes for what is retained',
  pid_file: SERVICE,
  socket_domain: 'bind = "0.0.0.0" for IPv4 alone',
  user: SERVICE,
};

const NEEDLESS =
  'allow_duplicate_messages autosave_interval autosave_on_changes dhparamfile log_timestamp max_log_entries persistence_file retry_interval set_tcp_nodelay store_clean_interval websockets_headers_size websockets_log_level'.split(
    ' ',
  );

/** They stand for their plugin, or for their bridge, which is told once. */
export const isOfPlugin = (directive: string): boolean =>
  /^(plugin|auth)_(opt_|plugin_deny)/.test(directive);
export const isOfBridge = (directive: string): boolean =>
  /^(bridge_|local_|remote_|notification)|^(address(es)?|cleansession|clientid|idle_timeout|keepalive_interval|password|restart_timeout|round_robin|start_type|threshold|topic|try_private|username)$/.test(
    directive,
  );

/** Without those that only belong to another one. */
export const fatedDirectives = [...Object.keys(LOST), ...Object.keys(OTHERWISE), ...NEEDLESS];

/** @returns undefined for what mosquitto doesn't know */
export function fateOf(directive: string, isOn: boolean | undefined): [Fate, string] | undefined {
  const lost = LOST[directive];
  const otherwise = OTHERWISE[directive];
  const isAsHere = isOn === (directive === 'connection_messages');
  if (NEEDLESS.includes(directive) || (isAsHere && (lost ?? otherwise))) return ['needless', ''];
  if (lost !== undefined) return ['lost', lost];
  return otherwise === undefined ? undefined : ['otherwise', otherwise];
}
