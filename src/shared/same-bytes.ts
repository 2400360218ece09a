// Compares short ranges of bytes, as topics are, on the hot path: Buffer.compare is a call into C++.

/** True if `bytes` are those of `buffer[start, end)`. */
export function sameBytes(bytes: Buffer, buffer: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (bytes.length !== length) return false;
  // From the end, where topics differ most.
  for (let i = length - 1; i >= 0; i--) if (bytes[i] !== buffer[start + i]) return false;
  return true;
}
