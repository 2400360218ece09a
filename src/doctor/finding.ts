// What a check finds, and what all findings together mean. Plain data: a node that runs sends its findings
// over the control socket as they are.

import type { FaultId } from './faults.ts';

export type Level = 'ok' | 'warn' | 'bad';

export interface Finding {
  readonly level: Level;
  /** Undefined where all is well. */
  readonly fault?: FaultId;
  /** One line without a full stop. */
  readonly text: string;
  /** What to type. */
  readonly mend?: Mend;
}

export interface Mend {
  /** `on this box`, or `on box3`. */
  readonly where: string;
  /** Command lines, or one sentence where no command mends it. */
  readonly lines: readonly string[];
}

export interface DoctorReport {
  readonly node: string;
  readonly version: string;
  /** Whether the node runs; a doctor without a node opens its ports itself. */
  readonly isUp: boolean;
  readonly findings: readonly Finding[];
}

export const HERE = 'on this box';

export function ok(text: string): Finding {
  return { level: 'ok', text };
}

export function warn(fault: FaultId, text: string, mend?: Mend): Finding {
  return { level: 'warn', fault, text, ...(mend && { mend }) };
}

export function bad(fault: FaultId, text: string, mend?: Mend): Finding {
  return { level: 'bad', fault, text, ...(mend && { mend }) };
}

/** @param lines command lines for this box */
export function here(...lines: readonly string[]): Mend {
  return { where: HERE, lines };
}

/** `1 fault, 2 warnings`. */
export function verdictOf(findings: readonly Finding[]): string {
  const count = (level: Level): number => findings.filter((one) => one.level === level).length;
  const [faults, warnings] = [count('bad'), count('warn')];
  if (faults === 0 && warnings === 0) return 'No fault found.';
  const words = [
    ...(faults === 0 ? [] : [`${faults} ${faults === 1 ? 'fault' : 'faults'}`]),
    ...(warnings === 0 ? [] : [`${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`]),
  ];
  return `${words.join(', ')}.`;
}
