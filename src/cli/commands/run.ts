// `shoal [flags]`: runs a node until a signal ends it. Owns the log, the start lines, the
// signals and the exit code; everything else belongs to the node.

import { constants } from 'node:os';
import { accessWarnings } from '../../auth/access-summary.ts';
import type { Config } from '../../config/config.ts';
import type { Load } from '../../config/load.ts';
import { findHostAddress } from '../../net/host-address.ts';
import { type RunningNode, runNode } from '../../node/node.ts';
import { findTakenPorts } from '../../node/taken-ports.ts';
import { banner, startLines } from '../banner.ts';
import type { CliContext } from '../context.ts';
import { type ExitCode, exitCodeOf, exitCodes, explainError } from '../exit-codes.ts';
import { exposureWarnings } from '../file-exposure.ts';
import { type LogForm, LogSink, REPEAT_WINDOW_MS, wantsColour } from '../log.ts';
import { refuseMissingFiles } from '../missing-files.ts';
import { Reloader } from '../reloader.ts';
import { ServiceNotices } from '../service-manager.ts';

/** A stop that hangs longer is aborted. Flushing clients and leaving the cluster take far less. */
const STOP_MS_MAX = 10_000;

/** @param load reads all sources again each time it is called; throws ConfigError */
export async function run(
  load: Load,
  context: CliContext,
  start: (...parts: Parameters<typeof runNode>) => Promise<RunningNode> = runNode,
  takenPorts: (config: Config) => Promise<readonly Error[]> = findTakenPorts,
): Promise<ExitCode> {
  const loaded = load();
  refuseMissingFiles(loaded);
  const { config, warnings } = loaded;
  const log = openLog(config, context);
  const reloader = new Reloader({
    loaded,
    load,
    log,
    readFile: (path) => context.readFile(path),
  });
  context.onSignal('SIGHUP', () => reloader.reload());
  setInterval(() => log.flushCounts(), REPEAT_WINDOW_MS).unref();
  for (const warning of [...warnings, ...exposureWarnings(loaded)]) log.warn(warning);
  const stop = new AbortController();
  const stopAsked = watchSignals(log, context, stop);
  let running: RunningNode;
  try {
    running = await start(config, log, { cancel: stop.signal, source: reloader });
  } catch (error) {
    if (stop.signal.aborted) {
      log.info('stopped');
      return exitCodes.ok;
    }
    const isPortFault = exitCodeOf(error) === exitCodes.address;
    printFaults([error, ...(isPortFault ? await takenPorts(config) : [])], context);
    return exitCodeOf(error);
  }
  greet(config, running, log, context, await findHostAddress());
  const { environment } = context;
  const notices = new ServiceNotices({ environment, log, status: () => running.sentence() });
  notices.ready();
  reloader.start(running);

  const askedByApi = running.stopAsked?.then(() => log.info('stopping', { asked: 'over the API' }));
  const stopping = Promise.race([stopAsked, askedByApi ?? stopAsked]);
  const failure = await Promise.race([stopping, running.failed ?? stopAsked]);
  reloader.close();
  if (failure !== undefined) printFaults([failure], context);
  const stopped = await withinTime(running.stop(), STOP_MS_MAX);
  if (!stopped) log.error('the node did not close everything in time', { afterMs: STOP_MS_MAX });
  log.info('stopped');
  if (failure !== undefined) return exitCodeOf(failure);
  return stopped ? exitCodes.ok : exitCodes.failure;
}

/** Prints why the node can't start; each line once. */
function printFaults(errors: readonly unknown[], context: CliContext): void {
  for (const line of new Set(errors.flatMap(explainError))) context.writeError(`shoal: ${line}\n`);
}

function openLog(config: Config, context: CliContext): LogSink {
  const automatic: LogForm = context.outputIsTerminal ? 'text' : 'logfmt';
  return new LogSink({
    form: config.logFormat === 'auto' ? automatic : config.logFormat,
    level: config.logLevel,
    time: config.logTime,
    colour: wantsColour(context.environment, context.outputIsTerminal),
    priorities: context.outputIsJournal,
    write: (line) => context.writeLog(line),
    now: Date.now,
  });
}

/** Start lines are text unless -log-format says otherwise: scripts look for them. */
function greet(
  config: Config,
  running: RunningNode,
  log: LogSink,
  context: CliContext,
  hostAddress: string,
): void {
  const machineRead = config.logFormat === 'json' || config.logFormat === 'logfmt';
  const lines = machineRead ? log : new LogSink({ ...log.settings, form: 'text' });
  for (const line of startLines(config, running, hostAddress)) lines.info(line);
  for (const warning of accessWarnings(config)) log.warn(warning);
  const quiet = config.logLevel === 'warn' || config.logLevel === 'error';
  if (!machineRead && !quiet) context.write(banner(config, running, hostAddress, context.command));
}

/**
 * @param stop aborted by the first signal; a second signal ends the process
 * @returns a promise that resolves with the first signal
 */
function watchSignals(log: LogSink, context: CliContext, stop: AbortController): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      context.onSignal(signal, () => {
        if (asked) context.exit(128 + constants.signals[signal]);
        asked = true;
        log.info('stopping', { signal });
        stop.abort();
        resolve();
      });
    }
    // Without a handler Node would open its debugger on SIGUSR1.
    context.onSignal('SIGUSR1', () => log.info('signal ignored', { signal: 'SIGUSR1' }));
  });
}

async function withinTime(work: Promise<void>, msMax: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), msMax);
  });
  const done = await Promise.race([work.then(() => true as const), timeout]);
  clearTimeout(timer);
  return done;
}
