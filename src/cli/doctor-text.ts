// The doctor's report as text: a line for each finding, the line that mends it below, the verdict last.

import { type DoctorReport, type Finding, type Level, verdictOf } from '../doctor/finding.ts';

export type Colour = (level: Level, text: string) => string;

const TAGS: Readonly<Record<Level, string>> = { ok: '[ok]', warn: '[warn]', bad: '[BAD]' };
const TEXT_COLUMN = 7;
const CURE_COLUMN = 29;

export function reportLines({ findings }: DoctorReport, colour: Colour): string[] {
  return [...findings.flatMap((finding) => findingLines(finding, colour)), verdictOf(findings)];
}

function findingLines({ level, text, mend }: Finding, colour: Colour): string[] {
  const tag = TAGS[level];
  const first = `${colour(level, tag)}${' '.repeat(TEXT_COLUMN - tag.length)}${text}`;
  if (mend === undefined) return [first];
  const label = `${' '.repeat(TEXT_COLUMN)}mend, ${mend.where}:`;
  const lines = mend.lines.map((line, index) =>
    index === 0 ? `${label.padEnd(CURE_COLUMN - 1)} ${line}` : `${' '.repeat(CURE_COLUMN)}${line}`,
  );
  return [first, ...lines];
}
