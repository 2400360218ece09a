// Variable Byte Integer (MQTT 5.0 1.5.5): seven bits a byte, least significant first, at most four
// bytes. Decoders return a negative number for a fault instead of throwing.

export const VARINT_INCOMPLETE = -1;
export const VARINT_MALFORMED = -2;

/**
 * @param allowsPadding the value may have more bytes than needed, as before MQTT 5; MQTT 5 demands the
 *   shortest form [MQTT5-1.5.5-1]
 * @returns the value, VARINT_INCOMPLETE if `end` comes too early, or VARINT_MALFORMED
 */
export function decodeVarint(
  buffer: Buffer,
  start: number,
  end: number,
  allowsPadding = false,
): number {
  let value = 0;
  let shift = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return byte === 0 && i > start && !allowsPadding ? VARINT_MALFORMED : value;
    shift += 7;
    if (shift > 21) return VARINT_MALFORMED;
  }
  return VARINT_INCOMPLETE;
}

/** How many bytes the shortest form of the value takes. */
export function varintBytes(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  return value < 2_097_152 ? 3 : 4;
}

/** Writes the shortest form of the value and returns the offset behind it. */
export function encodeVarint(buffer: Buffer, at: number, value: number): number {
  let rest = value;
  let position = at;
  while (rest > 127) {
    buffer[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[position++] = rest;
  return position;
}
