// Reads ASN.1 structures in DER encoding, one element after the other. Never reads outside the given
// bytes. Source: X.690, with definite lengths and low tag numbers only, as certificates use them.

export const DerTag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  boolean: 0x01,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

export class DerError extends Error {
  override readonly name = 'DerError';
}

export interface DerElement {
  readonly tag: number;
  /** Views of the given bytes: the value, and the whole element. */
  readonly value: Buffer;
  readonly whole: Buffer;
}

export class DerReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  /** True if the next element has this tag. */
  isNext(...tags: readonly number[]): boolean {
    const tag = this.#bytes[this.#position];
    return tag !== undefined && tags.includes(tag);
  }

  /** @throws DerError at the end, for another tag than one of these, and for a length beyond the end */
  read(...tags: readonly number[]): DerElement {
    const start = this.#position;
    const tag = this.#byte();
    if (tags.length > 0 && !tags.includes(tag)) throw new DerError(`unexpected tag ${tag}`);
    const length = this.#length();
    const end = this.#position + length;
    if (end > this.#bytes.length) throw new DerError('an element ends beyond its container');
    const value = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return { tag, value, whole: this.#bytes.subarray(start, end) };
  }

  /** A reader of the elements inside the next one. */
  enter(...tags: readonly number[]): DerReader {
    return new DerReader(this.read(...tags).value);
  }

  #byte(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined) throw new DerError('an element is missing');
    this.#position += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const bytes = first & 0x7f;
    if (bytes === 0 || bytes > 4) throw new DerError('a length is not in DER');
    let length = 0;
    for (let left = bytes; left > 0; left--) length = length * 256 + this.#byte();
    return length;
  }
}

/** An object identifier in dotted form. */
export function oidText(value: Buffer): string {
  const first = value[0] ?? 0;
  const parts = [Math.min(2, Math.floor(first / 40))];
  parts.push(first - 40 * (parts[0] ?? 0));
  let part = 0;
  for (const byte of value.subarray(1)) {
    part = part * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    parts.push(part);
    part = 0;
  }
  return parts.join('.');
}

/** UTCTime or GeneralizedTime, in ms since 1970. */
export function derTime({ tag, value }: DerElement): number {
  const text = value.toString('latin1');
  const isShort = tag === DerTag.utcTime;
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  const year = Number(match?.[1]);
  if (match === null || (match[1] ?? '').length !== (isShort ? 2 : 4)) {
    throw new DerError(`'${text}' is not a time`);
  }
  // RFC 5280, 4.1.2.5.1
  const century = !isShort ? 0 : year < 50 ? 2000 : 1900;
  const [month = 1, day = 1, hour = 0, minute = 0, second = 0] = match.slice(2).map(Number);
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}
