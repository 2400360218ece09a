// The types of option values: each parses text into a typed value, and formats the value again for
// `config show`. Every source (flag, environment, file) supplies text, so a value means the same in
// all of them. Must not know any particular option.

import { isIP } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { isReservedTopic, isTopicFilter } from '../mqtt/topic.ts';
import { formatHostPort, type HostPort } from '../shared/endpoint.ts';
import { isLinkLocal, normalAddress } from '../shared/ip-address.ts';
import { maskedUrl } from '../shared/masked-url.ts';

export interface ValueType<T> {
  /** Follows the flag in the help, as in `-nid <name>`; a switch has none. */
  readonly placeholder?: string;
  /** Completes "expected ..." in an error, and describes the values on the reference page. */
  readonly expected: string;
  /** Its values are shown as stars. */
  readonly secret?: true;
  /** @returns undefined if the text is not a value of this type */
  parse(text: string): T | undefined;
  format(value: T): string;
  /** For paths only: resolves a relative path against this folder. */
  inFolder?(value: T, folder: string): T;
}

const TEXT_BYTES_MAX = 4096;

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;
const SWITCH_WORDS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
};
const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
};
const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** @param what the value names: a file, a folder, a name */
export function text(what: string): ValueType<string> {
  return {
    placeholder: what,
    expected: `a ${what}`,
    parse: (value) =>
      value !== '' && Buffer.byteLength(value) <= TEXT_BYTES_MAX ? value : undefined,
    format: (value) => value,
  };
}

export function path(what: 'file' | 'folder'): ValueType<string> {
  return {
    ...text(what),
    inFolder: (value, folder) => (isAbsolute(value) ? value : join(folder, value)),
  };
}

/** Several values with commas between them. */
export function list<T>({ inFolder, ...item }: ValueType<T>): ValueType<readonly T[]> {
  return {
    ...item,
    ...(inFolder && { inFolder: (values, folder) => values.map((one) => inFolder(one, folder)) }),
    placeholder: `${item.placeholder},...`,
    expected: `${item.expected}; several separated by commas`,
    parse: (value) => listOf(value, item.parse),
    format: (value) => value.map(item.format).join(','),
  };
}

export interface NetworkAddress {
  readonly address: string;
  readonly prefixBits: number;
}

/** Of a network with at least two hosts. */
const PREFIX_BITS_MAX = { 4: 30, 6: 126 };
const PREFIX_BITS_MIN = 8;

/** An IP address with the length of its network. */
export const networkAddress: ValueType<NetworkAddress> = {
  placeholder: 'address/bits',
  expected:
    'an IPv4 or IPv6 address with the length of its network, as 192.168.1.10/24 or fd00::10/64',
  parse: (value) => {
    const [, text = '', bits = ''] = /^([\d.a-f:]+)\/(\d{1,3})$/i.exec(value) ?? [];
    const address = normalAddress(text);
    if (address === undefined || isLinkLocal(address)) return undefined;
    const prefixBits = Number(bits);
    const bitsMax = PREFIX_BITS_MAX[address.includes(':') ? 6 : 4];
    const isRight = prefixBits >= PREFIX_BITS_MIN && prefixBits <= bitsMax;
    return isRight ? { address, prefixBits } : undefined;
  },
  format: ({ address, prefixBits }) => `${address}/${prefixBits}`,
};

/** A name for datagrams and log lines: no spaces, no control characters. */
export function name(bytesMax: number): ValueType<string> {
  return {
    placeholder: 'name',
    expected: `a name of 1 to ${bytesMax} bytes without spaces or control characters`,
    parse: (value) =>
      value !== '' && Buffer.byteLength(value) <= bytesMax && !/[\s\p{C}]/u.test(value)
        ? value
        : undefined,
    format: (value) => value,
  };
}

/** What was given, in quotes behind a space, for the error that refuses it; nothing of a secret. */
export function shownValue({ secret: isSecret }: ValueType<unknown>, given: string): string {
  return isSecret === true ? '' : ` '${maskedUrl(given)}'`;
}

