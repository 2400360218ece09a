// The names of options in a program: the flag of the command line in camelCase, so that `-queue-length`
// is `queueLength`. The option table stays the one list of names.

import { bridgeKeys } from '../config/bridges.ts';
import { type ConfigKey, optionTable } from '../config/config.ts';
import { listenerKeys } from '../config/listeners.ts';

/** Of the log lines that a terminal or a file gets: a program formats its log itself. */
const WITHOUT_MEANING: readonly ConfigKey[] = ['logFormat', 'logTime'];

export const nodeKeys = (Object.keys(optionTable) as ConfigKey[]).filter(
  (key) => !WITHOUT_MEANING.includes(key),
);

const flags: ReadonlySet<string> = new Set([
  ...Object.values(optionTable).map(({ flag }) => flag),
  ...listenerKeys,
  ...bridgeKeys,
]);

export function optionName(flag: string): string {
  return flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** A message of the configuration, with the names that a program uses. */
export function inOptionNames(text: string): string {
  return text.replace(/(?<![\w-])-([a-z][a-z0-9-]*)/g, (whole, flag: string) =>
    flags.has(flag) ? optionName(flag) : whole,
  );
}
