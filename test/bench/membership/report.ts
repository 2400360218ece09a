// Renders the results of run.ts as a Markdown table.

/** Maps `system/size/part` to figures. */
export type Results = Record<string, Readonly<Record<string, readonly number[]>>>;

const ROWS: readonly (readonly [figure: string, label: string, perUnit: number])[] = [
  ['formMs', 'form, s', 1000],
  ['detectMs', 'kill -9 to offline on all, s', 1000],
  ['rejoinMs', 'rejoin seen by all, s', 1000],
  ['healMs', 'healed after a partition of 30 s, s', 1000],
  ['falseOffline', 'false offline in 60 s at 20 % loss', 1],
  ['stop3Offline', 'offline events at SIGSTOP of 3 s', 1],
  ['stop10Offline', 'offline events at SIGSTOP of 10 s', 1],
  ['stop10BackMs', 'back after SIGSTOP of 10 s, s', 1000],
  ['bytesPerSecond', 'steady traffic a node, B/s', 1],
  ['packetsPerSecond', 'packets/s', 1],
  ['residentMegabytes', 'resident, MB', 1],
  ['cpuPercent', 'CPU, %', 1],
];

function cell(values: readonly number[] | undefined, perUnit: number): string {
  if (values === undefined || values.length === 0) return '';
  const sorted = values.map((value) => value / perUnit).sort((a, b) => a - b);
  const text = (value: number): string =>
    value < 0 ? 'never' : String(Number(value.toPrecision(value >= 100 ? 3 : 2)));
  const middle = text(sorted[sorted.length >> 1]!);
  return sorted.length === 1 ? middle : `${middle} (${text(sorted.at(-1)!)})`;
}

export function tableOf(results: Results): string {
  const keys = Object.keys(results).map((key) => key.split('/'));
  const sizes = [...new Set(keys.map((key) => Number(key[1])))].sort((a, b) => a - b);
  const systems = [...new Set(keys.map((key) => key[0]!))];
  const columns = sizes.flatMap((size) => systems.map((system) => ({ size, system })));
  const lines = [
    `| median (maximum) |${columns.map((one) => ` ${one.system} ${one.size} |`).join('')}`,
    `| --- |${columns.map(() => ' --- |').join('')}`,
  ];
  for (const [figure, label, perUnit] of ROWS) {
    const cells = columns.map(({ size, system }) => {
      const parts = Object.entries(results).filter(([key]) => key.startsWith(`${system}/${size}/`));
      return cell(parts.map(([, figures]) => figures[figure]).find(Boolean), perUnit);
    });
    lines.push(`| ${label} |${cells.map((text) => ` ${text} |`).join('')}`);
  }
  return lines.join('\n');
}
