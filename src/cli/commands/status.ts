// `shoal status`: whether the site is well, in one sentence, and a table of its nodes. For scripts: an
// exit code, JSON, and a wait until all is well.

import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { milliseconds } from '../../config/value-types.ts';
import type { BridgeView } from '../../http/node-api.ts';
import type { CliContext } from '../context.ts';
import { NoNodeError } from '../control-client.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { LiveView } from '../terminal/live-view.ts';
import { columnsOf, printResult } from '../terminal/output.ts';
import { paintFor } from '../terminal/paint.ts';
import { type SiteView, statusLines } from '../views/status-view.ts';

interface StatusFlags extends NodeFlags {
  readonly watch?: boolean;
  readonly wait?: string;
  readonly timeout: string;
}

const WATCH_MS = 1000;
const POLL_MS = 250;
const TIMEOUT = milliseconds(0, 86_400_000);
const NODES_MAX = 4096;

export function addStatus(program: Command, context: CliContext): void {
  const command = program
    .command('status')
    .usage('[-json] [-watch] [-wait all|COUNT [-timeout 60s]]')
    .description('say whether the site is well, and what to do if not')
    .option('--watch', 'show it again every second until Ctrl-C')
    .option('--wait <all|count>', 'wait until all is well, or so many boxes are online')
    .option('--timeout <duration>', 'how long to wait', '60s');
  addNodeFlags(command).action(async (flags: StatusFlags) => {
    if (flags.watch === true) await watch(command, context);
    else {
      const site = await (flags.wait === undefined
        ? siteOf(command, context)
        : waitFor(flags.wait, flags.timeout, command, context));
      printResult(flags.json, context, site, () => linesOf(site, context));
      context.exitCode = codeOf(site, flags.wait);
    }
  });
}

async function siteOf(command: Command, context: CliContext): Promise<SiteView> {
  const node = await NodeConnection.open(command, context);
  const [site, { bridges }] = await Promise.all([
    node.ask<SiteView>('/api/v1/nodes'),
    // A node that is older than this command has no such list.
    node.ask<{ bridges: readonly BridgeView[] }>('/api/v1/bridges').catch(() => ({ bridges: [] })),
  ]);
  return { ...site, bridges };
}

function linesOf(site: SiteView, context: CliContext): string[] {
  return statusLines(site, Date.now(), paintFor(context), columnsOf(context));
}

/** With -wait=COUNT only the number counts. */
function codeOf(site: SiteView, wait: string | undefined): ExitCode {
  if (wait === undefined) return site.verdict.level === 'well' ? exitCodes.ok : exitCodes.failure;
  return isReached(site, wait) ? exitCodes.ok : exitCodes.failure;
}

function isReached({ verdict, nodes }: SiteView, wait: string): boolean {
  if (wait === 'all') return verdict.level === 'well';
  return onlineIn(nodes) >= Number(wait);
}

function onlineIn(nodes: SiteView['nodes']): number {
  return nodes.filter(({ state }) => state === 'alive').length;
}

/** What the wait was for, and has not come. */
function shortOf({ nodes }: SiteView, wait: string): string {
  if (wait === 'all') return 'not all is well';
  const online = onlineIn(nodes);
  return `${online} of ${wait} boxes ${online === 1 ? 'is' : 'are'} online`;
}

/** @returns the last state, also where the time is over. Rejects if there was no node until the end. */
async function waitFor(
  wait: string,
  timeout: string,
  command: Command,
  context: CliContext,
): Promise<SiteView> {
  const isCount = /^\d{1,4}$/.test(wait) && Number(wait) >= 1 && Number(wait) <= NODES_MAX;
  if (wait !== 'all' && !isCount) {
    throw new UsageError(`bad value '${wait}' for -wait: expected all or a number of boxes`);
  }
  const timeoutMs = TIMEOUT.parse(timeout);
  if (timeoutMs === undefined) {
    throw new UsageError(`bad value '${timeout}' for -timeout: expected ${TIMEOUT.expected}`);
  }
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const isLast = performance.now() >= giveUpAt;
    // A node that is about to start has no socket yet.
    const site = await siteOf(command, context).catch((error: unknown) => {
      if (isLast || !(error instanceof NoNodeError)) throw error;
      return undefined;
    });
    if (site !== undefined && isReached(site, wait)) return site;
    if (site !== undefined && isLast) {
      context.writeError(`shoal: ${shortOf(site, wait)} after ${timeout}\n`);
      return site;
    }
    await delay(POLL_MS);
  }
}

/** Until a signal, or until the reader of the output has gone. */
async function watch(command: Command, context: CliContext): Promise<void> {
  const view = new LiveView(context);
  const over = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    context.onSignal(signal, () => over.abort());
  }
  context.onOutputClosed(() => over.abort());
  try {
    while (!over.signal.aborted) {
      const site = await siteOf(command, context);
      view.show(linesOf(site, context));
      context.exitCode = codeOf(site, undefined);
      await delay(WATCH_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  } finally {
    view.close();
  }
}
