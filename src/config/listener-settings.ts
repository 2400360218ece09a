// What holds for a listener, key by key, each with where it was said: in its own table, or by the
// option of the same name. For what the user is told; listeners are opened by their Config.

import type { ListenerConfig } from '../shared/listener-config.ts';
import { isKeyOf, listenerTable, type TableKey } from './listeners.ts';
import type { LoadedConfig, Origin } from './load.ts';
import type { AnyOption } from './option.ts';

export interface ListenerSetting {
  readonly key: TableKey;
  readonly row: AnyOption;
  readonly value: unknown;
  readonly origin: Origin;
}

/** All but protocol and address, of those keys that its protocol has. */
export function settingsOf(
  { origins, tables }: Pick<LoadedConfig, 'origins' | 'tables'>,
  listener: ListenerConfig,
): ListenerSetting[] {
  const table = tables.find(({ place }) => place === listener.place);
  const values: Readonly<Record<string, unknown>> = {
    ...listener,
    ...listener.tls,
    tlsVersion: listener.tls?.minVersion.replace('TLSv', ''),
  };
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
