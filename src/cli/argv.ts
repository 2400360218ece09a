// Go-style flags for commander, which refuses long names after a single dash and would read
// `-nid=node1` as `-n "id=node1"`. Before commander parses the arguments they are rewritten by its
// own option tables: `-nid=x`, `-nid x`, `--nid=x` and `--nid x` all become `--nid=x`. A flag with a
// value takes the next token whatever it looks like, `-name=false` becomes `--no-name`, and single
// letters and everything after `--` stay as they are. A flag before the name of a subcommand moves
// behind it: the subcommand reads it, or commander refuses it. Invariant: an unknown flag is passed
// on, so that commander reports it.

import type { Command, Option } from 'commander';
import { UsageError } from './exit-codes.ts';

const TRUE_WORDS = ['true', '1', 'yes', 'on'];
const FALSE_WORDS = ['false', '0', 'no', 'off'];

/** @param tokens the arguments from the shell, without node and script */
export function normalizeArgv(tokens: readonly string[], program: Command): string[] {
  let normalized: string[] = [];
  let command = program;
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? '';
    if (token === '--') return [...normalized, ...tokens.slice(index)];
    if (!/^--?[a-z]/i.test(token)) {
      normalized.push(token);
      const subcommand = command.commands.find((candidate) => isNamed(candidate, token));
      if (subcommand !== undefined) {
        normalized = withFlagsBehind(normalized, program, subcommand);
        command = subcommand;
      }
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
  return isGroup(command) ? withoutFlagsOf(program, normalized, command) : normalized;
}

/** True for `retained` and its like, which do nothing without a subcommand. */
function isGroup({ parent, commands }: Command): boolean {
  return parent !== null && commands.length > 0;
}

/** Flags that moved behind a group would be for its subcommand. Without one, commander shows the help of the group. */
function withoutFlagsOf(program: Command, words: string[], group: Command): string[] {
  return words.filter((word) => {
    const { name } = split(word);
    return !word.startsWith('--') || !isKnown(program, name) || isKnown(group, name);
  });
}

/** Moves flags of the program behind the name of a subcommand; those after it come later, and win. */
function withFlagsBehind(words: string[], program: Command, subcommand: Command): string[] {
  const others: string[] = [];
  const flags: string[] = [];
  for (const word of words) {
    const { name } = split(word);
    if (!word.startsWith('--') || name === 'version' || !isKnown(program, name)) others.push(word);
    else if (subcommand.commands.length > 0 || isKnown(subcommand, name)) flags.push(word);
    // Without its value, which may be a secret: commander prints the flag that it refuses.
    else flags.push(`--${name}`);
  }
  return [...others, ...flags];
}

function isKnown(command: Command, name: string): boolean {
  return command.options.some(({ long }) => long === `--${name}`);
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
