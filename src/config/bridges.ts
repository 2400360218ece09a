// The keys of a [[bridge]] and what they make: the options of the bridge's core, how the far side is
// verified, and the queue of its session on this node. A bridge has no flags: it is in the file only.

import { type BridgeOptions, defaultBridgeOptions as defaults } from '../bridge/options.ts';
import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import { addresses, topicRules } from './bridge-types.ts';
import type { OptionValues } from './config.ts';
import { type AnyOption, option, readValue, type ValueOf } from './option.ts';
import type { TomlTable } from './toml-file.ts';
import {
  bytes,
  bytesLimit,
  choice,
  count,
  limit,
  milliseconds,
  name,
  onOff,
  path,
  qos,
  seconds,
  secondsLimit,
  secret,
  shownValue,
  text,
} from './value-types.ts';

const GIB = 1024 ** 3;

/** The keys that a [[bridge]] may have. */
export const bridgeTable = {
  name: option({
    flag: 'name',
    group: 'Bridge',
    type: name(64),
    fallback: undefined,
    fallbackText: 'none: it is required',
    help: 'name of the bridge on this node, in its log lines, metrics and topics',
  }),
  addresses: option({
    flag: 'address',
    group: 'Bridge',
    type: addresses,
    fallback: undefined,
    fallbackText: 'none: it is required',
    help: 'the far side; of several addresses the first that answers',
  }),
  topics: option({
    flag: 'topics',
    group: 'Bridge',
    type: topicRules,
    fallback: undefined,
    fallbackText: 'none: it is required',
    help: 'what crosses, in the form of topic in mosquitto.conf: pattern, direction, QoS, prefix here, prefix there',
  }),
  protocol: option({
    flag: 'protocol',
    group: 'Bridge',
    type: choice(['5', '3.1.1'], { mqttv50: '5', mqttv311: '3.1.1' }),
    fallback: '5',
    help: 'version of MQTT that the far side speaks',
  }),
  tryPrivate: option({
    flag: 'try-private',
    group: 'Bridge',
    type: onOff,
    fallback: defaults.tryPrivate,
    help: "with MQTT 3.1.1: announce a bridge by mosquitto's bit, so that the far side sends none of its own messages back",
  }),
  clientId: option({
    flag: 'client-id',
    group: 'Bridge',
    type: text('name'),
    fallback: undefined,
    fallbackText: 'NODE.NAME; required in a cluster unless run-on = "each"',
    help: 'client identifier at the far side, unique there',
  }),
  username: option({
    flag: 'username',
    group: 'Bridge',
    type: text('name'),
    fallback: undefined,
    help: 'user name at the far side',
  }),
  password: option({
    flag: 'password',
    group: 'Bridge',
    type: secret('password'),
    fallback: undefined,
    help: 'password at the far side',
  }),
  ca: option({
    flag: 'ca',
    group: 'Bridge',
    type: path('file'),
    fallback: undefined,
    fallbackText: 'the authorities that Node knows',
    help: "authorities of the far side's certificate, PEM",
  }),
  cert: option({
    flag: 'cert',
    group: 'Bridge',
    type: path('file'),
    fallback: undefined,
    help: 'client certificate with its chain, PEM',
  }),
  key: option({
    flag: 'key',
    group: 'Bridge',
    type: path('file'),
    fallback: undefined,
    help: 'private key of the client certificate, PEM',
  }),
  insecure: option({
    flag: 'insecure',
    group: 'Bridge',
    type: onOff,
    fallback: false,
    help: 'accept any certificate of the far side; for tests only',
  }),
  alpn: option({
    flag: 'alpn',
    group: 'Bridge',
    type: text('protocol'),
    fallback: undefined,
    help: 'protocol to ask for in the TLS handshake, as x-amzn-mqtt-ca on port 443 of AWS',
  }),
  cleanStart: option({
    flag: 'clean-start',
    group: 'Bridge',
    type: onOff,
    fallback: defaults.cleanStart,
    help: 'begin a new session at the far side with each connection: what it has for this node meanwhile is lost',
  }),
  sessionExpirySeconds: option({
    flag: 'session-expiry',
    group: 'Bridge',
    type: seconds(0, 0xffff_fffe),
    fallback: defaults.sessionExpirySeconds,
    help: 'how long the far side keeps the session without a connection (MQTT 5)',
  }),
  keepAliveSeconds: option({
    flag: 'keepalive',
    group: 'Bridge',
    type: seconds(0, STRING_BYTES_MAX),
    fallback: defaults.keepAliveSeconds,
    help: 'a connection without an answer for this long is given up',
  }),
  inflightMax: option({
    flag: 'max-inflight-messages',
    group: 'Bridge',
    type: count(1, 65_535),
    fallback: defaults.inflightMax,
    help: 'QoS 1 and 2 messages on their way to the far side before it acknowledges one, and the same from it',
  }),
  packetBytesMax: option({
    flag: 'max-packet-size',
    group: 'Bridge',
    type: bytes(128, 268_435_455),
    fallback: defaults.packetBytesMax,
    help: 'largest packet taken from the far side',
  }),
  rateMax: option({
    flag: 'max-rate',
    group: 'Bridge',
    type: limit(10_000_000),
    fallback: defaults.rateMax,
    help: 'messages to the far side a second, so that the queue of an outage does not flood it',
  }),
  qosMin: option({
    flag: 'min-qos',
    group: 'Bridge',
    type: qos,
    fallback: 0,
    help: 'messages published with a lower QoS cross with this one, so that they wait for the far side as well',
  }),
  retain: option({
    flag: 'retain',
    group: 'Bridge',
    type: onOff,
    fallback: true,
    help: 'retained messages arrive at the far side as retained messages',
  }),
  queueMessagesMax: option({
    flag: 'max-queued-messages',
    group: 'Bridge',
    type: limit(10_000_000),
    fallback: defaults.queueMessagesMax,
    help: 'messages that may wait for the far side',
  }),
  queueBytesMax: option({
    flag: 'max-queued-bytes',
    group: 'Bridge',
    type: bytesLimit(GIB),
    fallback: defaults.queueBytesMax,
    help: 'bytes of the messages that may wait for the far side',
  }),
  ageMaxSeconds: option({
    flag: 'max-age',
    group: 'Bridge',
    type: secondsLimit(31_536_000),
    fallback: Number.POSITIVE_INFINITY,
    help: 'drop messages that have waited for the far side longer than this',
  }),
  queueDrop: option({
    flag: 'queue-drop',
    group: 'Bridge',
    type: choice(['oldest', 'newest']),
    fallback: defaults.queueDrop,
    help: 'which message to drop when the queue is full',
  }),
  reconnectMinMs: option({
    flag: 'reconnect-min',
    group: 'Bridge',
    type: milliseconds(100, 3_600_000),
    fallback: defaults.reconnectMinMs,
    help: 'first pause before a new connection; it doubles with each failure',
  }),
  reconnectMaxMs: option({
    flag: 'reconnect-max',
    group: 'Bridge',
    type: milliseconds(100, 3_600_000),
    fallback: defaults.reconnectMaxMs,
    help: 'longest pause before a new connection',
  }),
  roundRobin: option({
    flag: 'round-robin',
    group: 'Bridge',
    type: onOff,
    fallback: defaults.roundRobin,
    help: 'after a loss go on with the next address instead of the first',
  }),
  runOn: option({
    flag: 'run-on',
    group: 'Bridge',
    type: name(255),
    fallback: 'one',
    help: 'in a cluster: one node runs the bridge, and another one when it dies; or each node; or the node of this name',
  }),
  notifications: option({
    flag: 'notifications',
    group: 'Bridge',
    type: onOff,
    fallback: defaults.notifications,
    help: 'publish the state of the connection at the far side too, under $SYS/broker/connection/NAME/state',
  }),
} as const;

