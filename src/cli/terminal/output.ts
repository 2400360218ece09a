// The result of a command on standard output: JSON for programs, or lines for a person.

import type { CliContext } from '../context.ts';

/** @param lines for a terminal of this width; Infinity where nothing has to fit */
export function printResult(
  isJson: boolean | undefined,
  context: CliContext,
  value: unknown,
  lines: (columns: number) => readonly string[],
): void {
  const shown = isJson === true ? [JSON.stringify(value)] : lines(columnsOf(context));
  context.write(shown.map((line) => `${line}\n`).join(''));
}

/** Output that no person watches is not cut. */
export function columnsOf({
  outputIsTerminal,
  outputColumns,
}: Pick<CliContext, 'outputIsTerminal' | 'outputColumns'>): number {
  return outputIsTerminal ? outputColumns : Number.POSITIVE_INFINITY;
}
