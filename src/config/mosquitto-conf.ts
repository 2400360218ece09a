// Translates a mosquitto.conf into settings of ours, line by line. What has no counterpart is listed
// with its line, never dropped in silence. Source: mosquitto.conf(5) of mosquitto 2.0.

import { optionTable } from './config.ts';
import { listenerTable } from './listeners.ts';
import type { AnyOption } from './option.ts';

/** Values by the name of an option or of a listener's key, as the user would write them. */
export type Settings = ReadonlyMap<string, string>;

export interface Translation {
  readonly settings: Settings;
  /** Those that the settings alone don't tell, each a [[listener]]. */
  readonly listeners: readonly Settings[];
  /** `file:line: ...` for each thing that is not in these, or that wants a look. */
  readonly remarks: readonly string[];
}

interface Rule {
  /** The option's name; a rule counts only where there is such an option. */
  readonly flag: string;
  /** @returns undefined where the value needs no saying in ours */
  readonly convert?: (value: string) => string | undefined;
}

/** Days in mosquitto's units for expiries. */
const EXPIRY_DAYS: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30, y: 365 };

/** From the least important; a log_type stands for all that are more important, too. */
const LOG_LEVELS: readonly [level: string, types: readonly string[]][] = [
  ['debug', ['debug', 'all', 'subscribe', 'unsubscribe', 'websockets']],
  ['info', ['information', 'notice']],
  ['warn', ['warning']],
  ['error', ['error', 'none']],
];

/** Of the node or, with per_listener_settings, of the listener above them. */
const ACCESS_RULES: Readonly<Record<string, Rule>> = {
  allow_anonymous: { flag: 'anonymous' },
  password_file: { flag: 'auth' },
  acl_file: { flag: 'acl' },
};

const GLOBAL_RULES: Readonly<Record<string, Rule>> = {
  ...ACCESS_RULES,
  persistence_location: { flag: 'data' },
  allow_zero_length_clientid: { flag: 'allow-zero-length-clientid' },
  max_inflight_messages: {
    flag: 'max-inflight-messages',
    // Without a limit in mosquitto: as many as the protocol can count.
    convert: (value) => (value === '0' ? '65535' : value),
  },
  max_keepalive: { flag: 'max-keepalive' },
  max_packet_size: { flag: 'max-packet-size', convert: unlessZero },
  max_qos: { flag: 'max-qos' },
  max_queued_bytes: { flag: 'max-queued-bytes' },
  max_queued_messages: { flag: 'max-queued-messages' },
  max_topic_alias: { flag: 'max-topic-alias' },
  message_size_limit: { flag: 'max-packet-size', convert: unlessZero },
  persistent_client_expiration: { flag: 'max-session-expiry', convert: convertExpiry },
  retain_available: { flag: 'retain-available' },
  sys_interval: { flag: 'sys-interval' },
  upgrade_outgoing_qos: { flag: 'upgrade-outgoing-qos' },
};

/** Of the listener above them, or of the default one where there is none above. */
const LISTENER_RULES: Readonly<Record<string, Rule>> = {
  port: { flag: 'port' },
  max_connections: { flag: 'max-connections', convert: (value) => (value === '-1' ? '0' : value) },
  protocol: { flag: 'protocol', convert: (value) => (value === 'websockets' ? 'ws' : undefined) },
  cafile: { flag: 'ca' },
  certfile: { flag: 'cert' },
  keyfile: { flag: 'key' },
  crlfile: { flag: 'crl' },
  tls_version: { flag: 'tls-version' },
  require_certificate: {
    flag: 'require-certificate',
    convert: (value) => (value === 'true' ? 'required' : undefined),
  },
  use_identity_as_username: { flag: 'use-identity-as-username' },
  websockets_origin: { flag: 'ws-origin' },
};

/** There of one listener, here of the node. */
const WIDENED = ['allow_zero_length_clientid', 'max_qos', 'max_topic_alias'];

/** Said in place of "no counterpart", where there is more to say. */
const ADVICE: Readonly<Record<string, string>> = {
  connection: 'no bridges: nodes with the same -csk and -mbs exchange messages by themselves',
  include_dir: 'convert the files in it one by one',
  user: 'start it as the user that it should run as',
  log_dest: 'the log goes to standard output',
  pid_file: 'left to the service manager',
};

const rowsOf = (table: object): ReadonlyMap<string, AnyOption> =>
  new Map(Object.values(table).map((row: AnyOption) => [row.flag, row]));
const globalRows = rowsOf(optionTable);
const listenerRows = rowsOf(listenerTable);

/** @param path begins each remark */
export function translateMosquittoConf(path: string, text: string): Translation {
  const reader = new Reader(path);
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const match = /^\s*([a-z_]+)\s+(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const [, directive = '', value = ''] = match;
    reader.read(`${path}:${index + 1}: ${directive}`, directive, value);
  }
  return reader.finish();
}

