// What SIGHUP may change while the node runs. An option that was announced to clients, or that a
// socket or key was made from, keeps its value until a restart: its row has no `reload`.

import type { BrokerOptions } from '../broker/options.ts';
import { type Config, type ConfigKey, isClustered, optionTable } from './config.ts';
import type { AnyOption } from './option.ts';
import { mqttOptions } from './options-mqtt.ts';

/** The broker's options that may change, with their new values. */
export function reloadableBrokerOptions(config: Config): Partial<BrokerOptions> {
  const rows: [string, AnyOption][] = Object.entries(mqttOptions);
  const kept = rows.filter(([, row]) => row.reload === true).map(([key]) => key as ConfigKey);
  return Object.fromEntries(kept.map((key) => [key, config[key]]));
}

/** @returns the flags that were changed in vain */
export function flagsNeedingRestart(before: Config, after: Config): string[] {
  const changed = (Object.keys(optionTable) as ConfigKey[]).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  const rows: AnyOption[] = changed.map((key) => optionTable[key]);
  const flags = rows.filter((row) => row.reload !== true).map((row) => `-${row.flag}`);
  // Another token is taken over, but a cluster is neither joined nor left.
  if (isClustered(before) !== isClustered(after)) flags.push('-csk');
  return tablesOf(before) === tablesOf(after) ? flags : [...flags, '[[listener]]'];
}

/** What the file's listeners are, without what may change: limits, and the line they stand in. */
function tablesOf({ listeners }: Config): string {
  const tables = listeners.filter(({ place }) => !place.startsWith('-'));
  return JSON.stringify(
    tables.map((table) => ({ ...table, place: '', connectionsMax: 0, packetBytesMax: 0 })),
  );
}
