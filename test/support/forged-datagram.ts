// Datagrams of a node that has the token and lies about who it is and how far its counters are.

import { ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES } from '../../src/shared/envelope.ts';
import type { ChannelKeys } from '../../src/shared/key-ring.ts';
import { writeDataHeader, writeSequence } from '../../src/sync/body-codec.ts';

/** A signed datagram under any boot id and counter. */
export function forgedDatagram(
  keys: ChannelKeys,
  bootId: bigint,
  counter: number,
  body: Buffer,
): Buffer {
  const datagram = Buffer.alloc(ENVELOPE_HEADER_BYTES + body.length + ENVELOPE_TAG_BYTES);
  datagram.write('SH\x01\x00', 0, 'latin1');
  datagram.writeUInt32BE(keys.signing.id, 4);
  datagram.writeBigUInt64BE(bootId, 8);
  datagram.writeBigUInt64BE(BigInt(counter), 16);
  body.copy(datagram, ENVELOPE_HEADER_BYTES);
  keys.signing.mac.sign(datagram, ENVELOPE_HEADER_BYTES + body.length, ENVELOPE_TAG_BYTES);
  return datagram;
}

/** The body of a data datagram of the sync channel. */
export function dataBody(sequence: number, number: number, packets: Buffer): Buffer {
  const body = Buffer.alloc(16 + packets.length);
  writeDataHeader(body, 0, 0, number);
  writeSequence(body, 0, sequence);
  packets.copy(body, 16);
  return body;
}
