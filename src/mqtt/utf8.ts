// Strict UTF-8 as MQTT demands it: well-formed, no surrogates, no U+0000; a byte order mark is kept
// [MQTT5-1.5.4-1, 1.5.4-2, 1.5.4-3].

/** True if the bytes are a UTF-8 Encoded String as MQTT defines it, which excludes U+0000. */
export function isStrictUtf8(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!;
    if (byte === 0) return false;
    if (byte >= 0x80) return !hasZero(buffer, i, end) && isWellFormed(buffer, i, end);
  }
  return true;
}

/** True if the bytes are well-formed UTF-8; U+0000 is allowed (payloads may hold it). */
export function isWellFormed(buffer: Buffer, start: number, end: number): boolean {
  const text = buffer.toString('utf8', start, end);
  // The decoder replaces wrong bytes by U+FFFD, so only a text with a U+FFFD can be ill-formed.
  if (!text.includes('\ufffd')) return true;
  return buffer.subarray(start, end).equals(Buffer.from(text, 'utf8'));
}

function hasZero(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buffer[i] === 0) return true;
  return false;
}
