// `shoal api PATH`: sends one request of the HTTP API to the node on this machine over its control
// socket, and prints the response. For scripts, and for what has no command of its own.

import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { findNode } from '../control-client.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeChoice, nodeChoiceOf } from '../node-connection.ts';

interface Flags {
  readonly method: string;
  readonly body?: string;
}

export function addApi(program: Command, context: CliContext): void {
  const command = program
    .command('api')
    .usage('PATH [-method POST] [-body JSON]')
    .argument('<path>', 'as /api/v1/nodes; docs/http.md lists all')
    .option('--method <method>', 'GET, POST, PUT or DELETE', 'GET')
    .option('--body <json>', 'JSON to send')
    .description('ask the node on this machine by its HTTP API');
  addNodeChoice(command).action(async (path: string) => {
    const { method, body } = command.opts<Flags>();
    if (!/^\/[!-~]*$/.test(path)) {
      throw new UsageError(
        `bad value '${path}' for PATH: expected one such as /api/v1/nodes, percent-encoded`,
      );
    }
    const client = await findNode(nodeChoiceOf(command, context));
    const parsed = body === undefined ? undefined : parseBody(body);
    const answer = await client.ask({ path, method: method.toUpperCase(), body: parsed });
    const text = typeof answer === 'string' ? answer : `${JSON.stringify(answer, undefined, 2)}\n`;
    context.write(text);
    context.exitCode = exitCodes.ok;
  });
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new UsageError('-body is not valid JSON');
  }
}
