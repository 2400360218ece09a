// `shoal token make`: a cluster token that cannot be guessed, on the screen or in a new file that only its
// owner can read. `shoal token http`: a token for the HTTP API of the node on this machine. `shoal token rotate`
// is in a file of its own.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { printResult } from '../terminal/output.ts';
import { addTokenRotate } from './token-rotate.ts';

const TOKEN_BYTES = 32;

export function addToken(program: Command, context: CliContext): void {
  const token = program
    .command('token')
    .description('make or replace the token of the cluster, or make one for the HTTP API');
  token
    .command('make')
    .usage('[FILE]')
    .argument('[file]', 'new file for -csk-file; without it the token is printed')
    .description('make a random cluster token')
    .action((file: string | undefined) => {
      const made = newToken();
      if (file === undefined) context.write(`${made}\n`);
      else writeNew(file, `${made}\n`);
      context.exitCode = exitCodes.ok;
    });
  const http = token
    .command('http')
    .description('make a token for the HTTP API and the dashboard of the node on this machine');
  addNodeFlags(http).action(async (flags: NodeFlags) => {
    const node = await NodeConnection.open(http, context);
    const made = await node.ask<{ token: string }>('/api/v1/tokens', { method: 'POST' });
    printResult(flags.json, context, made, () => [made.token]);
  });
  addTokenRotate(token, context);
}

/** 256 bits, as hexadecimal digits. */
function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('hex');
}

/** An existing token is never overwritten: the other boxes still have it. @throws UsageError */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const reason = isThere ? 'exists; name a new file' : describeSystemError(error, 'write');
    throw new UsageError(`${file}: ${reason}`);
  }
}
