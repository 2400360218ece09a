// DNS messages as multicast DNS uses them. Pure. Invariants: decoding never throws, reads each byte of a
// datagram a bounded number of times, and returns undefined for a datagram that is damaged at any place;
// records of classes other than Internet are left out.
//
//   0  id, 0 unless the querier is no multicast DNS resolver       2 bytes
//   2  flags: response 0x8000, opcode 0x7800, authoritative 0x0400, truncated 0x0200, code 0x000f
//   4  number of questions, answers, authority records, additional records    2 bytes each
//  12  each question: name, type, class; the highest bit of the class asks for an answer by unicast
//      each record: name, type, class, TTL (4 bytes), length, data; the highest bit of the class is
//      the cache-flush bit
//
// A name is a row of labels, each behind its length, and ends with a 0; two bytes from 0xc000 on point to
// the rest of a name before them.
// Sources: RFC 1035 4.1, RFC 6762 18. Decision 0173 has the reason for a codec of our own.

import {
  type DnsRecord,
  joinLabels,
  LABEL_BYTES_MAX,
  nameToBytes,
  RecordType,
} from './dns-record.ts';

export interface DnsQuestion {
  readonly name: string;
  readonly type: number;
  /** The querier takes an answer by unicast, too. RFC 6762, 5.4. */
  readonly wantsUnicast: boolean;
}

export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  /** Further known answers follow in another query. RFC 6762, 7.2. */
  readonly isTruncated: boolean;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** Largest message of multicast DNS. RFC 6762, 17. */
export const MESSAGE_BYTES_MAX = 9000;
/** Labels that are read of one message: pointers could make a small one expand to very many. */
const LABELS_MAX = 1500;
const NAME_BYTES_MAX = 255;
const HEADER_BYTES = 12;
const RESPONSE = 0x8000;
const OPCODE_AND_CODE = 0x780f;
const AUTHORITATIVE = 0x0400;
const TRUNCATED = 0x0200;
const CLASS_IN = 1;
const CLASS_ANY = 255;
const CLASS_MASK = 0x7fff;
const TOP_BIT = 0x8000;
/** The first byte of a pointer is at least this. */
const POINTER = 0xc0;
const RECORD_HEADER_BYTES = 10;
const SRV_HEADER_BYTES = 6;

export const NO_RECORDS: Omit<DnsMessage, 'id' | 'isResponse'> = {
  isTruncated: false,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
};

/**
 * @param datagram the data of records are views of it
 * @returns undefined for what is no message of multicast DNS; operations other than queries, and
 *   responses with an error, are none (RFC 6762, 18.3 and 18.11)
 */
export function decodeDns(datagram: Buffer): DnsMessage | undefined {
  if (datagram.length < HEADER_BYTES || datagram.length > MESSAGE_BYTES_MAX) return undefined;
  const flags = datagram.readUInt16BE(2);
  if ((flags & OPCODE_AND_CODE) !== 0) return undefined;
  const reader = new Reader(datagram);
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((offset) =>
    datagram.readUInt16BE(offset),
  ) as [number, number, number, number];
  const message: DnsMessage = {
    id: datagram.readUInt16BE(0),
    isResponse: (flags & RESPONSE) !== 0,
    isTruncated: (flags & TRUNCATED) !== 0,
    questions: reader.questions(questions),
    answers: reader.records(answers),
    authorities: reader.records(authorities),
    additionals: reader.records(additionals),
  };
  return reader.isDamaged ? undefined : message;
}

export function encodeDns(message: DnsMessage): Buffer {
  const { id, isResponse, isTruncated, questions, ...sections } = message;
  const { answers, authorities, additionals } = sections;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(
    (isResponse ? RESPONSE | AUTHORITATIVE : 0) | (isTruncated ? TRUNCATED : 0),
    2,
  );
  for (const [index, list] of [questions, answers, authorities, additionals].entries()) {
    header.writeUInt16BE(list.length, 4 + 2 * index);
  }
  return Buffer.concat([
    header,
    ...questions.map(encodeQuestion),
    ...[...answers, ...authorities, ...additionals].map(encodeRecord),
  ]);
}

function encodeQuestion({ name, type, wantsUnicast }: DnsQuestion): Buffer {
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(type, 0);
  tail.writeUInt16BE(CLASS_IN | (wantsUnicast ? TOP_BIT : 0), 2);
  return Buffer.concat([nameToBytes(name), tail]);
}

