// Copies between buffers. Buffer.copy of a part makes a temporary view of the source, which for a
// few bytes costs more than the copy itself.

const LOOP_BYTES_MAX = 48;

/** Copies `source[start, end)` to `target` at `at` and returns the offset behind it. There must be room. */
export function copyBytes(
  target: Buffer,
  at: number,
  source: Buffer,
  start: number,
  end: number,
): number {
  const length = end - start;
  if (length > LOOP_BYTES_MAX) return at + source.copy(target, at, start, end);
  for (let i = 0; i < length; i++) target[at + i] = source[start + i]!;
  return at + length;
}
