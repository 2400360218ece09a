// What SIGHUP may change while the node runs, beside listeners and files. An option that was announced
// to clients, or that the cluster was joined with, keeps its value until a restart: its row has no
// `reload`.

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
  // Another token is taken over, but a cluster is neither joined nor left, nor moved as listeners are.
  if (isClustered(before) !== isClustered(after)) flags.push('-csk');
  else if (isClustered(after) && changed.includes('bindAddress')) flags.push('-bind');
  return flags;
}