type BridgeKey = keyof typeof bridgeTable;
export type BridgeValues = { readonly [Key in BridgeKey]: ValueOf<(typeof bridgeTable)[Key]> };

export const bridgeKeys: readonly string[] = Object.values(bridgeTable).map(
  (row: AnyOption) => row.flag,
);

/** How the far side is verified, and how this node proves itself. Paths of PEM files. */
export interface BridgeTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly insecure: boolean;
  readonly alpn: string | undefined;
}

export interface BridgeConfig {
  /** The line of its table: `/etc/shoal.toml:3`. */
  readonly place: string;
  readonly options: BridgeOptions;
  readonly tls: BridgeTls;
  readonly qosMin: QoS;
  readonly retain: boolean;
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  readonly queueDrop: 'oldest' | 'newest';
  /** Of a message that waits; Infinity: no bound. */
  readonly ageMaxSeconds: number;
  /** `one`, `each`, or the name of a node. */
  readonly runOn: string;
  /** Topics that were to cross with QoS 2, and cross with QoS 1. */
  readonly loweredTopics: readonly string[];
}

/** Those that this node has a session for. */
export function bridgesOf({
  bridges,
  nodeName,
}: {
  readonly bridges: readonly BridgeConfig[];
  readonly nodeName: string;
}): readonly BridgeConfig[] {
  return bridges.filter(({ runOn }) => ['one', 'each', nodeName].includes(runOn));
}

