// A completion script for fish: one line for each command and flag, with the condition under which it
// applies.

import { allCommands, type CommandNode, type Flag, type Values } from './command-tree.ts';

export function fishScript(root: CommandNode): string {
  return `# Completion of shoal for fish: put it into ~/.config/fish/completions/shoal.fish
complete -c shoal -f
${allCommands(root).flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, flags, commands, operand }: CommandNode): string[] {
  const condition = conditionOf(path, commands);
  const lines = commands.map(
    ({ name, help }) => `complete -c shoal -n ${condition} -a ${name} -d ${quoted(help)}`,
  );
  const words = wordsOf(operand);
  if (words !== undefined) lines.push(`complete -c shoal -n ${condition} -a ${words}`);
  if (operand.kind === 'file' || operand.kind === 'folder') {
    lines.push(`complete -c shoal -n ${condition} -F`);
  }
  return [...lines, ...flags.map((flag) => flagLine(flag, condition))];
}

/** In the command of this path, and in none below it. */
function conditionOf(path: string, commands: readonly CommandNode[]): string {
  const names = path.split(' ');
  const seen = path === '' ? [] : names.map((name) => `__fish_seen_subcommand_from ${name}`);
  const below = commands.map(({ name }) => name).join(' ');
  const none = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${below}`];
  return quoted([...seen, ...none].join('; and '));
}

/** All as old-style options, with one dash: letters of `-s` could be joined to one word. */
function flagLine({ name, help, values }: Flag, condition: string): string {
  return `complete -c shoal -n ${condition} -o ${name.slice(1)}${suffixOf(values)} -d ${quoted(help)}`;
}

function suffixOf(values: Values): string {
  if (values.kind === 'none') return '';
  if (values.kind === 'file' || values.kind === 'folder') return ' -r -F';
  const words = wordsOf(values);
  return words === undefined ? ' -x' : ` -x -a ${words}`;
}

function wordsOf(values: Values): string | undefined {
  if (values.kind === 'choice') return quoted(values.words.join(' '));
  return values.kind === 'live' ? quoted(`(shoal names ${values.list} 2>/dev/null)`) : undefined;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
