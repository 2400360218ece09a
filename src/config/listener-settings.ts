// The settings of one listener or bridge, key by key, each with its origin: its own table or, for a
// listener, the option of the same name. Only for display and messages; listeners are opened from
// ListenerConfig, and bridges from BridgeConfig.

import type { ListenerConfig } from '../shared/listener-config.ts';
import { bridgeTable } from './bridges.ts';
import { isKeyOf, listenerTable, type TableKey } from './listeners.ts';
import type { LoadedConfig, Origin } from './load.ts';
import { type AnyOption, readValue } from './option.ts';
import type { TomlTable } from './toml-file.ts';

export interface ListenerSetting {
  readonly key: TableKey;
  readonly row: AnyOption;
  readonly value: unknown;
  readonly origin: Origin;
}

function ratesOf({ rates }: ListenerConfig) {
  return {
    clientMessageRate: rates.clientMessages,
    clientByteRate: rates.clientBytes,
    messageRate: rates.listenerMessages,
    byteRate: rates.listenerBytes,
    rateBurstSeconds: rates.burstSeconds,
  };
}

/** The values of a listener by the keys of its table. */
export function valuesOf(listener: ListenerConfig): Readonly<Record<string, unknown>> {
  return {
    ...listener,
    ...listener.tls,
    ...ratesOf(listener),
    tlsVersion: listener.tls?.minVersion.replace('TLSv', ''),
  };
}

/** Every key that the listener's protocol has, except protocol, port and bind. */
export function settingsOf(
  { origins, tables }: Pick<LoadedConfig, 'origins' | 'tables'>,
  listener: ListenerConfig,
): ListenerSetting[] {
  const table = tables.find(({ place }) => place === listener.place);
  const values = valuesOf(listener);
  return (Object.keys(listenerTable) as TableKey[]).flatMap((key) => {
    if (key === 'protocol' || key === 'port' || key === 'bindAddress') return [];
    if (!isKeyOf(key, listener.protocol)) return [];
    const row = listenerTable[key];
    const own = table?.settings.get(row.flag);
    const origin: Origin =
      own === undefined
        ? origins[key === 'anonymous' ? 'anonymousAllowed' : key]
        : { source: 'file', place: own.place };
    return [{ key, row, value: values[key], origin }];
  });
}

/** Every key of a [[bridge]]. */
export function bridgeSettings({ settings }: TomlTable): Omit<ListenerSetting, 'key'>[] {
  return Object.values(bridgeTable).map((row: AnyOption) => {
    const own = settings.get(row.flag);
    const value: unknown = own === undefined ? row.fallback : readValue(row, own);
    const origin: Origin =
      own === undefined ? { source: 'default', place: '' } : { source: 'file', place: own.place };
    return { row, value, origin };
  });
}
