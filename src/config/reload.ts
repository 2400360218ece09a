// The options that SIGHUP may change while the node runs, besides listeners and files. An option
// that the node has announced to clients, or joined the cluster with, has no `reload` in its row and
// keeps its value until a restart.

import type { BrokerOptions } from '../broker/options.ts';
import { type Config, type ConfigKey, isClustered, optionTable } from './config.ts';
import type { AnyOption } from './option.ts';
import { mqttOptions } from './options-mqtt.ts';

/** The options of the broker that SIGHUP applies, with their new values. */
export function reloadableBrokerOptions(config: Config): Partial<BrokerOptions> {
  const rows: [string, AnyOption][] = Object.entries(mqttOptions);
  const reloadable = rows.filter(([, row]) => row.reload === true).map(([key]) => key as ConfigKey);
  return Object.fromEntries(reloadable.map((key) => [key, config[key]]));
}

/** @returns the flags whose change has no effect before a restart */
export function flagsNeedingRestart(before: Config, after: Config): string[] {
  const changed = (Object.keys(optionTable) as ConfigKey[]).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  const rows: AnyOption[] = changed.map((key) => optionTable[key]);
  const flags = rows.filter((row) => row.reload !== true).map((row) => `-${row.flag}`);
  // SIGHUP replaces a token, but it neither joins nor leaves a cluster, nor moves its sockets.
  if (isClustered(before) !== isClustered(after)) flags.push('-csk');
  else if (isClustered(after) && changed.includes('bindAddress')) flags.push('-bind');
  return flags;
}

/** @returns what counts until a restart: `next`, but without what waits for the restart */
export function configInForce(before: Config, next: Config): Config {
  const kept = (Object.keys(optionTable) as ConfigKey[]).filter(
    (key) => (optionTable[key] as AnyOption).reload !== true,
  );
  return { ...next, ...Object.fromEntries(kept.map((key) => [key, before[key]])) };
}
