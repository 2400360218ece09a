// Resolves the options and the [[listener]] tables of the file into the list of listeners to open.
// A key that is missing from a table takes the value of the option with the same name. Must not
// know anything of sockets.

import { formatHostPort } from '../shared/endpoint.ts';
import type { ListenerConfig, ListenerProtocol, ListenerTls } from '../shared/listener-config.ts';
import type { OptionValues } from './config.ts';
import { type AnyOption, option, readValue, type ValueOf } from './option.ts';
import { accessOptions } from './options-access.ts';
import { guardOptions } from './options-guards.ts';
import { listenerOptions as shared } from './options-listeners.ts';
import { mqttOptions } from './options-mqtt.ts';
import type { TomlTable } from './toml-file.ts';
import { choice, onOff, port, shownValue } from './value-types.ts';

/** The keys that a [[listener]] may have. */
export const listenerTable = {
  protocol: option({
    flag: 'protocol',
    group: 'Listeners',
    type: choice(['tcp', 'tls', 'ws', 'wss']),
    fallback: 'tcp',
    help: 'protocol of the listener: MQTT over TCP, TLS, WebSocket, or WebSocket over TLS',
  }),
  port: option({
    flag: 'port',
    group: 'Listeners',
    type: port,
    fallback: undefined,
    fallbackText: 'none: it is required',
    help: 'TCP port',
  }),
  anonymous: option({
    flag: 'anonymous',
    group: 'Listeners',
    type: onOff,
    fallback: undefined,
    fallbackText: 'as the node decides',
    help: 'accept clients that send no user name',
  }),
  passwordFile: accessOptions.passwordFile,
  aclFile: accessOptions.aclFile,
  tokenKeyFile: accessOptions.tokenKeyFile,
  authUrl: accessOptions.authUrl,
  connectionsMax: mqttOptions.connectionsMax,
  packetBytesMax: mqttOptions.packetBytesMax,
  maximumQos: mqttOptions.maximumQos,
  ...guardOptions,
  bindAddress: shared.bindAddress,
  proxyProtocol: shared.proxyProtocol,
  cert: shared.cert,
  key: shared.key,
  ca: shared.ca,
  crl: shared.crl,
  clientCertificate: shared.clientCertificate,
  identityAsUsername: shared.identityAsUsername,
  tlsVersion: shared.tlsVersion,
  paths: shared.paths,
  origins: shared.origins,
} as const;

export type TableKey = keyof typeof listenerTable;

/** Keys that have a meaning only for some protocols. */
interface ProtocolKeys {
  readonly keys: readonly TableKey[];
  readonly protocols: readonly ListenerProtocol[];
}

const tlsKeys: ProtocolKeys = {
  keys: ['cert', 'key', 'ca', 'crl', 'clientCertificate', 'identityAsUsername', 'tlsVersion'],
  protocols: ['tls', 'wss'],
};
const webSocketKeys: ProtocolKeys = { keys: ['paths', 'origins'], protocols: ['ws', 'wss'] };

/** Whether a listener of this protocol has this key. */
export function isKeyOf(key: TableKey, protocol: ListenerProtocol): boolean {
  return [tlsKeys, webSocketKeys].every(
    ({ keys, protocols }) => !keys.includes(key) || protocols.includes(protocol),
  );
}

type TableValues = { readonly [Key in TableKey]: ValueOf<(typeof listenerTable)[Key]> };

export const listenerKeys: readonly string[] = Object.values(listenerTable).map(
  (row: AnyOption) => row.flag,
);

/** @param problems receives a line for each mistake */
export function resolveListeners(
  values: OptionValues,
  tables: readonly TomlTable[],
  problems: string[],
): ListenerConfig[] {
  const listeners: ListenerConfig[] = [];
  const add = (place: string, own: TableValues): void => {
    const listener = listenerOf(place, own, values.connectTimeoutSeconds, problems);
    if (listener === undefined) return;
    // Several listeners may ask for any free port (0).
    let { id } = listener;
    for (let n = 2; listeners.some((other) => other.id === id); n++) id = `${listener.id} #${n}`;
    listeners.push({ ...listener, id });
  };
  for (const [protocol, row, port] of [
    ['tcp', shared.port, values.port],
    ['tls', shared.tlsPort, values.tlsPort],
    ['ws', shared.wsPort, values.wsPort],
    ['wss', shared.wssPort, values.wssPort],
  ] as const) {
    if (port !== 'off') add(`-${row.flag}`, { ...values, anonymous: undefined, protocol, port });
  }
  for (const table of tables) {
    const before = problems.length;
    const own = tableValues(values, table, problems);
    if (problems.length === before) add(table.place, own);
  }
  if (listeners.length === 0 && problems.length === 0) {
    problems.push(
      'no listener: -port is off, and none of -tls, -ws, -wss and [[listener]] is given',
    );
  }
  return listeners;
}