function encodeRecord({ name, type, ttlSeconds, isUnique, data }: DnsRecord): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(CLASS_IN | (isUnique ? TOP_BIT : 0), 2);
  header.writeUInt32BE(ttlSeconds, 4);
  header.writeUInt16BE(data.length, 8);
  return Buffer.concat([nameToBytes(name), header, data]);
}

/** Reads from the front to the back. Once it meets damage it reads nothing more. */
class Reader {
  readonly #bytes: Buffer;
  #offset = HEADER_BYTES;
  #labelsLeft = LABELS_MAX;
  #isDamaged = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  questions(count: number): DnsQuestion[] {
    const questions: DnsQuestion[] = [];
    for (let index = 0; index < count && !this.#isDamaged; index++) {
      const name = textOf(this.#name());
      const [type, qclass] = [this.#uint16(), this.#uint16()];
      const isKnown = (qclass & CLASS_MASK) === CLASS_IN || (qclass & CLASS_MASK) === CLASS_ANY;
      if (isKnown) questions.push({ name, type, wantsUnicast: (qclass & TOP_BIT) !== 0 });
    }
    return questions;
  }

  records(count: number): DnsRecord[] {
    const records: DnsRecord[] = [];
    for (let index = 0; index < count && !this.#isDamaged; index++) {
      const name = textOf(this.#name());
      const [type, rclass] = [this.#uint16(), this.#uint16()];
      const ttlSeconds = this.#uint16() * 0x10000 + this.#uint16();
      const data = this.#data(type, this.#uint16());
      if ((rclass & CLASS_MASK) !== CLASS_IN) continue;
      records.push({ name, type, ttlSeconds, isUnique: (rclass & TOP_BIT) !== 0, data });
    }
    return records;
  }

  /** With names written out. */
  #data(type: number, length: number): Buffer {
    const start = this.#offset;
    const end = start + length;
    if (end > this.#bytes.length) return this.#damaged();
    let data = this.#bytes.subarray(start, end);
    if (type === RecordType.PTR || type === RecordType.CNAME || type === RecordType.NSEC) {
      const name = this.#name();
      data = Buffer.concat([name, data.subarray(this.#offset - start)]);
    } else if (type === RecordType.SRV) {
      this.#offset += SRV_HEADER_BYTES;
      data = Buffer.concat([data.subarray(0, SRV_HEADER_BYTES), this.#name()]);
    }
    if (this.#offset > end) return this.#damaged();
    this.#offset = end;
    return data;
  }

  /** Written out; the offset is then behind it. */
  #name(): Buffer {
    const parts: Buffer[] = [];
    let bytesLeft = NAME_BYTES_MAX;
    let offset = this.#offset;
    let start = offset;
    let end: number | undefined;
    for (;;) {
      const length = this.#bytes[offset];
      this.#labelsLeft -= 1;
      if (length === undefined || this.#labelsLeft < 0) return this.#damaged();
      if (length >= POINTER) {
        const target = (length - POINTER) * 256 + (this.#bytes[offset + 1] ?? start);
        end ??= offset + 2;
        // Each pointer leads further to the front, so that none leads in a circle.
        if (target >= start) return this.#damaged();
        start = target;
        offset = target;
        continue;
      }
      bytesLeft -= length + 1;
      if (length > LABEL_BYTES_MAX || bytesLeft < 0) return this.#damaged();
      parts.push(this.#bytes.subarray(offset, offset + 1 + length));
      offset += 1 + length;
      if (offset > this.#bytes.length) return this.#damaged();
      if (length === 0) break;
    }
    this.#offset = end ?? offset;
    return Buffer.concat(parts);
  }

  #uint16(): number {
    if (this.#offset + 2 > this.#bytes.length) {
      this.#damaged();
      return 0;
    }
    this.#offset += 2;
    return this.#bytes.readUInt16BE(this.#offset - 2);
  }

  #damaged(): Buffer {
    this.#isDamaged = true;
    return Buffer.alloc(1);
  }
}

/** @param wire a name that is written out */
function textOf(wire: Buffer): string {
  const labels: string[] = [];
  for (let offset = 0; wire[offset]; offset += 1 + wire[offset]!) {
    labels.push(wire.toString('utf8', offset + 1, offset + 1 + wire[offset]!));
  }
  return joinLabels(labels);
}