/** One secret, shown as stars. */
export function secret(what: string): ValueType<string> {
  return { ...text(what), secret: true, format: () => '***' };
}

export function secrets(placeholder: string): ValueType<readonly string[]> {
  return {
    placeholder,
    expected: 'one or more tokens separated by commas, none of them empty',
    secret: true,
    parse: (value) => listOf(value, (part) => (part === '' ? undefined : part)),
    format: (value) => value.map(() => '***').join(','),
  };
}

export function choice<const T extends string>(
  words: readonly T[],
  /** Other spellings, such as numbers that scripts already use. */
  aliases: Readonly<Record<string, T>> = {},
): ValueType<T> {
  return {
    placeholder: words.join('|'),
    expected: `one of ${[...words, ...Object.keys(aliases)].join(', ')}`,
    parse: (value) => words.find((word) => word === value) ?? aliases[value],
    format: (value) => value,
  };
}

export const onOff: ValueType<boolean> = {
  expected: 'true or false',
  parse: (value) => SWITCH_WORDS[value.toLowerCase()],
  format: String,
};

export function count(min: number, max: number): ValueType<number> {
  return {
    placeholder: 'n',
    expected: `a whole number from ${min} to ${max}`,
    parse: (value) => within(wholeNumber(value), min, max),
    format: String,
  };
}

/** `auto` is the value 0. */
export function countOrAuto(min: number, max: number): ValueType<number> {
  const number = count(min, max);
  return {
    placeholder: 'n|auto',
    expected: `${number.expected}, or auto`,
    parse: (value) => (value === 'auto' ? 0 : number.parse(value)),
    format: (value) => (value === 0 ? 'auto' : number.format(value)),
  };
}

/** Like `count`, but 0 switches the limit off: the value is then Infinity. */
export function limit(max: number): ValueType<number> {
  return unlimitedAtZero(count(0, max));
}

export const qos: ValueType<0 | 1 | 2> = {
  placeholder: '0|1|2',
  expected: '0, 1 or 2',
  parse: (value) => ([0, 1, 2] as const).find((level) => String(level) === value),
  format: String,
};

/** 0 means any free port. */
export const port: ValueType<number> = {
  placeholder: 'port',
  expected: 'a port number from 0 to 65535',
  parse: (value) => within(wholeNumber(value), 0, 65_535),
  format: String,
};

export function bytes(min: number, max: number): ValueType<number> {
  return {
    placeholder: 'bytes',
    expected: `a size from ${formatBytes(min)} to ${formatBytes(max)}, as 65536, 64k or 1M`,
    parse: (value) => within(withUnit(value, BYTE_UNITS, ''), min, max),
    format: formatBytes,
  };
}

/** `off` is the value 0. */
export function bytesOrOff(min: number, max: number): ValueType<number> {
  const size = bytes(min, max);
  return {
    placeholder: 'bytes|off',
    expected: `${size.expected}, or off`,
    parse: (value) => (value === 'off' ? 0 : size.parse(value)),
    format: (value) => (value === 0 ? 'off' : size.format(value)),
  };
}

export function bytesLimit(max: number): ValueType<number> {
  return unlimitedAtZero(bytes(0, max));
}

