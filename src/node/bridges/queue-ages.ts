// When the deliveries of a queue arrived, without a time in each of them: their ids rise, so a mark now
// and then of the time and the last id says it well enough. Rounds so that a delivery counts as younger
// than it is. Pure.

/** When as many marks are kept, every second one of the older half is dropped. */
const MARKS_MAX = 4096;

interface Mark {
  readonly lastId: number;
  /** When `lastId` was first seen as the last one, and when last. */
  readonly first: number;
  last: number;
}

export class QueueAges {
  #marks: Mark[] = [];

  /** At `time` the last delivery that had arrived was `lastId`. Both only rise. */
  note(time: number, lastId: number): void {
    const latest = this.#marks.at(-1);
    if (latest?.lastId === lastId) latest.last = time;
    else this.#marks.push({ lastId, first: time, last: time });
    if (this.#marks.length <= MARKS_MAX) return;
    const half = MARKS_MAX / 2;
    this.#marks = this.#marks.filter((_, index) => index >= half || index % 2 === 0);
  }

  /** The last delivery that had certainly arrived by then; 0: none. */
  lastIdAt(time: number): number {
    return this.#marks.findLast(({ first }) => first <= time)?.lastId ?? 0;
  }

  /** A time at which this delivery had certainly not arrived yet; -1: unknown. */
  timeBefore(id: number): number {
    return this.#marks.findLast(({ lastId }) => lastId < id)?.last ?? -1;
  }
}
