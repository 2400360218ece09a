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

/** A flag, as `-csk`, or a key of a table with a hyphen, as `client-id`: without one it is a plain word. */
const NAME = /(?<![\w/.-])(?:-([a-z][a-z0-9-]*)|[a-z0-9]+(?:-[a-z0-9]+)+)/g;

/** A message for the user, with the names that a program uses. */
export function inOptionNames(text: string): string {
  return text
    .replace(NAME, (whole, flag = whole) => (flags.has(flag) ? optionName(flag) : whole))
    .replace(/\[\[(listener|bridge)\]\]/g, '$1s');
}
