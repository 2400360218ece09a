// What one member knows of the writers' logs, and what of it was fetched from there.
//
// That a member has sent all that is current in a range does not mean that the range is covered here:
// a write that it left out was replaced by one in another log, which may be on its way still and
// never come, if the member dies. So what was fetched becomes ours only when we have everything that
// the member had at some moment after it was sent: when a digest that came later lacks nothing here.
// Until then it is only not fetched again.
// Invariant: a number that is covered in the map was seen here, or a newer write of its key was.

import { Coverage, type Range } from './coverage.ts';
import type { DigestEntry } from './register-map.ts';

type Logs = Map<bigint, Coverage>;

export class PeerKnowledge {
  /** Of its last digest: the logs of which it knew more than we do. */
  readonly #claims: Logs = new Map();
  /** Fetched since its last digest. */
  #fetched: Logs = new Map();
  /** Fetched before its last digest: ours as soon as we have all that the digest claims. */
  #sealed: Logs = new Map();

  /** Writers of which the member knew more than we do. */
  get claims(): ReadonlyMap<bigint, Coverage> {
    return this.#claims;
  }

  /** @param entries the whole digest */
  handleDigest(entries: readonly DigestEntry[], ownWriter: bigint): void {
    this.#claims.clear();
    for (const { writer, known } of entries) {
      if (writer !== ownWriter) this.#claims.set(writer, coverageOf(known));
    }
    if (this.#sealed.size > 0) return;
    this.#sealed = this.#fetched;
    this.#fetched = new Map();
  }

  /** We have all that was claimed of this log. */
  drop(writer: bigint): void {
    this.#claims.delete(writer);
  }

  dropAll(): void {
    this.#claims.clear();
  }

  /** The member has sent all that is current in this range. */
  addFetched(writer: bigint, { from, to }: Range): void {
    const coverage = this.#fetched.get(writer) ?? new Coverage();
    coverage.cover(from, to);
    this.#fetched.set(writer, coverage);
  }

  get hasFetched(): boolean {
    return this.#fetched.size > 0 || this.#sealed.size > 0;
  }

  /** Adds what was fetched of this log to a coverage, so that it is not fetched again. */
  addFetchedTo(coverage: Coverage, writer: bigint): void {
    for (const logs of [this.#fetched, this.#sealed]) {
      for (const { from, to } of logs.get(writer)?.ranges() ?? []) coverage.cover(from, to);
    }
  }

  /** What may be counted as ours now that no claim is open. */
  *takeSealed(): Generator<{ readonly writer: bigint; readonly range: Range }> {
    const sealed = this.#sealed;
    this.#sealed = new Map();
    for (const [writer, coverage] of sealed) {
      for (const range of coverage.ranges()) yield { writer, range };
    }
  }
}

/** All of these ranges, for the length of one comparison: what is added to them may not push others out. */
export function coverageOf(ranges: Iterable<Range>): Coverage {
  const coverage = new Coverage(Number.POSITIVE_INFINITY);
  for (const { from, to } of ranges) coverage.cover(from, to);
  return coverage;
}

/**
 * Whether a digest has all that is wanted.
 * @param current writers that are not in it are not wanted any more: newer writes took the place of theirs
 */
export function digestCovers(
  digest: readonly DigestEntry[],
  wanted: readonly DigestEntry[],
  current: readonly DigestEntry[] = wanted,
): boolean {
  const known = new Map(digest.map((entry) => [entry.writer, entry.known]));
  const writers = new Set(current.map(({ writer }) => writer));
  return wanted.every(({ writer, known: ranges }) => {
    if (!writers.has(writer)) return true;
    const coverage = coverageOf(known.get(writer) ?? []);
    return coverage.lacking(coverageOf(ranges), 1).length === 0;
  });
}
