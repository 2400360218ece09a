// What a node has of one writer's log: everything up to its position, and ranges beyond it where
// something between was lost. A number is covered once its write was seen, or a node that has
// everything has said that a newer write of the same key took its place.
// Invariants: ranges are disjoint, ascending, not adjacent, and lie behind `position + 1`.

/** Sequence numbers, both ends included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Of what is kept for long. Beyond this many ranges the highest one is forgotten; it is fetched again later. */
const RANGES_MAX = 1024;

export class Coverage {
  #position = 0;
  #beyond: Range[] = [];
  readonly #rangesMax: number;

  /** @param rangesMax ranges beyond the position that are kept */
  constructor(rangesMax = RANGES_MAX) {
    this.#rangesMax = rangesMax;
  }

  /** Everything up to here is covered. */
  get position(): number {
    return this.#position;
  }

  /** What is covered beyond the position: behind each gap a range. To be read only. */
  get beyond(): readonly Range[] {
    return this.#beyond;
  }

  *ranges(): Generator<Range> {
    if (this.#position > 0) yield { from: 1, to: this.#position };
    yield* this.#beyond;
  }

  /** Marks `from` to `to`, both included, as covered. */
  cover(from: number, to: number): void {
    if (to <= this.#position) return;
    if (from <= this.#position + 1) {
      this.#position = to;
      this.#absorb();
      return;
    }
    this.#insert(from, to);
  }

  /** The first part of `from` to `to` that is covered. */
  firstCovered({ from, to }: Range): Range | undefined {
    if (from <= this.#position) return { from, to: Math.min(to, this.#position) };
    const range = this.#beyond.find((one) => one.to >= from);
    if (range === undefined || range.from > to) return undefined;
    return { from: Math.max(from, range.from), to: Math.min(to, range.to) };
  }

  /** What another coverage has and this one lacks, ascending, `max` ranges at most. */
  lacking(other: Coverage, max: number): Range[] {
    const found: Range[] = [];
    this.#addMissing(found, 1, other.position, max);
    for (const { from, to } of other.beyond) {
      if (found.length >= max) break;
      this.#addMissing(found, from, to, max);
    }
    return found;
  }

  #addMissing(found: Range[], from: number, to: number, max: number): void {
    let next = Math.max(from, this.#position + 1);
    for (const range of this.#beyond) {
      if (next > to || found.length >= max) return;
      if (range.to < next) continue;
      if (range.from > next) found.push({ from: next, to: Math.min(to, range.from - 1) });
      next = range.to + 1;
    }
    if (next <= to && found.length < max) found.push({ from: next, to });
  }

  /** Takes in what now lies directly behind the position. */
  #absorb(): void {
    let absorbed = 0;
    for (const range of this.#beyond) {
      if (range.from > this.#position + 1) break;
      this.#position = Math.max(this.#position, range.to);
      absorbed += 1;
    }
    if (absorbed > 0) this.#beyond.splice(0, absorbed);
  }

  #insert(from: number, to: number): void {
    const beyond = this.#beyond;
    let first = beyond.length;
    while (first > 0 && beyond[first - 1]!.to >= from - 1) first -= 1;
    let start = from;
    let end = to;
    let last = first;
    while (last < beyond.length && beyond[last]!.from <= to + 1) {
      start = Math.min(start, beyond[last]!.from);
      end = Math.max(end, beyond[last]!.to);
      last += 1;
    }
    beyond.splice(first, last - first, { from: start, to: end });
    if (beyond.length > this.#rangesMax) beyond.pop();
  }
}
