// Removes secrets from the output of `ps` and from /proc/PID/cmdline: on Linux a new process title
// overwrites the memory of the arguments. (bin/shoal.ts removes the token from the environment too.
// Only the same user can read that, but child processes would inherit it.)

import { optionTable } from '../config/config.ts';
import type { AnyOption } from '../config/option.ts';

const options = new Map<string, AnyOption>(
  Object.values(optionTable).map((row: AnyOption) => [row.flag, row]),
);

/** @param tokens the arguments without node and script */
export function maskedTitle(tokens: readonly string[]): string {
  const shown: string[] = ['shoal'];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? '';
    // An argument of this command may be a password.
    if (token === 'passwd') return [...shown, token].join(' ');
    const [, flag = '', equals = '', value = ''] = /^--?([^=]+)(=?)(.*)$/s.exec(token) ?? [];
    const type = options.get(flag)?.type;
    const takesNext = equals === '' && type?.placeholder !== undefined;
    if (takesNext) index += 1;
    const given = takesNext ? tokens[index] : value;
    if (type === undefined || given === undefined) shown.push(token);
    else if (equals === '' && !takesNext) shown.push(token);
    else shown.push(`-${flag}=${masked(given, type)}`);
  }
  return shown.join(' ');
}

export function hideSecrets(tokens: readonly string[]): void {
  process.title = maskedTitle(tokens);
}

/** A token becomes stars, and so does the query of a URL: it may hold a key. */
function masked(value: string, type: AnyOption['type']): string {
  if (type.secret === true) return '***';
  return type === optionTable.authUrl.type ? type.format(value) : value;
}
