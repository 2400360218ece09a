// A completion script for fish: one line for each command and flag, with the condition under which it
// applies.

import { allCommands, type CommandNode, type Flag } from './command-tree.ts';

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
  if (operand.kind === 'choice') {
    lines.push(`complete -c shoal -n ${condition} -a ${quoted(operand.words.join(' '))}`);
  }
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
  const value =
    values.kind === 'none'
      ? ''
      : values.kind === 'choice'
        ? ` -x -a ${quoted(values.words.join(' '))}`
        : values.kind === 'file' || values.kind === 'folder'
          ? ' -r -F'
          : ' -x';
  return `complete -c shoal -n ${condition} -o ${name.slice(1)}${value} -d ${quoted(help)}`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
