// What becomes of the directives of mosquitto.conf that no option of ours stands for, and how much
// that matters. Source: mosquitto.conf(5) of mosquitto 2.0 and 2.1.

/** From what matters most to what matters least. */
export type Fate = 'lost' | 'unknown' | 'otherwise' | 'needless';

/** Directives, and what to say of them. */
const FATES: Readonly<Record<'lost' | 'otherwise' | 'needless', string>> = {
  lost: `\
accept_protocol_versions: all are accepted
auth_plugin global_plugin plugin: no plugins; auth-http asks a server of yours
bind_interface: bound to 127.0.0.1 until you name its address in bind
capath: put the authorities into one file, for ca
check_retain_source: what was retained stays when its publisher's right goes
ciphers ciphers_tls1.3: OpenSSL's own choice
clientid_prefixes: any client identifier comes in
http_dir: no files are served
include_dir: nothing in it was read: convert its files one by one
max_inflight_bytes: max-inflight-messages alone
mount_point: topics are the same at every listener
psk_file: no TLS-PSK
psk_hint: no TLS-PSK; bound to 127.0.0.1 until you decide
queue_qos0_messages: QoS 0 never waits for an absent client
retain_expiry_interval: retained messages stay until replaced
tls_engine tls_engine_kpass_sha1 tls_keyform: keys are PEM files
use_subject_as_username: use-identity-as-username takes the Common Name
use_username_as_clientid: clients choose their identifiers`,
  otherwise: `\
auto_id_prefix: always auto-
connection_messages: log-level = "warn" leaves them out
global_max_clients: max-sessions
global_max_connections: max-connections
log_dest log_facility: the log goes to standard output
log_timestamp_format: log-time is "local" or "iso"
memory_limit: queue-memory for what waits, retained-bytes for what is retained
pid_file user: left to the service manager
socket_domain: bind = "0.0.0.0" for IPv4 alone`,
  needless:
    'allow_duplicate_messages autosave_interval autosave_on_changes dhparamfile log_timestamp max_log_entries persistence_file retry_interval set_tcp_nodelay store_clean_interval websockets_headers_size websockets_log_level: ',
};

const fates = new Map<string, readonly [fate: Fate, text: string]>();
for (const fate of ['lost', 'otherwise', 'needless'] as const) {
  for (const line of FATES[fate].split('\n')) {
    const [, names = '', text = ''] = /^(.*?): (.*)/.exec(line) ?? [];
    for (const name of names.split(' ')) fates.set(name, [fate, text]);
  }
}

/** They stand for their plugin, which is told once. */
export const PLUGIN_DIRECTIVES = /^(plugin|auth)_(opt_|plugin_deny)/;
/** Those below a `connection`. */
export const BRIDGE_DIRECTIVES =
  /^(bridge_|local_|remote_|notification|address|cleansession$|clientid$|idle_t|keepalive_|password$|restart_t|round_|start_|threshold|topic$|try_p|username$)/;

/** Without those that only belong to another one. */
export const fatedDirectives: readonly string[] = [...fates.keys()];

/** @returns undefined for what mosquitto doesn't know */
export function fateOf(
  directive: string,
  isOn: boolean | undefined,
): readonly [fate: Fate, text: string] | undefined {
  const found = fates.get(directive);
  // What is said with this value holds here by itself.
  const isAsHere = isOn === (directive === 'connection_messages');
  return found !== undefined && isAsHere ? ['needless', ''] : found;
}
