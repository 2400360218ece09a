// Value types of a [[bridge]]'s keys: addresses, and topic rules in the form of mosquitto's `topic`.

import {
  type BridgeAddress,
  type BridgeProtocol,
  formatAddress,
  type TopicRule,
} from '../bridge/options.ts';
import { isSharedFilter, isTopicFilter, isWildcard } from '../mqtt/topic.ts';
import { list, type ValueType } from './value-types.ts';

const PORTS: Readonly<Record<BridgeProtocol, number>> = {
  mqtt: 1883,
  mqtts: 8883,
  ws: 80,
  wss: 443,
};
const DIRECTIONS = ['in', 'out', 'both'] as const;
const DIRECTION_DEFAULT = 'out';
const QOS_DEFAULT = 1;

const address: ValueType<BridgeAddress> = {
  placeholder: 'url',
  expected:
    'mqtt://host, mqtts://host (TLS), ws://host/path or wss://host/path, with a port where it is not the usual one',
  parse: (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const protocol = url?.protocol.slice(0, -1) as BridgeProtocol;
    const defaultPort = PORTS[protocol];
    if (url === undefined || defaultPort === undefined || url.hostname === '') return undefined;
    if (url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
    const isWeb = protocol === 'ws' || protocol === 'wss';
    if (!isWeb && url.pathname !== '' && url.pathname !== '/') return undefined;
    const path = isWeb ? url.pathname + url.search : '';
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return { protocol, host, port: url.port === '' ? defaultPort : Number(url.port), path };
  },
  format: formatAddress,
};

/** Tried in their order. */
export const addresses = list(address);

const topicRule: ValueType<TopicRule> = {
  placeholder: 'pattern direction qos local-prefix remote-prefix',
  expected:
    'a topic filter, then in, out or both, a QoS, a prefix here and one at the far side ("" for none), as "sensors/# out 1" or "# in 1 hq/ \'\'"',
  parse: (value) => {
    const [pattern = '', direction = DIRECTION_DEFAULT, qos = `${QOS_DEFAULT}`, ...prefixes] = value
      .trim()
      .split(/\s+/);
    const [localPrefix = '', farPrefix = '', ...rest] = prefixes.map(withoutQuotes);
    const known = DIRECTIONS.find((one) => one === direction);
    if (known === undefined || !/^[012]$/.test(qos) || rest.length > 0) return undefined;
    const rule: TopicRule = {
      pattern: withoutQuotes(pattern),
      direction: known,
      qos: Number(qos) as TopicRule['qos'],
      localPrefix,
      farPrefix,
    };
    return isSound(rule) ? rule : undefined;
  },
  format: ({ pattern, direction, qos, localPrefix, farPrefix }) => {
    const prefixes = localPrefix === '' && farPrefix === '' ? [] : [localPrefix, farPrefix];
    return [pattern, direction, qos, ...prefixes.map((one) => one || '""')].join(' ');
  },
};

export const topicRules = list(topicRule);

/** mosquitto writes an empty prefix as `""`. */
function withoutQuotes(word: string): string {
  return /^(""|'')$/.test(word) ? '' : word;
}

function isSound({ pattern, localPrefix, farPrefix }: TopicRule): boolean {
  if (isWildcard(localPrefix) || isWildcard(farPrefix)) return false;
  return [localPrefix + pattern, farPrefix + pattern].every(
    (filter) => isTopicFilter(filter) && !isSharedFilter(filter) && !filter.includes('\0'),
  );
}
