// From options and the file's [[listener]] tables to the list of what is opened. A key that a table
// doesn't have is taken from the option of the same name. Knows nothing of sockets.

import { formatHostPort } from '../shared/endpoint.ts';
import type { ListenerConfig, ListenerProtocol, ListenerTls } from '../shared/listener-config.ts';
import type { OptionValues } from './config.ts';
import { type AnyOption, option, readValue, type ValueOf } from './option.ts';
import { accessOptions } from './options-access.ts';
import { listenerOptions as shared } from './options-listeners.ts';
import { mqttOptions } from './options-mqtt.ts';
import type { TomlTable } from './toml-file.ts';
import { choice, onOff, port } from './value-types.ts';

/** The keys that a [[listener]] may have. */
export const listenerTable = {
  protocol: option({
    flag: 'protocol',
    group: 'Listeners',
    type: choice(['tcp', 'tls', 'ws', 'wss']),
    fallback: 'tcp',
    help: 'what is spoken: MQTT over TCP or TLS, or over WebSocket on these',
  }),
  port: option({
    flag: 'port',
    group: 'Listeners',
    type: port,
    fallback: undefined,
    fallbackText: 'none: it has to be given',
    help: 'TCP port',
  }),
  anonymous: option({
    flag: 'anonymous',
    group: 'Listeners',
    type: onOff,
    fallback: undefined,
    fallbackText: 'as for the node',
    help: 'let clients in that bring no user name',
  }),
  passwordFile: accessOptions.passwordFile,
  aclFile: accessOptions.aclFile,
  connectionsMax: mqttOptions.connectionsMax,
  packetBytesMax: mqttOptions.packetBytesMax,
  bindAddress: shared.bindAddress,
  proxyProtocol: shared.proxyProtocol,
  cert: shared.cert,
  key: shared.key,
  ca: shared.ca,
  crl: shared.crl,
  clientCertificate: shared.clientCertificate,
  identityAsUsername: shared.identityAsUsername,
  tlsVersion: shared.tlsVersion,
  origins: shared.origins,
} as const;

export type TableKey = keyof typeof listenerTable;

interface Needs {
  readonly keys: readonly TableKey[];
  readonly protocols: readonly ListenerProtocol[];
}

/** Keys that only some protocols have a use for. */
const tls: Needs = {
  keys: ['cert', 'key', 'ca', 'crl', 'clientCertificate', 'identityAsUsername', 'tlsVersion'],
  protocols: ['tls', 'wss'],
};
const webSocket: Needs = { keys: ['origins'], protocols: ['ws', 'wss'] };

export function isKeyOf(key: TableKey, protocol: ListenerProtocol): boolean {
  return [tls, webSocket].every(
    ({ keys, protocols }) => !keys.includes(key) || protocols.includes(protocol),
  );
}

type TableValues = { readonly [Key in TableKey]: ValueOf<(typeof listenerTable)[Key]> };

export const listenerKeys: readonly string[] = Object.values(listenerTable).map(
  (row: AnyOption) => row.flag,
);

/** @param problems is added to: a line for each thing that is wrong */
export function resolveListeners(
  values: OptionValues,
  tables: readonly TomlTable[],
  problems: string[],
): ListenerConfig[] {
  const listeners: ListenerConfig[] = [];
  const add = (place: string, own: TableValues): void => {
    const listener = listenerOf(place, own, values.connectTimeoutSeconds, problems);
    if (listener === undefined) return;
    // Several may ask for any free port.
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
      'no listener: -port is off, and neither -tls, -ws, -wss nor a [[listener]] is given',
    );
  }
  return listeners;
}

/** What stands in the tables and can't be; for a file that has other faults, too. */
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
        `${place}: bad value '${text}' for '${row.flag}': expected ${row.type.expected}`,
      );
    }
    if (parsed !== undefined) own[key] = parsed;
  }
  const isKnown = own.protocol !== undefined || !table.settings.has('protocol');
  if (isKnown) checkProtocol(table, own, problems);
  return own;
}

/** A key that its protocol has no use for: a port in the clear would pass for one with TLS. */
function checkProtocol(
  { settings }: TomlTable,
  own: Partial<Record<TableKey, unknown>>,
  problems: string[],
): void {
  const protocol = (own.protocol ?? listenerTable.protocol.fallback) as ListenerProtocol;
  const idle = (Object.keys(own) as TableKey[]).filter(
    (key) => !isKeyOf(key, protocol) && own[key] !== false && own[key] !== 'no',
  );
  for (const needed of [tls, webSocket]) {
    const flags = idle
      .filter((key) => needed.keys.includes(key))
      .map((key) => listenerTable[key].flag);
    const [first = ''] = flags;
    if (flags.length === 0) continue;
    const words = needed.protocols.map((word) => `"${word}"`).join(' or ');
    problems.push(
      `${settings.get(first)?.place}: ${flags.join(', ')}: only with protocol = ${words}, and this listener is ${protocol}`,
    );
  }
}

function tableValues(values: OptionValues, table: TomlTable, problems: string[]): TableValues {
  // Each key of the table is parsed by its own row, or stays as the option has it.
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
  const { connectionsMax, packetBytesMax, proxyProtocol, origins } = own;
  if (port === undefined) {
    problems.push(`${place}: the listener has no port`);
    return undefined;
  }
  const usesTls = tls.protocols.includes(protocol);
  return {
    id: formatHostPort({ host: bind ?? '*', port }),
    place,
    protocol,
    bind,
    port,
    connectionsMax,
    packetBytesMax,
    connectTimeoutSeconds,
    anonymous,
    passwordFile,
    aclFile,
    proxyProtocol,
    origins,
    tls: usesTls ? tlsOf(place, own, problems) : undefined,
  };
}

function tlsOf(place: string, own: TableValues, problems: string[]): ListenerTls {
  const { cert = [], key = [], ca, crl, clientCertificate, identityAsUsername } = own;
  if (cert.length === 0 || cert.length !== key.length) {
    problems.push(
      `${place}: TLS needs a certificate and its key (-cert=FILE -key=FILE); given are ${cert.length} and ${key.length}`,
    );
  }
  if (clientCertificate !== 'no' && ca === undefined) {
    problems.push(
      `${place}: -require-certificate=${clientCertificate} needs -ca=FILE, the authority that made them`,
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
