/** The value that occurs most often, the first of several; undefined for none. */
export function mostCommon<T>(values: Iterable<T>): T | undefined {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let most: [T, number] | undefined;
  for (const one of counts) if (most === undefined || one[1] > most[1]) most = one;
  return most?.[0];
}
