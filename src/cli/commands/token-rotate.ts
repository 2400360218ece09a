// `shoal token rotate`: replaces the cluster token on all boxes and shows how far it is. The node leads the rotation,
// so that it goes on if this command is interrupted.

import type { Command } from 'commander';
import type { NodeTokens, RotationAction, RotationView } from '../../http/cluster-token-view.ts';
import { listOfWords } from '../../shared/units.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { type Incomplete, reportMissing } from '../node-lists.ts';
import { printResult } from '../terminal/output.ts';
import { paintFor } from '../terminal/paint.ts';
import { Progress } from '../terminal/progress.ts';
import { type Column, formatTable } from '../terminal/table.ts';

const ROTATION = '/api/v1/token-rotation';
const TOKENS = '/api/v1/cluster-token';
const POLL_MS = 200;
const STEPS = ['accept', 'sign', 'forget'] as const;

const COLUMNS: readonly Column[] = [
  { title: 'NODE' },
  { title: 'SIGNS WITH' },
  { title: 'ACCEPTS TOO' },
  { title: 'CAN ROTATE', shrinks: true },
];

interface RotateFlags extends NodeFlags {
  readonly status?: boolean;
  readonly resume?: boolean;
  readonly abort?: boolean;
}

export function addTokenRotate(token: Command, context: CliContext): void {
  const command = token
    .command('rotate')
    .usage('[-status | -resume | -abort]')
    .description('replace the cluster token on all boxes, without a gap; each needs -csk-file')
    .option('--status', 'show which box signs with which token, and change nothing')
    .option('--resume', 'go on with a rotation that has stopped')
    .option('--abort', 'take a rotation back: the old token stays');
  addNodeFlags(command).action(async (flags: RotateFlags) => {
    const chosen = (['status', 'resume', 'abort'] as const).filter((name) => flags[name] === true);
    if (chosen.length > 1) throw new UsageError('give only one of -status, -resume and -abort');
    const [action = 'start'] = chosen;
    const node = await NodeConnection.open(command, context);
    if (action === 'status') return printStatus(node, flags, context);
    const view = await rotate(node, action, flags, context);
    if (flags.json === true) context.write(`${JSON.stringify(view)}\n`);
    else
      context.write(
        outcomeOf(view, action)
          .map((line) => `${line}\n`)
          .join(''),
      );
    const isMet = view.state === 'done' && view.problem === null;
    context.exitCode = isMet ? exitCodes.ok : exitCodes.failure;
  });
}

async function rotate(
  node: NodeConnection,
  action: RotationAction,
  { json }: RotateFlags,
  context: CliContext,
): Promise<RotationView> {
  const progress = new Progress(context);
  let view = await node.ask<RotationView>(ROTATION, { method: 'POST', body: { action } });
  const { keeps, drops } = view;
  if (json !== true) context.write(`token ${keeps} takes the place of ${drops}\n`);
  let printed = 0;
  while (true) {
    const isOver = view.state !== 'running';
    // Taking back begins again at the first step, with the tokens exchanged.
    const isSame = view.keeps === keeps;
    const done = isSame ? STEPS.indexOf(view.step) + (view.state === 'done' ? 1 : 0) : 0;
    for (; printed < done; printed++) {
      progress.end();
      if (json !== true) context.write(`  ${stepLine(STEPS[printed] ?? 'accept', view)}\n`);
    }
    if (isOver) break;
    progress.show(done / STEPS.length, `${view.step}: ${listOfWords(namesOf(view.nodes))}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    view = await node.ask<RotationView>(ROTATION);
  }
  progress.end();
  return view;
}

function stepLine(step: (typeof STEPS)[number], { nodes, keeps, drops }: RotationView): string {
  const names = listOfWords(namesOf(nodes));
  const words = {
    accept: `${names} accept ${keeps} beside ${drops}`,
    sign: `${names} sign with ${keeps}`,
    forget: `${names} have forgotten ${drops}`,
  };
  return words[step];
}

function outcomeOf(view: RotationView, action: RotationAction): string[] {
  const { state, problem, keeps, offline, left, nodes } = view;
  const ways = '-resume goes on, -abort takes the new token back';
  if (state === 'waiting') {
    const [are, they] = offline.length === 1 ? ['is', 'it'] : ['are', 'they'];
    return [
      `${listOfWords(offline)} ${are} offline and would be left with the other token`,
      `start ${they === 'it' ? 'it' : 'them'} and type: shoal token rotate -resume`,
      `if ${they} will not come back: shoal forget ${offline[0]}, then -resume; -abort takes the rotation back`,
    ];
  }
  if (state === 'stopped') return [`stopped: ${problem}; ${ways}`];
  if (problem !== null) return [`taken back, token ${keeps} stays: ${problem}`];
  const is = action === 'abort' ? 'still' : 'now';
  return [
    `the cluster token is ${is} ${keeps} on ${listOfWords(namesOf(nodes))}`,
    ...(left.length === 0 || action === 'abort'
      ? []
      : [
          `${listOfWords(left)} had left before: copy the file of -csk-file there by hand before the next start`,
        ]),
  ];
}

async function printStatus(
  node: NodeConnection,
  { json }: RotateFlags,
  context: CliContext,
): Promise<void> {
  const answer = await node.ask<{ nodes: readonly NodeTokens[] } & Incomplete>(TOKENS);
  const { nodes } = answer;
  const rows = nodes.map(({ node: name, signs, accepts, obstacle }) => [
    name,
    signs,
    accepts.slice(1).join(' ') || '-',
    obstacle === null ? 'yes' : `no: it ${obstacle}`,
  ]);
  printResult(json, context, nodes, (columns) =>
    formatTable(COLUMNS, rows, paintFor(context), columns),
  );
  context.exitCode = reportMissing(answer, 'not in this list:', context);
}

function namesOf(nodes: readonly NodeTokens[]): string[] {
  return nodes.map(({ node }) => node);
}
