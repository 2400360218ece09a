// The directives of mosquitto.conf that have no option here: how much each matters, and what to do
// instead. Sources: mosquitto.conf(5) of mosquitto 2.0 and 2.1.

/** From what matters most to what matters least. */
export type Severity = 'unsupported' | 'unknown' | 'different' | 'unnecessary';

/** `directive directive: advice` */
const TABLE: Readonly<Record<Exclude<Severity, 'unknown'>, string>> = {
  unsupported: `\
accept_protocol_versions: Shoal accepts all versions
auth_plugin global_plugin plugin plugin_load: Shoal has no plugins; auth-http can ask a server of yours
bind_interface: bound to 127.0.0.1 until you set the interface's address in bind
capath: join the authorities into one file, for ca
ciphers ciphers_tls1.3: Shoal uses the default ciphers of OpenSSL
disable_client_cert_date_checks: Shoal refuses expired client certificates
enable_control_api: Shoal has no $CONTROL topics
http_dir: Shoal serves no files
max_inflight_bytes: only max-inflight-messages limits what is in flight
mount_point: Shoal adds no prefix to topics; bound to 127.0.0.1 until you decide
proxy_protocol_v2_require_tls: Shoal does not check this; bound to 127.0.0.1 until you decide
psk_file: Shoal has no TLS-PSK
psk_hint: Shoal has no TLS-PSK; bound to 127.0.0.1 until you decide
queue_qos0_messages: Shoal queues no QoS 0 messages for an absent client
tls_engine tls_engine_kpass_sha1 tls_keyform: Shoal reads keys from PEM files only`,
  different: `\
auto_id_prefix listener_auto_id_prefix: assigned client identifiers begin with auto-
connection_messages: log-level = "warn" omits them
log_dest log_facility: the log goes to standard output
log_timestamp_format: log-time is "local" or "iso"
pid_file user: the service manager does this`,
  unnecessary: `\
allow_duplicate_messages auth_plugin_deny_special_chars autosave_interval autosave_on_changes include_dir: \

dhparamfile log_timestamp max_log_entries max_topic_alias_broker packet_buffer_size: \

persistence_file persistence_location retain_expiry_interval retry_interval set_tcp_nodelay: \

store_clean_interval websockets_headers_size websockets_log_level: `,
};

interface Unsupported {
  readonly severity: Severity;
  readonly advice: string;
}

const byDirective = new Map<string, Unsupported>();
for (const severity of ['unsupported', 'different', 'unnecessary'] as const) {
  for (const line of TABLE[severity].split('\n')) {
    const [, names = '', advice = ''] = /^(.*?): (.*)/.exec(line) ?? [];
    for (const name of names.split(' ')) byDirective.set(name, { severity, advice });
  }
}

/** The directives of a bridge, which follow its `connection`. */
export const BRIDGE_DIRECTIVES =
  /^(bridge_|local_|remote_|notification|address|cleansession$|clientid$|idle_t|keepalive_|password$|restart_t|round_|start_|threshold|topic$|try_p|username$)/;

/** Directives that restrict a listener in a way that Shoal can't: it must not be open to everyone. */
export const RESTRICTING_DIRECTIVES: readonly string[] = [
  'bind_interface',
  'mount_point',
  'proxy_protocol_v2_require_tls',
  'psk_hint',
];

export const unsupportedDirectives: readonly string[] = [...byDirective.keys()];

/**
 * @param isOn the value, if it is a truth value
 * @returns undefined if mosquitto has no such directive
 */
export function findUnsupported(
  directive: string,
  isOn: boolean | undefined,
): Unsupported | undefined {
  const found = byDirective.get(directive);
  // With this value mosquitto behaves as Shoal does.
  const isSame = isOn === (directive === 'connection_messages');
  return found !== undefined && isSame ? { severity: 'unnecessary', advice: '' } : found;
}
