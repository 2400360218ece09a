// Translates a `connection` of a mosquitto.conf, and the directives that belong to it, into the keys of a
// [[bridge]]. What is not translated exactly gets a note. Source: mosquitto.conf(5) of 2.0 and 2.1,
// "Configuring Bridges".

import { isAbsolute } from 'node:path';
import { maskedUrl } from '../shared/masked-url.ts';
import { type BridgeValues, bridgeFaults, bridgeTable } from './bridges.ts';
import type { Directive } from './mosquitto-lines.ts';
import type { Options } from './mosquitto-rules.ts';
import type { Severity } from './mosquitto-unsupported.ts';
import type { AnyOption } from './option.ts';
import { onOff } from './value-types.ts';

type NoteIt = (severity: Severity, directive: Directive, text: string) => void;
type Rule = (value: string) => Options;

const rows = new Map<string, AnyOption>(
  Object.values(bridgeTable).map((row: AnyOption) => [row.flag, row]),
);
const as =
  (key: string): Rule =>
  (value) => ({ [key]: value });
const PROTOCOLS: Readonly<Record<string, string>> = { mqttv50: '5', mqttv311: '3.1.1' };

const RULES: Readonly<Record<string, Rule>> = {
  remote_clientid: as('client-id'),
  clientid: as('client-id'),
  remote_username: as('username'),
  username: as('username'),
  remote_password: as('password'),
  password: as('password'),
  cleansession: as('clean-start'),
  keepalive_interval: as('keepalive'),
  round_robin: as('round-robin'),
  try_private: as('try-private'),
  bridge_protocol_version: (value) => ({ protocol: PROTOCOLS[value] ?? value }),
  bridge_cafile: as('ca'),
  bridge_certfile: as('cert'),
  bridge_keyfile: as('key'),
  bridge_insecure: as('insecure'),
  bridge_alpn: as('alpn'),
  bridge_max_packet_size: (value) => (value === '0' ? {} : { 'max-packet-size': value }),
  bridge_outgoing_retain: as('retain'),
  bridge_receive_maximum: as('max-inflight-messages'),
  bridge_session_expiry_interval: as('session-expiry'),
  restart_timeout: (value) => {
    const [base = '', cap = base] = value.split(/\s+/);
    return { 'reconnect-min': `${base}s`, 'reconnect-max': `${cap}s` };
  },
};

const UNSUPPORTED: Readonly<Record<string, string>> = {
  bridge_bind_address: 'the system chooses the address of this machine',
  bridge_capath: 'join the authorities into one file, for ca',
  bridge_identity: 'Shoal has no TLS-PSK',
  bridge_psk: 'Shoal has no TLS-PSK: use certificates, or a password over TLS',
  bridge_require_ocsp: 'Shoal asks no OCSP server',
  bridge_tls_version: 'Shoal speaks TLS 1.2 and 1.3',
  notification_topic: 'the state is under $SYS/broker/connection/NAME/state',
};
const UNNECESSARY =
  /^(bridge_attempt_unsubscribe|bridge_max_topic_alias|bridge_reload_type|bridge_tcp_keepalive|bridge_tcp_user_timeout|local_)/;
/** Directives that only make TLS of the connection. */
const MAKES_TLS = ['bridge_cafile', 'bridge_capath', 'bridge_certfile', 'bridge_tls_use_os_certs'];
/** mosquitto's defaults where those of Shoal differ. */
const DEFAULTS = {
  protocol: '3.1.1',
  'reconnect-min': '5s',
  'reconnect-max': '30s',
  notifications: 'true',
};

export class BridgeDraft {
  readonly directive: Directive;
  readonly settings = new Map<string, string>();
  /** Why it can't be opened here. */
  refusal: string | undefined;
  readonly #note: NoteIt;
  readonly #hosts: string[] = [];
  readonly #topics: string[] = [];
  #usesTls = false;

  constructor(directive: Directive, note: NoteIt) {
    this.directive = directive;
    this.#note = note;
    this.#put(directive, { name: directive.value });
    for (const [key, value] of Object.entries(DEFAULTS)) this.settings.set(key, value);
  }

  read(directive: Directive): void {
    const { name, value } = directive;
    if (MAKES_TLS.includes(name)) this.#usesTls = true;
    const rule = RULES[name];
    const unsupported = UNSUPPORTED[name];
    if (rule !== undefined) this.#put(directive, rule(value));
    else if (unsupported !== undefined) this.#note('unsupported', directive, unsupported);
    else if (name === 'address' || name === 'addresses') this.#hosts.push(...value.split(/\s+/));
    else if (name === 'topic') this.#readTopic(directive);
    else if (name === 'notifications') this.#notify(onOff.parse(value) === true);
    else if (name === 'notifications_local_only' && onOff.parse(value)) this.#notify(false);
    else if (name === 'start_type' && value !== 'automatic') {
      this.#note('different', directive, 'a bridge starts with the node and stays connected');
    } else if (UNNECESSARY.test(name)) this.#note('unnecessary', directive, '');
  }

  get #values(): BridgeValues {
    const entries = Object.entries(bridgeTable).map(([key, row]: [string, AnyOption]) => {
      const text = this.settings.get(row.flag);
      return [key, text === undefined ? row.fallback : row.type.parse(text)];
    });
    return Object.fromEntries(entries) as BridgeValues;
  }

  #notify(isWanted: boolean): void {
    this.settings.set('notifications', String(isWanted));
  }

  /** mosquitto's default QoS is 0, and Shoal's is 1. */
  #readTopic(directive: Directive): void {
    const [pattern = '', direction = 'out', qos = '0', ...prefixes] = directive.value.split(/\s+/);
    const text = [pattern, direction, qos, ...prefixes].join(' ');
    const row = bridgeTable.topics;
    if (!text.includes(',') && row.type.parse(text) !== undefined) this.#topics.push(text);
    else this.#note('unsupported', directive, `Shoal can't use '${text}' as a topic rule`);
  }

  #put(directive: Directive, options: Options): void {
    for (const [key, value] of Object.entries(options)) {
      const { type } = rows.get(key)!;
      const parsed: unknown = type.parse(value);
      if (parsed === undefined) {
        const shown = type.secret ? 'the value' : `'${maskedUrl(value)}'`;
        this.#note(
          'unsupported',
          directive,
          `Shoal can't use ${shown}: it expects ${type.expected}`,
        );
        continue;
      }
      this.settings.set(key, typeof parsed === 'boolean' ? String(parsed) : value);
      if (type.inFolder !== undefined && !isAbsolute(value)) {
        const text = 'a relative path counts from the folder of the TOML file';
        this.#note('different', directive, text);
      }
    }
  }

  /** Adds what needs all directives of the connection. @param others that come before it */
  finish(others: readonly BridgeDraft[]): this {
    const { settings } = this;
    const protocol = this.#usesTls ? 'mqtts' : 'mqtt';
    const defaultPort = 1883;
    const urls = this.#hosts.map((host) => {
      const [, name = host, port = defaultPort] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
      return `${protocol}://${name}:${port}`;
    });
    if (urls.length > 0) settings.set('address', urls.join(','));
    if (this.#topics.length > 0) settings.set('topics', this.#topics.join(','));
    const names = others.map((other) => other.settings.get('name'));
    // mosquitto.conf has no cluster token.
    [this.refusal] = bridgeFaults(this.#values, names, false);
    if (this.refusal !== undefined) {
      this.#note('unsupported', this.directive, `left out: ${this.refusal}`);
    }
    return this;
  }
}
