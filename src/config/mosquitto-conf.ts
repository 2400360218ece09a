// Translates a mosquitto.conf into settings of ours, line by line. What has no counterpart is listed
// with its line, never dropped in silence. Source: mosquitto.conf(5) of mosquitto 2.0.

import { optionTable } from './config.ts';
import type { AnyOption } from './option.ts';

export interface Translation {
  /** Values by option name, as the user would write them. */
  readonly settings: ReadonlyMap<string, string>;
  /** One line for the user about each directive that is not in `settings`. */
  readonly remarks: readonly string[];
}

interface Rule {
  /** The option's name; a rule counts only where there is such an option. */
  readonly flag: string;
  /** @returns undefined where the value can't be said in ours */
  readonly convert?: (value: string) => string | undefined;
}

/** Days in mosquitto's units for expiries. */
const EXPIRY_DAYS: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30, y: 365 };

const RULES: Readonly<Record<string, Rule>> = {
  port: { flag: 'port' },
  bind_address: { flag: 'bind' },
  allow_anonymous: { flag: 'anonymous' },
  password_file: { flag: 'auth' },
  acl_file: { flag: 'acl' },
  persistence_location: { flag: 'data' },
  allow_zero_length_clientid: { flag: 'allow-zero-length-clientid' },
  max_connections: { flag: 'max-connections', convert: (value) => (value === '-1' ? '0' : value) },
  max_inflight_messages: {
    flag: 'max-inflight-messages',
    // Without a limit in mosquitto: as many as the protocol can count.
    convert: (value) => (value === '0' ? '65535' : value),
  },
  max_keepalive: { flag: 'max-keepalive' },
  max_packet_size: { flag: 'max-packet-size', convert: (value) => unlessZero(value) },
  max_qos: { flag: 'max-qos' },
  max_queued_bytes: { flag: 'max-queued-bytes' },
  max_queued_messages: { flag: 'max-queued-messages' },
  max_topic_alias: { flag: 'max-topic-alias' },
  message_size_limit: { flag: 'max-packet-size', convert: (value) => unlessZero(value) },
  persistent_client_expiration: { flag: 'max-session-expiry', convert: convertExpiry },
  retain_available: { flag: 'retain-available' },
  sys_interval: { flag: 'sys-interval' },
  upgrade_outgoing_qos: { flag: 'upgrade-outgoing-qos' },
};

/** Said in place of "no counterpart", where there is more to say. */
const ADVICE: Readonly<Record<string, string>> = {
  connection: 'no bridges: nodes with the same -csk and -mbs exchange messages by themselves',
  persistence: 'sessions are kept on disk where -data names a folder',
  user: 'start it as the user that it should run as',
  log_dest: 'the log goes to standard output',
  pid_file: 'left to the service manager',
};

const rows: ReadonlyMap<string, AnyOption> = new Map(
  Object.values(optionTable).map((row: AnyOption) => [row.flag, row]),
);

export function translateMosquittoConf(text: string): Translation {
  const settings = new Map<string, string>();
  const remarks: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const match = /^\s*([a-z_]+)\s+(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const [, directive = '', value = ''] = match;
    const remark = translate(directive, value, settings);
    if (remark !== undefined) remarks.push(`line ${index + 1}: ${directive}: ${remark}`);
  }
  return { settings, remarks };
}

function translate(
  directive: string,
  value: string,
  settings: Map<string, string>,
): string | undefined {
  if (directive === 'listener') return translateListener(value, settings);
  const rule = RULES[directive];
  const row = rule === undefined ? undefined : rows.get(rule.flag);
  if (rule === undefined || row === undefined) return ADVICE[directive] ?? 'no counterpart';
  const converted = rule.convert === undefined ? value : rule.convert(value);
  if (converted === undefined) return undefined;
  if (row.type.parse(converted) === undefined) {
    return `'${value}' can't be taken over: expected ${row.type.expected}`;
  }
  settings.set(rule.flag, converted);
  return undefined;
}

function translateListener(value: string, settings: Map<string, string>): string | undefined {
  const [port = '', address] = value.split(/\s+/);
  if (settings.has('port')) return `a second listener, on port ${port}, is not taken over`;
  const portRemark = translate('port', port, settings);
  if (portRemark !== undefined || address === undefined) return portRemark;
  return translate('bind_address', address === 'localhost' ? '127.0.0.1' : address, settings);
}

/** 0 is "no limit" there; here there always is one, and it stays the default. */
function unlessZero(value: string): string | undefined {
  return value === '0' ? undefined : value;
}

function convertExpiry(value: string): string {
  const match = /^(\d+)([hdwmy])$/.exec(value);
  if (match === null) return value;
  const [, count = '', unit = ''] = match;
  const days = EXPIRY_DAYS[unit];
  return days === undefined ? value : `${Number(count) * days}d`;
}
