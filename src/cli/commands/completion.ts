// `shoal completion bash|zsh|fish`: prints a script that completes commands, flags and their values.

import { Argument, type Command } from 'commander';
import { bashScript } from '../completion/bash.ts';
import { type CommandNode, commandTree } from '../completion/command-tree.ts';
import { fishScript } from '../completion/fish.ts';
import { zshScript } from '../completion/zsh.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';

const SCRIPTS: Readonly<Record<string, (root: CommandNode) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .usage('bash|zsh|fish')
    .description('print a completion script: source <(shoal completion bash)')
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .action((shell: string) => {
      context.write(SCRIPTS[shell]?.(commandTree(program)) ?? '');
      context.exitCode = exitCodes.ok;
    });
}
