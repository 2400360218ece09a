// `shoal check`: checks whether a node would start with this configuration, without starting one.

import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { AccessControl } from '../../auth/access-control.ts';
import { accessWarnings } from '../../auth/access-summary.ts';
import { isClustered } from '../../config/config.ts';
import { loadTls } from '../../net/clients/tls-files.ts';
import { receiveBufferWarnings } from '../../net/cluster/receive-buffer.ts';
import { silentLogger } from '../../shared/logger.ts';
import { checkDataFolder } from '../../storage/data-folder.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
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
    if (config.dataFolder !== undefined) checkDataFolder(config.dataFolder);
    const certificates = config.listeners.flatMap(({ tls }) => (tls ? loadTls(tls).warnings : []));
    const warnings = [
      ...loaded.warnings,
      ...exposureWarnings(loaded),
      ...accessWarnings(config),
      ...certificates,
      ...(isClustered(config) ? receiveBufferWarnings(context.readFile) : []),
    ];
    for (const warning of warnings) {
      context.writeError(`shoal: ${warning}\n`);
    }
    context.write('configuration ok\n');
    context.exitCode = exitCodes.ok;
  });
}
