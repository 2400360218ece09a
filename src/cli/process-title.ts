// Removes secrets from the output of `ps` and from /proc/PID/cmdline: on Linux a new process title
// overwrites the memory of the arguments. (bin/shoal.ts removes the token from the environment too.
// Only the same user can read that, but child processes would inherit it.)

import { optionTable } from '../config/config.ts';
import type { AnyOption } from '../config/option.ts';
import { maskedUrl } from '../shared/masked-url.ts';

const STARS = '***';
/** Commands whose arguments are not shown: a password, an invitation. */
const SECRET_COMMANDS = ['passwd', 'join'];
/** Flags of commands with a password, or with a body that may contain one. */
const SECRET_FLAGS = ['P', 'pw', 'body'];
/** Flags of commands with a URL that may contain a password. */
const URL_FLAGS = ['L', 'url', 'sub-url'];

const options = new Map<string, AnyOption>(
  Object.values(optionTable).map((row: AnyOption) => [row.flag, row]),
);

/** @param tokens the arguments without node and script */
export function maskedTitle(tokens: readonly string[]): string {
  const shown: string[] = ['shoal'];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? '';
    if (SECRET_COMMANDS.includes(token)) return [...shown, token].join(' ');
    // `config set NAME VALUE`: the value may be a secret.
    if (token === 'set' && shown.at(-1) === 'config') {
      return [...shown, token, tokens[index + 1] ?? '', STARS].join(' ');
    }
    const [, flag = '', equals = '', value = ''] = /^--?([^=]+)(=?)(.*)$/s.exec(token) ?? [];
    const takesNext = equals === '' && takesValue(flag);
    if (takesNext) index += 1;
    const given = takesNext ? tokens[index] : value;
    const isPlain = !isKnown(flag) || given === undefined || (equals === '' && !takesNext);
    shown.push(isPlain ? token : `-${flag}=${masked(flag, given)}`);
  }
  return shown.join(' ');
}

export function hideSecrets(tokens: readonly string[]): void {
  process.title = maskedTitle(tokens);
}

function isOfCommand(flag: string): boolean {
  return SECRET_FLAGS.includes(flag) || URL_FLAGS.includes(flag);
}

function isKnown(flag: string): boolean {
  return options.has(flag) || isOfCommand(flag);
}

function takesValue(flag: string): boolean {
  return options.get(flag)?.type.placeholder !== undefined || isOfCommand(flag);
}

function masked(flag: string, value: string): string {
  const isSecret = options.get(flag)?.type.secret === true || SECRET_FLAGS.includes(flag);
  return isSecret ? STARS : maskedUrl(value);
}
