// `shoal doctor`: finds what is wrong with this box and its ways to the others, and prints the line that
// mends it. Asks the node that runs here; without one it checks by itself, with the same flags.

import { Chalk } from 'chalk';
import type { Command } from 'commander';
import { isClustered } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { ClusterView } from '../../doctor/context.ts';
import { runDoctor } from '../../doctor/doctor.ts';
import type { DoctorReport, Level } from '../../doctor/finding.ts';
import { findFirewall } from '../../doctor/firewall.ts';
import { thisMachine } from '../../doctor/machine.ts';
import { type OwnCluster, openOwnCluster } from '../../doctor/own-cluster.ts';
import { version } from '../../shared/version.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { reportLines } from '../doctor-text.ts';
import { exitCodes } from '../exit-codes.ts';
import { exposureWarnings } from '../file-exposure.ts';
import { wantsColour } from '../log.ts';

interface DoctorFlags {
  readonly json?: boolean;
}

/** Flags of the node that decide what the doctor finds; it takes all. */
const SHOWN_FLAGS = ['nid', 'csk', 'csk-file', 'mbs', 'crp', 'csp', 'config', 'data'];

export function addDoctor(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .usage('[-json] [flags of the node]')
    .description('find what is wrong with this box and its ways to the others, with the cure')
    .option('--json', 'print JSON');
  addConfigOptions(command, SHOWN_FLAGS).action(async (flags: DoctorFlags) => {
    const report = await diagnoseAlone(configOf(command, context));
    const lines =
      flags.json === true ? [JSON.stringify(report)] : reportLines(report, colourFor(context));
    context.write(lines.map((line) => `${line}\n`).join(''));
    const isFault = report.findings.some(({ level }) => level === 'bad');
    context.exitCode = isFault ? exitCodes.failure : exitCodes.ok;
  });
}

/** Without a node. */
async function diagnoseAlone(loaded: LoadedConfig): Promise<DoctorReport> {
  const { config } = loaded;
  let opened: Promise<OwnCluster | undefined> | undefined;
  const cluster = (): Promise<ClusterView | undefined> => {
    opened ??= isClustered(config) ? openOwnCluster(config) : Promise.resolve(undefined);
    return opened;
  };
  const report = await runDoctor({
    config,
    version,
    isUp: false,
    machine: thisMachine,
    firewall: await findFirewall(thisMachine),
    warnings: { configuration: loaded.warnings, exposure: exposureWarnings(loaded) },
    cluster,
    losses: [],
  });
  await (await opened)?.close();
  return report;
}

function colourFor(context: CliContext): (level: Level, text: string) => string {
  const isColoured = wantsColour(context.environment, context.outputIsTerminal);
  const { green, yellow, red } = new Chalk({ level: isColoured ? 1 : 0 });
  const styles = { ok: green, warn: yellow, bad: red };
  return (level, text) => styles[level](text);
}
