// Copies between buffers. Buffer.copy makes a temporary view of the source, which costs more than the
// copy itself where there are few bytes.

const LOOP_BYTES_MAX = 48;

/** Copies `source[start, end)` to `target` at `at`, which must have room. @returns the offset behind the copy */
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
