// The options that every node of a cluster must have alike. A node shows its own to the others, and an invitation
// takes those to a new box that are not at their default.

import { type Config, optionTable } from './config.ts';

const KEYS = [
  'retainedSync',
  'clientTakeover',
  'sharedGroups',
  'tombstoneSeconds',
  'forwardedTopics',
  'largeBytes',
  'roaming',
] as const;

/** By flag; a list as one text. */
export type SharedOptions = Readonly<Record<string, string | number | boolean>>;
/** By flag. */
export type ChangedOptions = Readonly<
  Record<string, string | number | boolean | readonly string[]>
>;

export const sharedFlags: readonly string[] = KEYS.map((key) => optionTable[key].flag);

export function sharedOptions(config: Config): SharedOptions {
  return Object.fromEntries(
    KEYS.map((key) => {
      const value = config[key];
      return [optionTable[key].flag, typeof value === 'object' ? value.join(',') : value];
    }),
  );
}

/** Those that are not at their default. */
export function changedOptions(config: Config): ChangedOptions {
  const changed = KEYS.filter((key) => String(config[key]) !== String(optionTable[key].fallback));
  return Object.fromEntries(changed.map((key) => [optionTable[key].flag, config[key]]));
}
