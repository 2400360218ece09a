// Translates a mosquitto.conf into settings of ours, line by line. What is not taken over as it stands
// is told with its line, never dropped in silence. Source: mosquitto.conf(5) of mosquitto 2.0.

import type { ListenerProtocol } from '../shared/listener-config.ts';
import { optionTable } from './config.ts';
import { isKeyOf, listenerTable, type TableKey } from './listeners.ts';
import {
  BRIDGE_DIRECTIVES,
  type Fate,
  fatedDirectives,
  fateOf,
  PLUGIN_DIRECTIVES,
} from './mosquitto-unsupported.ts';
import type { AnyOption } from './option.ts';
import { nearest } from './suggest.ts';
import { onOff } from './value-types.ts';

/** Values by the name of an option or of a listener's key, as the user would write them. */
export type Settings = ReadonlyMap<string, string>;

export interface Translation {
  readonly settings: Settings;
  /** Those that the settings alone don't tell, each a [[listener]]. */
  readonly listeners: readonly Settings[];
  /** For each thing that is not in these, or that wants a look; in the order of lines. */
  readonly notes: readonly Note[];
  /** Sessions are to outlive the process, in a folder that is still to be named. */
  readonly wantsData: boolean;
}

export interface Note {
  readonly fate: Fate;
  /** 0: the whole file. */
  readonly line: number;
  readonly directive: string;
  readonly text: string;
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

const SAME_NAMES =
  'allow_zero_length_clientid max_keepalive max_qos max_queued_bytes max_queued_messages max_topic_alias retain_available sys_interval upgrade_outgoing_qos';

const GLOBAL_RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    SAME_NAMES.split(' ').map((name) => [name, { flag: name.replaceAll('_', '-') }]),
  ),
  ...ACCESS_RULES,
  max_inflight_messages: {
    flag: 'max-inflight-messages',
    // Without a limit in mosquitto: as many as the protocol can count.
    convert: (value) => (value === '0' ? '65535' : value),
  },
  max_packet_size: { flag: 'max-packet-size', convert: unlessZero },
  maximum_qos: { flag: 'max-qos' },
  message_size_limit: { flag: 'max-packet-size', convert: unlessZero },
  persistent_client_expiration: { flag: 'max-session-expiry', convert: convertExpiry },
};

/** Of the listener above them, or of the default one where there is none above. */
const LISTENER_RULES: Readonly<Record<string, Rule>> = {
  port: { flag: 'port' },
  max_connections: { flag: 'max-connections', convert: (value) => (value === '-1' ? '0' : value) },
  protocol: { flag: 'protocol', convert: convertProtocol },
  cafile: { flag: 'ca' },
  certfile: { flag: 'cert' },
  keyfile: { flag: 'key' },
  crlfile: { flag: 'crl' },
  tls_version: { flag: 'tls-version' },
  require_certificate: {
    flag: 'require-certificate',
    convert: (value) => {
      const isOn = onOff.parse(value);
      if (isOn === undefined) return value;
      return isOn ? 'required' : undefined;
    },
  },
  use_identity_as_username: { flag: 'use-identity-as-username' },
  websockets_origin: { flag: 'ws-origin' },
};

/** There of one listener, here of the node. */
const WIDENED = ['allow_zero_length_clientid', 'max_qos', 'max_topic_alias'];

const rowsOf = (table: object): ReadonlyMap<string, AnyOption> =>
  new Map(Object.values(table).map((row: AnyOption) => [row.flag, row]));
const tableKeys = Object.keys(listenerTable) as TableKey[];
const globalRows = rowsOf(optionTable);
const listenerRows = rowsOf(listenerTable);

const knownDirectives = [
  ...Object.keys(GLOBAL_RULES),
  ...Object.keys(LISTENER_RULES),
  ...fatedDirectives,
];

