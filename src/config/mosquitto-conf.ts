// Translates the directives of a mosquitto.conf into options. Everything that is not translated
// exactly becomes a note with file and line. Invariants: the result is a valid configuration, and it
// lets no client do what mosquitto would have refused. Source: mosquitto.conf(5) of 2.0 and 2.1.

import { dirname, isAbsolute, join } from 'node:path';
import { defaultBrokerOptions } from '../broker/options.ts';
import { optionTable } from './config.ts';
import { listenerTable } from './listeners.ts';
import { BridgeDraft } from './mosquitto-bridges.ts';
import type { Directive } from './mosquitto-lines.ts';
import { dropUnusedKeys, ListenerDraft, resolveOverlaps, setTls } from './mosquitto-listeners.ts';
import {
  ACCESS_RULES,
  FILE_OPTIONS,
  INEXACT,
  LISTENER_RULES,
  LOG_LEVELS,
  NODE_RULES,
  NODE_WIDE_HERE,
  type Options,
  packetBytesFor,
  protocolOf,
} from './mosquitto-rules.ts';
import {
  BRIDGE_DIRECTIVES,
  findUnsupported,
  RESTRICTING_DIRECTIVES,
  type Severity,
  unsupportedDirectives,
} from './mosquitto-unsupported.ts';
import type { AnyOption } from './option.ts';
import { nearest } from './suggest.ts';
import { onOff, port as portType } from './value-types.ts';

/** Values by the name of an option or of a listener's key, as the user would write them. */
export type Settings = ReadonlyMap<string, string>;

export interface Translation {
  readonly settings: Settings;
  /** The [[listener]] tables. */
  readonly listeners: readonly ListenerDraft[];
  /** The [[bridge]] tables. */
  readonly bridges: readonly BridgeDraft[];
  /** What is not translated exactly, in the order of the directives. */
  readonly notes: readonly Note[];
}

export interface Note {
  readonly severity: Severity;
  readonly directive: Directive;
  readonly text: string;
}

/** Shoal's data folder where mosquitto names none. */
const DATA_FOLDER = 'shoal-data';
/** Keys of a listener that are no options of the node: the listener needs a [[listener]] table. */
const PLAIN_KEYS: readonly string[] = [
  'port',
  'bind',
  'max-connections',
  'auth',
  'acl',
  'anonymous',
];

const rowsOf = (table: object): ReadonlyMap<string, AnyOption> =>
  new Map(Object.values(table).map((row: AnyOption) => [row.flag, row]));
const nodeRows = rowsOf(optionTable);
const listenerRows = rowsOf(listenerTable);

const knownDirectives = [
  ...Object.keys(NODE_RULES),
  ...Object.keys(LISTENER_RULES),
  ...unsupportedDirectives,
];

export function translateDirectives(directives: readonly Directive[]): Translation {
  const translator = new Translator();
  for (const directive of directives) translator.read(directive);
  const { notes, ...translation } = translator.finish();
  const order = ({ directive }: Note): number => directives.indexOf(directive);
  return { ...translation, notes: notes.toSorted((a, b) => order(a) - order(b)) };
}

/** mosquitto's own plugins for password and ACL files: the option that each stands for. */
const FILE_PLUGIN = /mosquitto_(password|acl)_file\.\w+$/;
const FILE_PLUGIN_OPTIONS: Readonly<Record<string, string>> = {
  plugin_opt_password_file: 'auth',
  plugin_opt_acl_file: 'acl',
};

/** What the directives that follow it in its file belong to. */
interface Section {
  /** Undefined: the default listener. */
  listener?: ListenerDraft;
  /** The bridge that the directives of a bridge belong to. */
  bridge?: BridgeDraft;
  /** Receives the plugin_opt_ directives of the plugin above them; undefined for an unknown plugin. */
  pluginOptions?: Map<string, string> | undefined;
}

