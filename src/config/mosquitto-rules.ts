// The directives of mosquitto.conf that have options here, and how their values translate. Must not
// know which listener a directive applies to. Source: mosquitto.conf(5) of mosquitto 2.0 and 2.1.

import type { ListenerProtocol } from '../shared/listener-config.ts';
import { MQTT_PACKET_BYTES_MAX } from './options-mqtt.ts';
import { onOff } from './value-types.ts';

/** Values by option name, as a user would write them; empty where Shoal's default says the same. */
export type Options = Readonly<Record<string, string>>;
export type Rule = (value: string) => Options;

/** The most that topic, properties and header add to the payload of a common PUBLISH. */
const PUBLISH_HEADER_BYTES = 131_072;

/** Days in each unit of persistent_client_expiration that Shoal doesn't have. */
const EXPIRY_DAYS: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30, y: 365 };

const SAME_NAMES =
  'allow_zero_length_clientid check_retain_source clientid_prefixes max_keepalive max_qos max_queued_bytes max_queued_messages max_topic_alias retain_available sys_interval upgrade_outgoing_qos use_username_as_clientid';

/** Directives of the node or, with per_listener_settings, of the listener above them. */
export const ACCESS_RULES: Readonly<Record<string, Rule>> = {
  allow_anonymous: as('anonymous'),
  password_file: as('auth'),
  acl_file: as('acl'),
};

export const NODE_RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(SAME_NAMES.split(' ').map((name) => [name, as(name.replaceAll('_', '-'))])),
  ...ACCESS_RULES,
  global_max_clients: (value) => ({ 'max-sessions': noLimit(value) }),
  global_max_connections: (value) => ({ 'max-connections': noLimit(value) }),
  max_inflight_messages: (value) => {
    // mosquitto announces the same number to MQTT 5 clients, as its Receive Maximum.
    const count = value === '0' ? '65535' : value;
    return { 'max-inflight-messages': count, 'receive-maximum': count };
  },
  max_packet_size: (value) => (value === '0' ? {} : { 'max-packet-size': value }),
  maximum_qos: as('max-qos'),
  memory_limit: (value) => (value === '0' ? {} : { 'memory-limit': value }),
  message_size_limit: as('message-size-limit'),
  persistent_client_expiration: (value) => ({ 'max-session-expiry': expiry(value) }),
};

/** Directives of the listener above them, or of the default listener if there is none above. */
export const LISTENER_RULES: Readonly<Record<string, Rule>> = {
  port: as('port'),
  max_connections: (value) => ({ 'max-connections': noLimit(value) }),
  cafile: as('ca'),
  certfile: as('cert'),
  keyfile: as('key'),
  crlfile: as('crl'),
  enable_proxy_protocol: (value) =>
    value === '1' || value === '2' ? { 'proxy-protocol': 'true' } : { 'proxy-protocol': value },
  listener_allow_anonymous: as('anonymous'),
  tls_version: as('tls-version'),
  require_certificate: (value) => {
    const isOn = onOff.parse(value);
    if (isOn === undefined) return { 'require-certificate': value };
    return isOn ? { 'require-certificate': 'required' } : {};
  },
  use_identity_as_username: as('use-identity-as-username'),
  use_subject_as_username: (value): Options =>
    onOff.parse(value) === false ? {} : { 'use-identity-as-username': value },
  websockets_origin: as('ws-origin'),
};

/** Directives of one listener in mosquitto whose options here apply to all listeners. */
export const NODE_WIDE_HERE: readonly string[] = [
  'allow_zero_length_clientid',
  'max_qos',
  'max_topic_alias',
  'use_username_as_clientid',
];

/** The advice on a directive that translates, but not exactly. */
export const INEXACT: Readonly<Record<string, string>> = {
  memory_limit:
    'mosquitto limits its whole heap; here what clients make the node keep, which is most of it',
  use_subject_as_username:
    'the user name is the Common Name, not the whole subject; check the users in the ACL',
};

/** From the least important; mosquitto's log_type includes all more important types. */
export const LOG_LEVELS: readonly [level: string, types: readonly string[]][] = [
  ['debug', ['debug', 'all', 'subscribe', 'unsubscribe', 'websockets', 'internal']],
  ['info', ['information', 'notice']],
  ['warn', ['warning']],
  ['error', ['error', 'none']],
];

/** Options whose values are files; a relative path counts from another folder here. */
export const FILE_OPTIONS: readonly string[] = ['auth', 'acl', 'ca', 'cert', 'key', 'crl'];

/** The max-packet-size that payloads within message_size_limit need. */
export function packetBytesFor(messageSizeLimit: number): number {
  return Math.min(MQTT_PACKET_BYTES_MAX, messageSizeLimit + PUBLISH_HEADER_BYTES);
}

/** The protocol of a listener; undefined if Shoal doesn't speak it. */
export function protocolOf(value: string): ListenerProtocol | undefined {
  if (value === 'mqtt') return 'tcp';
  return value === 'websockets' ? 'ws' : undefined;
}

function as(option: string): Rule {
  return (value) => ({ [option]: value });
}

/** In mosquitto a negative number is no limit; here 0 is. */
function noLimit(value: string): string {
  return value.startsWith('-') ? '0' : value;
}

function expiry(value: string): string {
  const [, count = '', unit = ''] = /^(\d+)([hdwmy])$/.exec(value) ?? [];
  const days = EXPIRY_DAYS[unit];
  return days === undefined ? value : `${Number(count) * days}d`;
}