type NodeValues = Pick<OptionValues, 'nodeName' | 'dataFolder' | 'tokens'>;

/** @param problems receives a line for each mistake */
export function resolveBridges(
  node: NodeValues,
  tables: readonly TomlTable[],
  problems: string[],
): BridgeConfig[] {
  const bridges: BridgeConfig[] = [];
  for (const table of tables) {
    const before = problems.length;
    const values = valuesOf(table, problems);
    if (problems.length > before) continue;
    const names = bridges.map(({ options }) => options.name);
    const faults = bridgeFaults(values, names, node.tokens !== undefined);
    problems.push(...faults.map((fault) => `${table.place}: ${fault}`));
    if (problems.length === before) bridges.push(bridgeOf(table.place, values, node));
  }
  return bridges;
}

function valuesOf(table: TomlTable, problems: string[]): BridgeValues {
  const entries = (Object.keys(bridgeTable) as BridgeKey[]).map((key) => {
    const row: AnyOption = bridgeTable[key];
    const setting = table.settings.get(row.flag);
    if (setting === undefined) return [key, row.fallback];
    const value: unknown = readValue(row, setting);
    if (value === undefined) {
      const shown = shownValue(row.type, setting.text);
      problems.push(
        `${setting.place}: bad value${shown} for '${row.flag}': expected ${row.type.expected}`,
      );
    }
    return [key, value];
  });
  return Object.fromEntries(entries) as BridgeValues;
}

/**
 * What keeps a bridge with valid values from being used; none if it can be.
 * @param names of the bridges before it
 */
export function bridgeFaults(
  values: BridgeValues,
  names: readonly (string | undefined)[],
  isClustered: boolean,
): string[] {
  const { name: own, cert, key, username, password, reconnectMinMs, reconnectMaxMs } = values;
  const faults = (['name', 'addresses', 'topics'] as const)
    .filter((required) => values[required] === undefined)
    .map((required) => `the bridge has no ${bridgeTable[required].flag}`);
  if (own !== undefined && names.includes(own)) {
    faults.push(`another bridge has the name '${own}' already`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    faults.push('cert and key go together: the certificate and its private key');
  }
  if (password !== undefined && username === undefined && values.protocol !== '5') {
    faults.push('MQTT 3.1.1 has no password without a user name: set username');
  }
  if (isClustered && values.runOn === 'one' && values.clientId === undefined) {
    faults.push(
      'in a cluster the bridge needs a client-id, the same on every node, so that the far side knows it wherever it runs',
    );
  }
  if (reconnectMinMs > reconnectMaxMs) faults.push('reconnect-min is above reconnect-max');
  return faults;
}

/**
 * Exactly once needs Packet Identifiers that outlive the process, and a node that stays the same:
 * without either QoS 2 would lose messages, and QoS 1 repeats them.
 */
function bridgeOf(place: string, values: BridgeValues, node: NodeValues): BridgeConfig {
  const { name: own = '', addresses: to = [], topics = [], protocol, clientId, ...rest } = values;
  const { ca, cert, key, insecure, alpn, ...others } = rest;
  const { qosMin, retain, queueMessagesMax, queueBytesMax, queueDrop, ...more } = others;
  const { ageMaxSeconds, runOn, ...options } = more;
  const isExact = node.dataFolder !== undefined && !(runOn === 'one' && node.tokens !== undefined);
  const lowered = isExact
    ? []
    : topics.filter(({ qos: level, direction }) => level === 2 && direction !== 'in');
  return {
    place,
    options: {
      ...options,
      name: own,
      addresses: to,
      topics: topics.map((rule) => (lowered.includes(rule) ? { ...rule, qos: 1 } : rule)),
      version: protocol === '5' ? 5 : 4,
      clientId: clientId ?? `${node.nodeName}.${own}`,
    },
    tls: { ca, cert, key, insecure, alpn },
    qosMin,
    retain,
    queueMessagesMax,
    queueBytesMax,
    queueDrop,
    ageMaxSeconds,
    runOn,
    loweredTopics: lowered.map(({ pattern }) => pattern),
  };
}
