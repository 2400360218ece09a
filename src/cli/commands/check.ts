// `shoal check`: checks whether a node would start with this configuration, without starting one.

import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { AccessControl } from '../../auth/access-control.ts';
import { accessWarnings } from '../../auth/access-summary.ts';
import { type Config, isClustered } from '../../config/config.ts';
import { loadTls } from '../../net/clients/tls-files.ts';
import { receiveBufferWarnings } from '../../net/cluster/receive-buffer.ts';
import { tryStart } from '../../node/start-trial.ts';
import { silentLogger } from '../../shared/logger.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { findNode } from '../control-client.ts';
import { exitCodeOf, exitCodes, explainError } from '../exit-codes.ts';
import { exposureWarnings } from '../file-exposure.ts';
import { refuseMissingFiles } from '../missing-files.ts';

export function addCheck(program: Command, context: CliContext): void {
  const command = program
    .command('check')
    .usage('[flags]')
    .description('check the configuration and its files without starting a node');
  addConfigOptions(command).action(async () => {
    const loaded = configOf(command, context);
    refuseMissingFiles(loaded);
    const { config } = loaded;
    const now = (): number => performance.now();
    const access = await AccessControl.open(config, {
      log: silentLogger,
      now,
      wallClock: Date.now,
    });
    access.close();
    const certificates = config.listeners.flatMap(({ tls }) => (tls ? loadTls(tls).warnings : []));
    const { faults, warnings: ofStart } = await tryStart(config, await isRunning(config));
    const warnings = [
      ...loaded.warnings,
      ...exposureWarnings(loaded),
      ...accessWarnings(config),
      ...certificates,
      ...(isClustered(config) ? receiveBufferWarnings(context.readFile) : []),
      ...ofStart,
    ];
    for (const line of [...warnings, ...faults.flatMap(explainError)]) {
      context.writeError(`shoal: ${line}\n`);
    }
    if (faults.length === 0) context.write('configuration ok\n');
    context.exitCode = faults.length === 0 ? exitCodes.ok : exitCodeOf(faults[0]);
  });
}

/** Also true without a control socket, where it can't be known: a reload must not fail for the ports of its own node. */
async function isRunning({ nodeName, control }: Config): Promise<boolean> {
  if (control === 'off') return true;
  const controlPath = control === 'auto' ? undefined : control;
  return (await findNode({ nodeName, controlPath })).isAnswered();
}
