// What `shoal doctor -bundle` writes for a bug report: the report, the configuration without secrets,
// versions, metrics and the last lines of the log. Names of clients and addresses are in it; tokens,
// passwords and keys are not.

import { arch, cpus, release, totalmem, type } from 'node:os';
import type { DoctorReport } from '../doctor/finding.ts';
import type { Machine } from '../doctor/machine.ts';
import { tarGz } from './tar-file.ts';
import { paintFor } from './terminal/paint.ts';
import { doctorLines } from './views/doctor-view.ts';

const LOG_LINES = '500';

export interface BundleParts {
  readonly report: DoctorReport;
  /** As `config show` prints it, or as the node returns it. */
  readonly configuration: string;
  /** Undefined without a node. */
  readonly metrics: string | undefined;
}

export async function bundleOf(parts: BundleParts, machine: Machine): Promise<Buffer> {
  const { report, configuration, metrics } = parts;
  const plain = paintFor({ environment: { NO_COLOR: '1' }, outputIsTerminal: false });
  const unit = ['-u', 'shoal', '-n', LOG_LINES, '--no-pager'];
  const files: Record<string, string | undefined> = {
    'doctor.txt': textOf(doctorLines(report, plain)),
    'doctor.json': `${JSON.stringify(report, undefined, 2)}\n`,
    'configuration.txt': configuration,
    'versions.txt': textOf(versionLines(report)),
    'metrics.txt': metrics,
    'log.txt': await machine.run('journalctl', ...unit),
  };
  const entries = Object.entries(files).flatMap(([name, content]) =>
    content === undefined ? [] : [{ name, content }],
  );
  return tarGz(entries, machine.now());
}

function versionLines({ version }: DoctorReport): string[] {
  const mebibytes = Math.round(totalmem() / 1024 ** 2);
  return [
    `shoal ${version}`,
    `node ${process.version}`,
    `${type()} ${release()} ${arch()}`,
    `${cpus().length} processors, ${mebibytes} MB`,
  ];
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
