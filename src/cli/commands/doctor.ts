// `shoal doctor`: finds what is wrong with this box and its ways to the others, and prints the line that
// mends it. Asks the node that runs here; without one it checks by itself, with the same flags.

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isClustered } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { ClusterView } from '../../doctor/context.ts';
import { runDoctor } from '../../doctor/doctor.ts';
import type { DoctorReport } from '../../doctor/finding.ts';
import { findFirewall } from '../../doctor/firewall.ts';
import { thisMachine } from '../../doctor/machine.ts';
import { type OwnCluster, openOwnCluster } from '../../doctor/own-cluster.ts';
import { version } from '../../shared/version.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { NoNodeError } from '../control-client.ts';
import { bundleOf } from '../doctor-bundle.ts';
import { exitCodes } from '../exit-codes.ts';
import { exposureWarnings } from '../file-exposure.ts';
import { NodeConnection } from '../node-connection.ts';
import { paintFor } from '../terminal/paint.ts';
import { doctorLines } from '../views/doctor-view.ts';
import { renderConfig } from './config-show.ts';

interface DoctorFlags {
  readonly json?: boolean;
  readonly bundle?: boolean;
}

const BUNDLE = 'shoal-doctor.tgz';
/** Flags of the node that decide what a doctor without it finds; the command takes all. */
const SHOWN_FLAGS = ['nid', 'csk', 'csk-file', 'mbs', 'crp', 'csp', 'config', 'data', 'control'];

export function addDoctor(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .usage('[-json] [-bundle] [flags of the node]')
    .description('find what is wrong with this box and its ways to the others, with the cure')
    .option('--json', 'print JSON')
    .option('--bundle', `write ${BUNDLE} for a bug report, without secrets`);
  addConfigOptions(command, SHOWN_FLAGS).action(async (flags: DoctorFlags) => {
    const asked = await askNode(command, context);
    const report = asked?.report ?? (await diagnoseAlone(configOf(command, context)));
    const lines =
      flags.json === true ? [JSON.stringify(report)] : doctorLines(report, paintFor(context));
    context.write(lines.map((line) => `${line}\n`).join(''));
    if (flags.bundle === true) await writeBundle(report, asked?.node, command, context);
    const isFault = report.findings.some(({ level }) => level === 'bad');
    context.exitCode = isFault ? exitCodes.failure : exitCodes.ok;
  });
}

/** Of a node that runs, the configuration in force; the flags of this command may be others. */
async function writeBundle(
  report: DoctorReport,
  node: NodeConnection | undefined,
  command: Command,
  context: CliContext,
): Promise<void> {
  const inForce = await node?.ask<object>('/api/v1/config').catch(() => undefined);
  const configuration =
    inForce === undefined
      ? renderConfig(configOf(command, context))
      : `${JSON.stringify(inForce, undefined, 2)}\n`;
  const metrics = await node?.ask<string>('/metrics').catch(() => undefined);
  const bundle = await bundleOf({ report, configuration, metrics }, thisMachine);
  writeFileSync(BUNDLE, bundle, { mode: 0o600 });
  context.writeError(`shoal: wrote ${BUNDLE}\n`);
}

interface Asked {
  readonly node: NodeConnection;
  readonly report: DoctorReport;
}

/** @returns undefined if no node runs here; rejects with NoNodeError if it is not clear which, or not ours */
async function askNode(command: Command, context: CliContext): Promise<Asked | undefined> {
  try {
    const node = await NodeConnection.open(command, context);
    return { node, report: await node.ask<DoctorReport>('/api/v1/doctor') };
  } catch (error) {
    const isThere = error instanceof NoNodeError && /several nodes|sudo/.test(error.message);
    if (!(error instanceof NoNodeError) || isThere) throw error;
    return undefined;
  }
}

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
    bridges: new Map(),
    mdns: undefined,
    losses: [],
  });
  await (await opened)?.close();
  return report;
}
