// Finds the name for "did you mean ...?": options, file keys, variables, commands. Pure.

/** A word whose edit distance exceeds this share of its length is another word, not a misspelling. */
const DISTANCE_SHARE_MAX = 0.4;

/** @returns the candidate closest to the word; undefined if none is close */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // mosquitto's spellings: max_qos, acl_file, certfile.
  const dashed = word.replaceAll('_', '-');
  for (const candidate of [dashed, dashed.replace(/-?file$/, '')]) {
    if (candidates.includes(candidate)) return candidate;
  }
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length * DISTANCE_SHARE_MAX)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min((last[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? Number.POSITIVE_INFINITY) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
