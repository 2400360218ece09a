// The last ten minutes as the page keeps them: what came before, and what is new. Pure.

import type { HistoryView } from '../http/node-api.ts';

const SAMPLES_MAX = 120;
const MARKS_MAX = 60;

/** A stream that was opened again begins with what is known already. */
export function joinHistory(known: HistoryView, part: HistoryView): HistoryView {
  const sampledUntil = known.samples.at(-1)?.at ?? 0;
  const markedUntil = known.marks.at(-1)?.at ?? 0;
  return {
    samples: [...known.samples, ...part.samples.filter(({ at }) => at > sampledUntil)].slice(
      -SAMPLES_MAX,
    ),
    marks: [...known.marks, ...part.marks.filter(({ at }) => at > markedUntil)].slice(-MARKS_MAX),
  };
}
