// The commands and flags as shell completions need them, read from the same definitions as parser and
// help: a new option or command completes without more work.

import type { Command, Option } from 'commander';
import { optionTable } from '../../config/config.ts';

/** What may follow a flag or be an operand. */
export type Values =
  | { readonly kind: 'none' | 'text' | 'file' | 'folder' }
  | { readonly kind: 'choice'; readonly words: readonly string[] }
  /** What a node that runs here knows: `shoal names` prints it. */
  | { readonly kind: 'live'; readonly list: 'nodes' | 'clients' };

const OPTIONS = Object.values(optionTable).map(({ flag }) => flag);

export interface Flag {
  /** As users type it, without its value: `-nid`, `-h`. */
  readonly name: string;
  readonly help: string;
  readonly values: Values;
}

export interface CommandNode {
  /** `config show`; empty for the program itself. */
  readonly path: string;
  readonly name: string;
  readonly help: string;
  readonly flags: readonly Flag[];
  readonly commands: readonly CommandNode[];
  readonly operand: Values;
}

/** @param path the commands above, with spaces between them */
export function commandTree(command: Command, path = ''): CommandNode {
  const { options, commands, registeredArguments } = command;
  const [first] = registeredArguments;
  const shown = command.createHelp();
  const visible = shown.visibleOptions(command);
  const shownCommands = shown.visibleCommands(command);
  // Commander keeps the flag of the help apart from the others.
  const help = visible.filter((option) => !options.includes(option));
  return {
    path,
    name: command.name(),
    help: oneLine(command.description()),
    flags: [...options.filter(({ hidden }) => !hidden), ...help].flatMap(flagsOf),
    commands: commands
      .filter((child) => shownCommands.includes(child))
      .map((child) => commandTree(child, `${path} ${child.name()}`.trim())),
    operand:
      first?.argChoices === undefined
        ? valuesNamed(first?.name())
        : { kind: 'choice', words: first.argChoices },
  };
}

/** All commands, the program first. */
export function allCommands(root: CommandNode): CommandNode[] {
  return [root, ...root.commands.flatMap(allCommands)];
}

function flagsOf(option: Option): Flag[] {
  const [, placeholder] = /[<[](.*)[>\]]/.exec(option.flags) ?? [];
  const values: Values = option.required ? valuesNamed(placeholder) : { kind: 'none' };
  const names = [option.short, option.long].filter((name) => name !== undefined);
  const help = oneLine(option.description);
  return names.map((name) => ({ name: name.replace(/^--/, '-'), help, values }));
}

/** A placeholder `a|b` lists the values. */
function valuesNamed(placeholder: string | undefined): Values {
  if (placeholder === undefined) return { kind: 'none' };
  if (placeholder.includes('|')) return { kind: 'choice', words: placeholder.split('|') };
  if (/^file\b/.test(placeholder)) return { kind: 'file' };
  if (placeholder === 'folder') return { kind: 'folder' };
  if (placeholder === 'node' || placeholder === 'client') {
    return { kind: 'live', list: `${placeholder}s` };
  }
  if (placeholder === 'option') return { kind: 'choice', words: OPTIONS };
  return { kind: 'text' };
}

function oneLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