class Reader {
  readonly remarks: string[] = [];
  readonly #settings = new Map<string, string>();
  readonly #default = new Map<string, string>();
  readonly #listeners: Map<string, string>[] = [];
  /** The one that a line about listeners is of; undefined: the default one. */
  #current: Map<string, string> | undefined;
  readonly #logTypes: string[] = [];
  readonly #path: string;
  #logPlace = '';
  #dataPlace = '';
  /** Of lines that hold for more than they did. */
  readonly #widened: string[] = [];
  #isPersistent = false;
  #isPerListener = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** @param place begins what is to be told of this line */
  read(place: string, directive: string, value: string): void {
    if (directive === 'log_type') this.#logPlace = place;
    if (directive === 'persistence_location') this.#dataPlace = place;
    if (directive === 'persistence') this.#dataPlace ||= place;
    if (this.#current !== undefined && WIDENED.includes(directive)) this.#widened.push(place);
    const remark = this.#take(directive, value);
    if (remark !== undefined) this.remarks.push(`${place}: ${remark}`);
  }

  /** @returns what to tell the user, if anything */
  #take(directive: string, value: string): string | undefined {
    switch (directive) {
      case 'listener':
        return this.#beginListener(value);
      case 'persistence':
        this.#isPersistent = value === 'true';
        return undefined;
      case 'per_listener_settings':
        this.#isPerListener = value === 'true';
        return undefined;
      case 'log_type':
        this.#logTypes.push(value);
        return undefined;
    }
    const current = this.#current;
    if (directive === 'bind_address') return bind(current ?? this.#default, value);
    const listenerRule =
      LISTENER_RULES[directive] ?? (this.#isPerListener ? ACCESS_RULES[directive] : undefined);
    if (listenerRule !== undefined) {
      return put(current ?? this.#default, listenerRule, listenerRows, value);
    }
    const rule = GLOBAL_RULES[directive];
    if (rule === undefined) return ADVICE[directive] ?? 'no counterpart';
    return put(this.#settings, rule, globalRows, value);
  }

  #beginListener(value: string): string | undefined {
    const [port = '', address] = value.split(/\s+/);
    if (port === '0') {
      // What is said of it goes with it.
      this.#current = new Map();
      return 'a Unix socket, left out: there are none here';
    }
    const listener = new Map<string, string>();
    this.#listeners.push(listener);
    this.#current = listener;
    const remark = put(listener, { flag: 'port' }, listenerRows, port);
    if (remark !== undefined || address === undefined) return remark;
    return bind(listener, address);
  }

  finish(): Translation {
    const { remarks } = this;
    const settings = this.#settings;
    this.#finishStorage();
    this.#finishLog();
    const isAsked = this.#default.has('port') || this.#listeners.length > 0;
    if (isAsked && !settings.has('auth') && !settings.has('anonymous')) {
      // There, whoever opens a listener has to say who may come in.
      put(settings, { flag: 'anonymous' }, globalRows, 'false');
    }
    // Whatever is said of the default listener opens it there, to everybody.
    if (this.#default.size === 0 && this.#listeners.length === 0) {
      this.#default.set('bind', '127.0.0.1');
      remarks.push(
        `${this.#path}: no listener: mosquitto serves only this machine then, so this node is bound to 127.0.0.1; take bind out to let others in, and to join a cluster`,
      );
    }
    const listeners = [...this.#listeners];
    const isDefaultOpen = [...this.#default.keys()].some((key) => !isOfTableOnly(key));
    if (isDefaultOpen || (listeners.length === 0 && this.#default.size > 0)) {
      listeners.unshift(new Map([['port', '1883'], ...this.#default]));
    }
    for (const listener of listeners) setProtocol(listener);
    if (listeners.length > 1) {
      remarks.push(...this.#widened.map((place) => `${place}: holds for all listeners here`));
    }
    const [only] = listeners;
    if (listeners.length !== 1 || only === undefined || [...only.keys()].some(isOfTableOnly)) {
      return { settings, listeners, remarks };
    }
    return { settings: new Map([...only, ...settings, ...only]), listeners: [], remarks };
  }

  #finishStorage(): void {
    const settings = this.#settings;
    if (!this.#isPersistent) {
      settings.delete('data');
      return;
    }
    this.remarks.push(
      settings.has('data')
        ? `${this.#dataPlace}: this is mosquitto's own folder, and what is in it is not taken over; name another in data = "..."`
        : `${this.#dataPlace}: name the folder for it with data = "..."`,
    );
  }

  #finishLog(): void {
    if (this.#logTypes.length === 0) return;
    const level = LOG_LEVELS.find(([, types]) =>
      types.some((type) => this.#logTypes.includes(type)),
    );
    if (level === undefined) return;
    this.#settings.set('log-level', level[0]);
    if (level[0] === 'debug') {
      this.remarks.push(
        `${this.#logPlace}: log-level = "debug" writes two lines for each connection; "info" is what most want`,
      );
    }
  }
}

/** @returns what to tell the user, if anything */
function put(
  target: Map<string, string>,
  { flag, convert }: Rule,
  rows: ReadonlyMap<string, AnyOption>,
  value: string,
): string | undefined {
  const row = rows.get(flag);
  if (row === undefined) return 'no counterpart';
  const converted = convert === undefined ? value : convert(value);
  if (converted === undefined) return undefined;
  if (row.type.parse(converted) === undefined) {
    return `'${value}' can't be taken over: expected ${row.type.expected}`;
  }
  target.set(flag, converted);
  return undefined;
}

/** An address that can't be used opens nothing to everybody. */
function bind(listener: Map<string, string>, address: string): string | undefined {
  const rule = { flag: 'bind', convert: convertAddress };
  const remark = put(listener, rule, listenerRows, address);
  if (remark === undefined) return undefined;
  listener.set('bind', '127.0.0.1');
  return `${remark}; bound to 127.0.0.1 until you say which`;
}

/** There a certificate makes it TLS; here the protocol says so. */
function setProtocol(listener: Map<string, string>): void {
  if (!listener.has('cert')) return;
  listener.set('protocol', listener.get('protocol') === 'ws' ? 'wss' : 'tls');
}

/** The others open mosquitto's default listener, and are options of the same names where it is alone. */
function isOfTableOnly(key: string): boolean {
  return !['port', 'bind', 'max-connections', 'auth', 'acl', 'anonymous'].includes(key);
}

function convertAddress(value: string): string {
  return value === 'localhost' ? '127.0.0.1' : value;
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
