// The doctor's report as text: a line for each finding, the line that mends it below, the verdict last.

import { type DoctorReport, type Finding, type Level, verdictOf } from '../../doctor/finding.ts';
import type { Paint } from '../terminal/paint.ts';
import { printable } from '../terminal/text-width.ts';

const TAGS: Readonly<Record<Level, string>> = { ok: '[ok]', warn: '[warn]', bad: '[BAD]' };
const STYLES = { ok: 'good', warn: 'warning', bad: 'bad' } as const;
const TEXT_COLUMN = 7;
const CURE_COLUMN = 29;

export function doctorLines({ findings }: DoctorReport, paint: Paint): string[] {
  return [...findings.flatMap((finding) => findingLines(finding, paint)), verdictOf(findings)];
}

/** Names and versions of other nodes are in the texts. */
function findingLines({ level, text, mend }: Finding, paint: Paint): string[] {
  const tag = TAGS[level];
  const gap = ' '.repeat(TEXT_COLUMN - tag.length);
  const first = `${paint[STYLES[level]](tag)}${gap}${printable(text)}`;
  if (mend === undefined) return [first];
  const label = `${' '.repeat(TEXT_COLUMN)}mend, ${printable(mend.where)}:`;
  const lines = mend.lines.map((line, index) => {
    const before = index === 0 ? `${label.padEnd(CURE_COLUMN - 1)} ` : ' '.repeat(CURE_COLUMN);
    return `${before}${printable(line)}`;
  });
  return [first, ...lines];
}
