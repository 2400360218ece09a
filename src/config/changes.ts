// What differs between two configurations, in words for the log: each option with its value before and
// after. Secrets are shown as stars.

import { type Config, type ConfigKey, optionTable } from './config.ts';
import { valuesOf } from './listener-settings.ts';
import { isKeyOf, listenerTable, type TableKey } from './listeners.ts';
import type { AnyOption } from './option.ts';

export interface Change {
  /** As `-max-connections`, or `max-connections of the listener *:1883`. */
  readonly option: string;
  readonly from: string;
  readonly to: string;
}

export function changesOf(before: Config, after: Config): Change[] {
  const keys = Object.keys(optionTable) as ConfigKey[];
  const own = keys.flatMap((key) =>
    change(`-${optionTable[key].flag}`, optionTable[key], before[key], after[key]),
  );
  return [...own, ...after.listeners.flatMap((listener) => listenerChanges(before, listener))];
}

/** Of a [[listener]] only: the others have the values of the options. */
function listenerChanges(before: Config, listener: Config['listeners'][number]): Change[] {
  const known = before.listeners.find(({ id }) => id === listener.id);
  if (known === undefined || listener.place.startsWith('-')) return [];
  const [old, now] = [valuesOf(known), valuesOf(listener)];
  return (Object.keys(listenerTable) as TableKey[]).flatMap((key) => {
    if (!isKeyOf(key, listener.protocol)) return [];
    const row: AnyOption = listenerTable[key];
    return change(`${row.flag} of the listener ${listener.id}`, row, old[key], now[key]);
  });
}

function change(option: string, { type }: AnyOption, before: unknown, after: unknown): Change[] {
  const format = (value: unknown): string => (value === undefined ? 'none' : type.format(value));
  if (JSON.stringify(before) === JSON.stringify(after) && format(before) === format(after)) {
    return [];
  }
  return [{ option, from: format(before), to: format(after) }];
}