/** The mistakes inside the tables, for a file whose other settings are wrong already. */
export function wrongTableValues(tables: readonly TomlTable[]): string[] {
  const problems: string[] = [];
  for (const table of tables) parseTable(table, problems);
  return problems;
}

function parseTable(table: TomlTable, problems: string[]): Partial<Record<TableKey, unknown>> {
  const own: Partial<Record<TableKey, unknown>> = {};
  for (const key of Object.keys(listenerTable) as TableKey[]) {
    const row: AnyOption = listenerTable[key];
    const setting = table.settings.get(row.flag);
    const parsed: unknown = setting && readValue(row, setting);
    if (setting !== undefined && parsed === undefined) {
      const { place, text } = setting;
      problems.push(
        text === ''
          ? `${place}: '${row.flag}' needs a value: ${row.type.expected}`
          : `${place}: bad value${shownValue(row.type, text)} for '${row.flag}': expected ${row.type.expected}`,
      );
    }
    if (parsed !== undefined) own[key] = parsed;
  }
  const isKnown = own.protocol !== undefined || !table.settings.has('protocol');
  if (isKnown) checkProtocol(table, own, problems);
  return own;
}

/** Refuses `cert` on a tcp listener, for example: it would pass for a port with TLS. */
function checkProtocol(
  { settings }: TomlTable,
  own: Partial<Record<TableKey, unknown>>,
  problems: string[],
): void {
  const protocol = (own.protocol ?? listenerTable.protocol.fallback) as ListenerProtocol;
  const unused = (Object.keys(own) as TableKey[]).filter(
    (key) => !isKeyOf(key, protocol) && own[key] !== false && own[key] !== 'no',
  );
  for (const needed of [tlsKeys, webSocketKeys]) {
    const flags = unused
      .filter((key) => needed.keys.includes(key))
      .map((key) => listenerTable[key].flag);
    const [first = ''] = flags;
    if (flags.length === 0) continue;
    const words = needed.protocols.map((word) => `"${word}"`).join(' or ');
    problems.push(
      `${settings.get(first)?.place}: ${flags.join(', ')}: only with protocol = ${words}; this listener is ${protocol}`,
    );
  }
}

function tableValues(values: OptionValues, table: TomlTable, problems: string[]): TableValues {
  // A key of the table, parsed by its own row, replaces the option's value.
  return {
    ...values,
    protocol: 'tcp',
    port: undefined,
    anonymous: undefined,
    ...parseTable(table, problems),
  } as TableValues;
}

function listenerOf(
  place: string,
  own: TableValues,
  connectTimeoutSeconds: number,
  problems: string[],
): ListenerConfig | undefined {
  const { protocol, bindAddress: bind, port, anonymous, passwordFile, aclFile } = own;
  const { connectionsMax, packetBytesMax, maximumQos, proxyProtocol, paths, origins } = own;
  if (port === undefined) {
    problems.push(`${place}: the listener has no port`);
    return undefined;
  }
  const usesTls = tlsKeys.protocols.includes(protocol);
  return {
    id: formatHostPort({ host: bind ?? '*', port }),
    place,
    protocol,
    bind,
    port,
    connectionsMax,
    packetBytesMax,
    maximumQos,
    rates: {
      clientMessages: own.clientMessageRate,
      clientBytes: own.clientByteRate,
      listenerMessages: own.messageRate,
      listenerBytes: own.byteRate,
      burstSeconds: own.rateBurstSeconds,
    },
    connectRate: own.connectRate,
    connectTimeoutSeconds,
    anonymous,
    passwordFile,
    aclFile,
    tokenKeyFile: own.tokenKeyFile,
    authUrl: own.authUrl,
    proxyProtocol,
    paths,
    origins,
    tls: usesTls ? tlsOf(place, own, problems) : undefined,
  };
}

function tlsOf(place: string, own: TableValues, problems: string[]): ListenerTls {
  const { cert = [], key = [], ca, crl, clientCertificate, identityAsUsername } = own;
  if (cert.length === 0 || cert.length !== key.length) {
    problems.push(
      cert.length === 0 || key.length === 0
        ? `${place}: TLS needs a certificate and its key: -cert=FILE -key=FILE`
        : `${place}: TLS needs one key for each certificate; -cert names ${cert.length} and -key ${key.length}`,
    );
  }
  if (clientCertificate !== 'no' && ca === undefined) {
    problems.push(
      `${place}: -require-certificate=${clientCertificate} needs -ca=FILE, the authority that issued the client certificates`,
    );
  }
  if (identityAsUsername && clientCertificate === 'no') {
    problems.push(
      `${place}: -use-identity-as-username needs -require-certificate=optional or required`,
    );
  }
  const minVersion = own.tlsVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2';
  return { cert, key, ca, crl, clientCertificate, identityAsUsername, minVersion };
}