class Translator {
  readonly #notes: Note[] = [];
  readonly #settings = new Map<string, string>();
  readonly #default = new ListenerDraft();
  readonly #listeners: ListenerDraft[] = [];
  readonly #bridges: BridgeDraft[] = [];
  /** By file: an included file begins with the default listener, and its end restores the section. */
  readonly #sections = new Map<string, Section>();
  /** Options of the plugins that plugin_load names, for plugin_use. */
  readonly #plugins = new Map<string, Map<string, string>>();
  readonly #logTypes: Directive[] = [];
  /** Directives of one listener that apply to all of them here. */
  readonly #nodeWide: Directive[] = [];
  #persistence: Directive | undefined;
  #location: Directive | undefined;
  #isPerListener = false;

  read(directive: Directive): void {
    const { file, name } = directive;
    const section = this.#sections.get(file) ?? {};
    this.#sections.set(file, section);
    if (name === 'connection') {
      section.bridge = new BridgeDraft(directive, (severity, source, text) =>
        this.#note(severity, source, text),
      );
      this.#bridges.push(section.bridge);
    } else if (section.bridge !== undefined && BRIDGE_DIRECTIVES.test(name)) {
      section.bridge.read(directive);
    } else {
      this.#readOption(directive, section);
    }
  }

  #note(severity: Severity, directive: Directive, text: string): void {
    this.#notes.push({ severity, directive, text });
  }

  #readOption(directive: Directive, section: Section): void {
    const { name, value } = directive;
    const listener = section.listener ?? this.#default;
    if (NODE_WIDE_HERE.includes(name) && section.listener !== undefined) {
      this.#nodeWide.push(directive);
    }
    switch (name) {
      case 'listener':
        section.listener = this.#beginListener(directive);
        return;
      case 'bind_address':
        this.#bind(listener, directive, value);
        return;
      case 'socket_domain':
        // An IPv6 socket on :: serves IPv4 too, so ipv6 alone has no counterpart.
        if (value === 'ipv4' && !listener.settings.has('bind'))
          listener.settings.set('bind', '0.0.0.0');
        else if (value === 'ipv6') this.#note('different', directive, 'it serves IPv4 as well');
        return;
      case 'protocol':
        this.#setProtocol(listener, directive);
        return;
      case 'persistence':
      case 'retained_persistence':
        this.#persistence = onOff.parse(value) === true ? directive : undefined;
        return;
      case 'persistence_location':
        this.#location = directive;
        return;
      case 'per_listener_settings':
        this.#isPerListener = onOff.parse(value) === true;
        return;
      case 'log_type':
        this.#logTypes.push(directive);
        return;
    }
    if (/^(auth_)?plugin|^global_plugin/.test(name)) this.#readPlugin(directive, section);
    else this.#readRule(directive, listener);
  }

  #readRule(directive: Directive, listener: ListenerDraft): void {
    const { name, value } = directive;
    const inListener =
      LISTENER_RULES[name] ?? (this.#isPerListener ? ACCESS_RULES[name] : undefined);
    const rule = inListener ?? NODE_RULES[name];
    if (rule === undefined) {
      this.#readUnsupported(directive, listener);
    } else if (inListener !== undefined) {
      this.#put(listener.settings, listenerRows, directive, rule(value), listener);
    } else {
      this.#put(this.#settings, nodeRows, directive, rule(value));
    }
  }

  #readUnsupported(directive: Directive, listener: ListenerDraft): void {
    const { name, value } = directive;
    const isOn = onOff.parse(value);
    const isRestriction = RESTRICTING_DIRECTIVES.includes(name) && isOn !== false;
    if (isRestriction && !listener.settings.has('bind')) listener.bindToThisMachine();
    const found = findUnsupported(name, isOn);
    if (found !== undefined) {
      this.#note(found.severity, directive, found.advice);
      return;
    }
    const near = nearest(name, knownDirectives);
    const text = near === undefined ? 'mosquitto has no such directive' : `did you mean ${near}?`;
    this.#note('unknown', directive, text);
  }

  /** Writes the options that are valid, and a note for each that is not. */
  #put(
    target: Map<string, string>,
    rows: ReadonlyMap<string, AnyOption>,
    directive: Directive,
    options: Options,
    listener?: ListenerDraft,
  ): void {
    for (const [option, value] of Object.entries(options)) {
      const row = rows.get(option);
      if (row === undefined) throw new Error(`${directive.name} has a rule for ${option}`);
      const parsed: unknown = row.type.parse(value);
      const isFile = FILE_OPTIONS.includes(option);
      const isSeveral = isFile && Array.isArray(parsed) && parsed.length !== 1;
      if (parsed === undefined || isSeveral) {
        const expected = isSeveral ? 'a path without a comma' : row.type.expected;
        this.#note('unsupported', directive, `Shoal can't use '${value}': it expects ${expected}`);
        if (isFile && listener !== undefined) {
          listener.refusal ??= `${directive.name} can't be translated`;
        }
        continue;
      }
      if (isFile && !isAbsolute(value)) {
        const text = 'a relative path counts from the folder of the TOML file';
        this.#note('different', directive, text);
      }
      target.set(option, typeof parsed === 'boolean' ? String(parsed) : value);
      listener?.sources.set(option, directive);
    }
    const inexact = INEXACT[directive.name];
    if (inexact !== undefined && Object.keys(options).length > 0) {
      this.#note('different', directive, inexact);
    }
  }

  #beginListener(directive: Directive): ListenerDraft {
    const [port = '', address] = directive.value.split(/\s+/);
    const listener = new ListenerDraft(directive);
    this.#listeners.push(listener);
    if (port === '0') {
      listener.refusal = 'Shoal has no Unix sockets';
    } else {
      if (portType.parse(port) === undefined) listener.refusal = `'${port}' is not a port`;
      else listener.settings.set('port', port);
      if (address !== undefined && !address.startsWith('#'))
        this.#bind(listener, directive, address);
    }
    return listener;
  }

  /** An address that can't be used must not open the listener to everyone. */
  #bind(listener: ListenerDraft, directive: Directive, address: string): void {
    const value = address === 'localhost' ? '127.0.0.1' : address;
    if (listenerTable.bindAddress.type.parse(value) !== undefined) {
      listener.settings.set('bind', value);
      return;
    }
    listener.bindToThisMachine();
    const text = `bind takes an IP address, not '${address}'; bound to 127.0.0.1 until you set one`;
    this.#note('unsupported', directive, text);
  }

  #setProtocol(listener: ListenerDraft, directive: Directive): void {
    const protocol = protocolOf(directive.value);
    if (protocol === undefined) {
      listener.refusal = `Shoal does not speak ${directive.value}`;
    } else if (protocol !== listenerTable.protocol.fallback) {
      listener.settings.set('protocol', protocol);
      listener.sources.set('protocol', directive);
      // mosquitto accepts any path.
      listener.settings.set('ws-path', '*');
    }
  }

  #readPlugin(directive: Directive, section: Section): void {
    const { name, value } = directive;
    const [first = '', ...rest] = value.split(/\s+/);
    const listener = section.listener ?? this.#default;
    if (name.includes('_opt_') || name === 'auth_plugin_deny_special_chars') {
      const option = FILE_PLUGIN_OPTIONS[name];
      if (option === undefined || section.pluginOptions === undefined) return;
      this.#put(section.pluginOptions, nodeRows, directive, { [option]: value });
    } else if (name === 'plugin_use') {
      const options = this.#plugins.get(first);
      for (const [option, file] of options ?? []) {
        listener.settings.set(option, file);
        listener.sources.set(option, directive);
      }
    } else {
      const path = name === 'plugin_load' ? rest.join(' ') : value;
      const isOfListener = this.#isPerListener && name !== 'global_plugin';
      const target = isOfListener ? listener.settings : this.#settings;
      const options = name === 'plugin_load' ? new Map<string, string>() : target;
      const isKnown = FILE_PLUGIN.test(path);
      section.pluginOptions = isKnown ? options : undefined;
      if (name === 'plugin_load' && isKnown) this.#plugins.set(first, options);
      if (!isKnown) this.#readUnsupported(directive, listener);
    }
  }

  finish(): Translation {
    this.#finishStorage();
    this.#finishLog();
    this.#finishSizes();
    this.#finishAnonymous();
    const listeners = this.#finishListeners();
    const [only] = listeners;
    let settings = this.#settings;
    let tables = listeners;
    if (only === undefined || !listeners.some(({ isOpen }) => isOpen)) {
      const reason = only === undefined ? 'as mosquitto does' : 'all listeners are left out';
      const text = `serves this machine only, ${reason}; remove bind to serve others and to join a cluster`;
      this.#note('different', wholeFile('no listener'), text);
      settings = new Map([['bind', '127.0.0.1'], ...settings]);
    } else if (listeners.length === 1 && [...only.settings.keys()].every(isPlain)) {
      settings = withListener(settings, only);
      tables = [];
    }
    const bridges = this.#bridges.map((draft, index, all) => draft.finish(all.slice(0, index)));
    return { settings, listeners: tables, bridges, notes: this.#notes };
  }

  #finishListeners(): ListenerDraft[] {
    const own = this.#default;
    const isDefaultOpen =
      [...own.settings.keys()].some(isPlain) ||
      (this.#listeners.length === 0 && (own.settings.size > 0 || !own.isOpen));
    if (!own.settings.has('port')) own.settings.set('port', '1883');
    const all = [...(isDefaultOpen ? [own] : []), ...this.#listeners];
    for (const draft of all) {
      setTls(draft, (source, text) => this.#note('different', source, text));
      dropUnusedKeys(draft, (source) => this.#note('unnecessary', source, ''));
    }
    const drafts = resolveOverlaps(all);
    for (const { refusal, directive } of drafts) {
      if (refusal === undefined) continue;
      this.#note('unsupported', directive ?? wholeFile('default listener'), `left out: ${refusal}`);
    }
    if (drafts.length > 1) {
      for (const directive of this.#nodeWide) {
        this.#note('different', directive, 'applies to all listeners here');
      }
    }
    return drafts;
  }

  /** Where a listener is configured, mosquitto refuses anonymous clients unless the file allows them. */
  #finishAnonymous(): void {
    const isConfigured = this.#default.settings.has('port') || this.#listeners.length > 0;
    if (isConfigured && !this.#settings.has('auth') && !this.#settings.has('anonymous')) {
      this.#settings.set('anonymous', 'false');
    }
  }

  #finishStorage(): void {
    const persistence = this.#persistence;
    if (persistence === undefined) {
      if (this.#location !== undefined) this.#note('unnecessary', this.#location, '');
      return;
    }
    const location = this.#location?.value.replace(/\/+$/, '');
    const folder = location ? join(dirname(location), 'shoal') : DATA_FOLDER;
    this.#settings.set('data', folder);
    const text = `mosquitto's database is not read: sessions and retained messages begin empty, in ${folder}`;
    this.#note('different', this.#location ?? persistence, text);
  }

  #finishLog(): void {
    const types = this.#logTypes.map(({ value }) => value);
    const [level] =
      LOG_LEVELS.find(([, names]) => names.some((name) => types.includes(name))) ?? [];
    if (level === undefined) return;
    this.#settings.set('log-level', level);
    const last = this.#logTypes.at(-1);
    if (level === 'debug' && last !== undefined) {
      this.#note('different', last, 'log-level = "debug" writes very much; "info" is usual');
    }
  }

  /** A payload that message_size_limit allows must fit into a packet. */
  #finishSizes(): void {
    const limit = Number(this.#settings.get('message-size-limit') ?? '0');
    if (limit === 0 || this.#settings.has('max-packet-size')) return;
    const needed = packetBytesFor(limit);
    if (needed > defaultBrokerOptions.packetBytesMax) {
      this.#settings.set('max-packet-size', String(needed));
    }
  }
}

function isPlain(key: string): boolean {
  return PLAIN_KEYS.includes(key);
}

/** The settings of the only listener as options of the node. */
function withListener(settings: Settings, { settings: own }: ListenerDraft): Map<string, string> {
  const merged = new Map([...own, ...settings, ...own]);
  const limits = [settings, own].flatMap((map) => map.get('max-connections') ?? []);
  const counts = limits.filter((limit) => limit !== '0').map(Number);
  if (counts.length > 0) merged.set('max-connections', String(Math.min(...counts)));
  return merged;
}

function wholeFile(name: string): Directive {
  return { file: '', line: 0, name, value: '' };
}