export function translateMosquittoConf(text: string): Translation {
  const reader = new Reader();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [, directive = '', value = ''] = /^\s*([^\s#]\S*)\s*(.*?)\s*$/.exec(line) ?? [];
    if (directive !== '') reader.read(index + 1, directive, value);
  }
  return reader.finish();
}

interface ListenerLine {
  readonly listener: Map<string, string>;
  readonly flag: string;
  readonly line: number;
  readonly directive: string;
}

class Reader {
  readonly #notes: Note[] = [];
  readonly #settings = new Map<string, string>();
  readonly #default = new Map<string, string>();
  readonly #listeners: Map<string, string>[] = [];
  /** The one that a line about listeners is of; undefined: the default one. */
  #current: Map<string, string> | undefined;
  readonly #logTypes: string[] = [];
  /** The line that is being read. */
  #line = 0;
  #directive = '';
  #logLine = 0;
  #dataAt: readonly [line: number, directive: string] = [0, ''];
  #bridge: { readonly line: number; readonly name: string; address: string } | undefined;
  readonly #listenerLines: ListenerLine[] = [];
  /** Of lines that hold for more than they did. */
  readonly #widened: Note[] = [];
  #isPersistent = false;
  #isPerListener = false;

  read(line: number, directive: string, value: string): void {
    this.#line = line;
    this.#directive = directive;
    if (this.#current !== undefined && WIDENED.includes(directive)) {
      const text = 'holds for all listeners here';
      this.#widened.push({ fate: 'otherwise', line, directive, text });
    }
    const lost = this.#take(directive, value);
    if (lost !== undefined) this.#note('lost', lost);
  }

  #note(fate: Fate, text: string, line = this.#line, directive = this.#directive): void {
    this.#notes.push({ fate, line, directive, text });
  }

  /** @returns what is lost, if anything */
  #take(directive: string, value: string): string | undefined {
    if (directive === 'connection') {
      this.#finishBridge();
      this.#bridge = { line: this.#line, name: value, address: '' };
      return undefined;
    }
    if (this.#bridge !== undefined && BRIDGE_DIRECTIVES.test(directive)) {
      if (directive.startsWith('address')) this.#bridge.address = ` to ${value}`;
      return undefined;
    }
    switch (directive) {
      case 'listener':
        return this.#beginListener(value);
      case 'persistence':
      case 'retained_persistence':
        this.#isPersistent = onOff.parse(value) === true;
        if (this.#dataAt[0] === 0) this.#dataAt = [this.#line, directive];
        return undefined;
      case 'persistence_location':
        this.#dataAt = [this.#line, directive];
        return undefined;
      case 'per_listener_settings':
        this.#isPerListener = onOff.parse(value) === true;
        return undefined;
      case 'log_type':
        this.#logTypes.push(value);
        this.#logLine = this.#line;
        return undefined;
    }
    const listener = this.#current ?? this.#default;
    if (directive === 'bind_address') return bind(listener, value);
    const listenerRule =
      LISTENER_RULES[directive] ?? (this.#isPerListener ? ACCESS_RULES[directive] : undefined);
    if (listenerRule !== undefined) {
      const fault = put(listener, listenerRule, listenerRows, value);
      const { flag } = listenerRule;
      if (fault === undefined) {
        this.#listenerLines.push({ listener, flag, line: this.#line, directive });
      }
      return fault;
    }
    const rule = GLOBAL_RULES[directive];
    if (rule === undefined) return this.#leaveOut(directive, value, listener);
    return rule.flag === 'max-packet-size'
      ? this.#limit(rule, value)
      : put(this.#settings, rule, globalRows, value);
  }

  /** Of the two limits the smaller one counts. */
  #limit(rule: Rule, value: string): string | undefined {
    const { flag } = rule;
    const before = Number(this.#settings.get(flag) ?? Number.POSITIVE_INFINITY);
    const fault = put(this.#settings, rule, globalRows, value);
    if (Number(this.#settings.get(flag)) > before) this.#settings.set(flag, String(before));
    if (fault === undefined && this.#directive === 'message_size_limit' && value !== '0') {
      this.#note('otherwise', 'max-packet-size counts the whole packet, not its payload alone');
    }
    return fault;
  }

  #leaveOut(directive: string, value: string, listener: Map<string, string>): string | undefined {
    if (PLUGIN_DIRECTIVES.test(directive)) return undefined;
    // Neither opens to everybody what was not open to all.
    if (['bind_interface', 'psk_hint'].includes(directive) && !listener.has('bind')) {
      listener.set('bind', '127.0.0.1');
    }
    const fate = fateOf(directive, onOff.parse(value));
    if (fate !== undefined) this.#note(...fate);
    else {
      const near = nearest(directive, knownDirectives);
      this.#note('unknown', near === undefined ? 'not taken over' : `did you mean ${near}?`);
    }
    return undefined;
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
    const fault = put(listener, { flag: 'port' }, listenerRows, port);
    if (fault !== undefined || address === undefined) return fault;
    return bind(listener, address);
  }

  finish(): Translation {
    const settings = this.#settings;
    this.#finishBridge();
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
      this.#note(
        'otherwise',
        'as mosquitto does then, it serves this machine only; take bind out to let others in, and to join a cluster',
        0,
        'no listener',
      );
    }
    let listeners = [...this.#listeners];
    const isDefaultOpen =
      [...this.#default.keys()].some((key) => !isOfTableOnly(key)) ||
      (listeners.length === 0 && this.#default.size > 0);
    for (const listener of [this.#default, ...listeners]) setProtocol(listener);
    this.#dropIdle();
    if (isDefaultOpen) listeners.unshift(new Map([['port', '1883'], ...this.#default]));
    if (listeners.length > 1) this.#notes.push(...this.#widened);
    const [only] = listeners;
    let all: Settings = settings;
    if (listeners.length === 1 && only !== undefined && ![...only.keys()].some(isOfTableOnly)) {
      all = new Map([...only, ...settings, ...only]);
      listeners = [];
    }
    const notes = this.#notes.sort((a, b) => a.line - b.line);
    return { settings: all, listeners, notes, wantsData: this.#isPersistent };
  }

  /** What a listener of its protocol has no use for, as mosquitto's has none. */
  #dropIdle(): void {
    for (const { listener, flag, line, directive } of this.#listenerLines) {
      const key = tableKeys.find((name) => listenerTable[name].flag === flag);
      const protocol = (listener.get('protocol') ?? 'tcp') as ListenerProtocol;
      if (key === undefined || isKeyOf(key, protocol)) continue;
      listener.delete(flag);
      this.#note('needless', '', line, directive);
    }
  }

  #finishBridge(): void {
    if (this.#bridge === undefined) return;
    const { line, name, address } = this.#bridge;
    const text = `the bridge ${name}${address}: keep a mosquitto for it; nodes of a cluster need none`;
    this.#note('lost', text, line, 'connection');
  }

  #finishStorage(): void {
    if (!this.#isPersistent) return;
    this.#note(
      'otherwise',
      "what is in mosquitto's folder is not read; name another in data",
      ...this.#dataAt,
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
      const text = 'log-level = "debug" writes very much; "info" is what most want';
      this.#note('otherwise', text, this.#logLine, 'log_type');
    }
  }
}

/** @returns what is lost, if anything */
function put(
  target: Map<string, string>,
  { flag, convert }: Rule,
  rows: ReadonlyMap<string, AnyOption>,
  value: string,
): string | undefined {
  const row = rows.get(flag);
  if (row === undefined) return 'not taken over';
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
  const fault = put(listener, rule, listenerRows, address);
  if (fault === undefined) return undefined;
  listener.set('bind', '127.0.0.1');
  return `${fault}; bound to 127.0.0.1 until you say which`;
}

/** In mosquitto a certificate makes a listener TLS, and WebSocket clients may ask for any path. */
function setProtocol(listener: Map<string, string>): void {
  if (listener.get('protocol') === 'ws') listener.set('ws-path', '*');
  if (!listener.has('cert')) return;
  listener.set('protocol', listener.get('protocol') === 'ws' ? 'wss' : 'tls');
}

/** The others open mosquitto's default listener, and are options of the same names where it is alone. */
function isOfTableOnly(key: string): boolean {
  return !['port', 'bind', 'max-connections', 'auth', 'acl', 'anonymous'].includes(key);
}

function convertProtocol(value: string): string | undefined {
  if (value === 'mqtt') return undefined;
  return value === 'websockets' ? 'ws' : value;
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