/** The largest unit in which the time is a whole number, as a value may be written. */
function timeText(ms: number): string {
  const units = Object.entries(TIME_UNITS_MS).sort(([, a], [, b]) => b - a);
  const [unit, size] = units.find(([, size]) => ms > 0 && ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

export function milliseconds(min: number, max: number): ValueType<number> {
  return {
    placeholder: 'time',
    expected: `a time from ${timeText(min)} to ${timeText(max)}, as 1s or 300ms`,
    parse: (value) => within(withUnit(value, TIME_UNITS_MS, 'ms'), min, max),
    format: (value) => `${value}ms`,
  };
}

/** A number without a unit counts seconds, as MQTT does. */
export function seconds(min: number, max: number): ValueType<number> {
  return {
    placeholder: 'time',
    expected: `a time from ${min} to ${max} seconds, as 90, 15m, 12h or 7d`,
    parse: (value) => {
      const ms = withUnit(value, TIME_UNITS_MS, 's');
      return within(ms === undefined ? undefined : ms / 1000, min, max);
    },
    format: (value) => `${value}s`,
  };
}

export function secondsLimit(max: number): ValueType<number> {
  return unlimitedAtZero(seconds(0, max));
}

export const ipAddress: ValueType<string> = {
  placeholder: 'address',
  expected: 'an IPv4 or IPv6 address',
  parse: (value) => {
    const bare = value.replace(/^\[(.*)\]$/, '$1');
    return isIP(bare) === 0 ? undefined : bare;
  },
  format: (value) => value,
};

/** Where other nodes send. They use the address as it is and don't resolve it: no host name. */
export interface AdvertisedAddress {
  readonly address: string;
  /** undefined: the node's own port. */
  readonly gossipPort?: number;
  readonly syncPort?: number;
}

export const advertisedAddress: ValueType<AdvertisedAddress> = {
  placeholder: 'address[:gossip[,sync]]',
  expected: 'an IPv4 or IPv6 address, with :GOSSIP or :GOSSIP,SYNC if the ports outside differ',
  parse: (value) => {
    const [, place = '', syncText] = /^([^,]*)(?:,(\d{1,5}))?$/.exec(value) ?? [];
    const parsed = parseHostPort(place);
    if (parsed === undefined || isIP(parsed.host) === 0) return undefined;
    const { host: address, port: gossipPort } = parsed;
    if (syncText === undefined)
      return gossipPort === undefined ? { address } : { address, gossipPort };
    const syncPort = within(Number(syncText), 1, 65_535);
    if (gossipPort === undefined || syncPort === undefined || gossipPort === syncPort)
      return undefined;
    return { address, gossipPort, syncPort };
  },
  format: ({ address, gossipPort, syncPort }) => {
    if (gossipPort === undefined) return address;
    const place = formatHostPort({ host: address, port: gossipPort });
    return syncPort === undefined ? place : `${place},${syncPort}`;
  },
};

/** @param defaultPort the port of a host that is written without one */
export function hostPorts(defaultPort: number): ValueType<readonly HostPort[]> {
  return {
    placeholder: 'host:port,...',
    expected:
      'host:port, several separated by commas (IPv6 as [fd00::1]:7946, not a link-local address, fe80::)',
    parse: (value) =>
      listOf(value, (part) => {
        const parsed = parseHostPort(part);
        // It means nothing on another interface, and members have addresses without one.
        if (parsed && isLinkLocal(parsed.host)) return undefined;
        return parsed && { host: parsed.host, port: parsed.port ?? defaultPort };
      }),
    format: (value) => value.map(formatHostPort).join(','),
  };
}

/** Where the HTTP API listens. */
export interface HttpAddress {
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
  /** Not written by the user: the node runs without it if the port is taken. */
  readonly isDefault: boolean;
}

/** A port alone is one on loopback: to open it to others takes an address. */
export const httpAddress: ValueType<HttpAddress | 'off'> = {
  placeholder: 'address:port|off',
  expected: 'an address with a port, as 127.0.0.1:8080 or 0.0.0.0:8080, a port on loopback, or off',
  parse: (value) => {
    if (value === 'off') return value;
    const [, place = '127.0.0.1', digits = ''] = /^(?:(.*):)?(\d{1,5})$/.exec(value) ?? [];
    const host = place === 'localhost' ? '127.0.0.1' : ipAddress.parse(place);
    const number = port.parse(digits);
    return host === undefined || number === undefined
      ? undefined
      : { host, port: number, isDefault: false };
  },
  format: (value) => (value === 'off' ? value : formatHostPort(value)),
};

/** A URL without user name and password, which a command line would show to other users. */
export const httpUrl: ValueType<string> = {
  placeholder: 'url',
  expected: 'an http:// or https:// URL without a user name',
  parse: (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
    return isHttp && url.username === '' && url.password === '' ? value : undefined;
  },
  format: maskedUrl,
};

/** An origin exactly as browsers send it: another spelling would match none of them. */
export const webOrigin: ValueType<string> = {
  placeholder: 'origin',
  expected: 'an origin as https://example.org, in small letters and without a path, or *',
  parse: (value) => {
    // `null` is the origin that a browser sends for a page without one, such as a local file.
    if (value === 'null' || value === '*') return value;
    const isShaped = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@A-Z]+$/.test(value);
    if (!isShaped || !URL.canParse(value)) return undefined;
    // Browsers leave out the scheme's default port. URL gives the origin 'null' to app schemes.
    const { origin } = new URL(value);
    return origin === 'null' || origin === value ? value : undefined;
  },
  format: (value) => value,
};

/** The path of a WebSocket request, or `*` for any path. */
export const webPath: ValueType<string> = {
  placeholder: 'path',
  expected: 'a path as /mqtt, or * for any',
  parse: (value) => (value === '*' || /^\/[^\s?#,]*$/.test(value) ? value : undefined),
  format: (value) => value,
};

/** MQTT Topic Filters separated by commas. */
export const topicFilters: ValueType<readonly string[]> = {
  placeholder: 'filter,...',
  expected: 'MQTT topic filters separated by commas, as sensors/#,alarm/+/state',
  parse: (value) => listOf(value, (part) => (isForwardableFilter(part) ? part : undefined)),
  format: (value) => value.join(','),
};

function parseHostPort(value: string): { host: string; port: number | undefined } | undefined {
  if (isIP(value) !== 0) return { host: value, port: undefined };
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(value);
  if (match === null) return undefined;
  const [, bracketed, plain, portText] = match;
  const host = bracketed ?? plain ?? '';
  if (bracketed !== undefined ? isIP(host) !== 6 : !isHost(host)) return undefined;
  if (portText === undefined) return { host, port: undefined };
  const number = within(Number(portText), 1, 65_535);
  return number === undefined ? undefined : { host, port: number };
}

function isHost(host: string): boolean {
  // A host of digits and dots alone is meant as an IPv4 address and must be one.
  return /^[\d.]+$/.test(host) ? isIP(host) === 4 : HOST_NAME.test(host);
}

function isForwardableFilter(filter: string): boolean {
  return isTopicFilter(filter) && !isReservedTopic(filter) && !filter.includes('\0');
}

function listOf<T>(
  value: string,
  parse: (part: string) => T | undefined,
): readonly T[] | undefined {
  const items: T[] = [];
  for (const part of value.split(',')) {
    const item = parse(part.trim());
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function unlimitedAtZero(type: ValueType<number>): ValueType<number> {
  return {
    ...type,
    expected: `${type.expected}; 0 for no limit`,
    parse: (value) => {
      const number = type.parse(value);
      return number === 0 ? Number.POSITIVE_INFINITY : number;
    },
    format: (value) => (value === Number.POSITIVE_INFINITY ? '0' : type.format(value)),
  };
}

function wholeNumber(value: string): number | undefined {
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/** `90`, `15m`, `64KiB`: a whole number and one of the units. */
function withUnit(
  value: string,
  units: Readonly<Record<string, number>>,
  bareUnit: string,
): number | undefined {
  const match = /^(\d{1,15})\s?([a-z]*)$/i.exec(value);
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const factor = units[unit === '' ? bareUnit : unit.toLowerCase()];
  return factor === undefined ? undefined : Number(digits) * factor;
}

function formatBytes(value: number): string {
  if (value !== 0 && value % 1024 ** 2 === 0) return `${value / 1024 ** 2}M`;
  if (value !== 0 && value % 1024 === 0) return `${value / 1024}k`;
  return String(value);
}
