// Go-style flags for commander, which refuses long names after a single dash and would read
// `-nid=node1` as `-n "id=node1"`. Before commander parses the arguments they are rewritten by its
// own option tables: `-nid=x`, `-nid x`, `--nid=x` and `--nid x` all become `--nid=x`. A flag with a
// value takes the next token whatever it looks like, `-name=false` becomes `--no-name`, and single
// letters and everything after `--` stay as they are. Invariant: an unknown flag is passed on, so
// that commander reports it.

import type { Command, Option } from 'commander';
import { UsageError } from './exit-codes.ts';

const TRUE_WORDS = ['true', '1', 'yes', 'on'];
const FALSE_WORDS = ['false', '0', 'no', 'off'];

/** @param tokens the arguments from the shell, without node and script */
export function normalizeArgv(tokens: readonly string[], program: Command): string[] {
  const normalized: string[] = [];
  let command = program;
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? '';
    if (token === '--') return [...normalized, ...tokens.slice(index)];
    if (!/^--?[a-z]/i.test(token)) {
      command = command.commands.find((candidate) => isNamed(candidate, token)) ?? command;
      normalized.push(token);
      continue;
    }
    const { name, value } = split(token);
    const option = findOption(command, name, token);
    if (option?.required && value === undefined) {
      const next = tokens[++index];
      normalized.push(...withValue(option, next));
    } else {
      normalized.push(...withoutNext(option, name, value, token));
    }
  }
  return normalized;
}

function isNamed(command: Command, name: string): boolean {
  return command.name() === name || command.aliases().includes(name);
}

function split(token: string): { name: string; value: string | undefined } {
  const body = token.replace(/^--?/, '');
  const equals = body.indexOf('=');
  if (equals === -1) return { name: body, value: undefined };
  return { name: body.slice(0, equals), value: body.slice(equals + 1) };
}

function findOption(command: Command, name: string, token: string): Option | undefined {
  if (name.length === 1 && !token.startsWith('--')) {
    return command.options.find((option) => option.short === `-${name}`);
  }
  return command.options.find((option) => option.long === `--${name}`);
}

function withValue(option: Option, value: string | undefined): string[] {
  const name = option.long ?? option.short ?? '';
  if (value === undefined) return [name];
  return option.long === undefined ? [name, value] : [`${name}=${value}`];
}

function withoutNext(
  option: Option | undefined,
  name: string,
  value: string | undefined,
  token: string,
): string[] {
  if (option?.required) return withValue(option, value);
  if (name.length === 1 && !token.startsWith('--')) return [token];
  // Without its value, so that commander can suggest a similar name.
  if (option === undefined || value === undefined) return [`--${name}`];
  const word = value.toLowerCase();
  if (TRUE_WORDS.includes(word)) return [`--${name}`];
  if (FALSE_WORDS.includes(word)) return [`--no-${name}`];
  throw new UsageError(`bad value '${value}' for -${name}: expected true or false`);
}
