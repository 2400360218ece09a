// The ack body of the sync channel: the answer to a data datagram whose sender asks for one. It says how
// far the sender's datagrams have come, and how many bytes of them may be under way, so that the sender
// never fills the receiver's socket. Nothing is sent again because of it. Big endian. docs/protocol.md has
// the same layout with a test vector.
// Invariant: readAck() reads any body of ACK_BYTES without throwing.
//
//   ack        offset  size  field
//                   0     1  kind, 6
//                   1     3  reserved: 0 when sent, ignored when received
//                   4     8  boot id of the peer that it is for
//                  12     6  sequence of the data datagram that asked
//                  18     6  data datagrams of the peer that are lost so far
//                  24     4  window: what may be under way to this node, in bytes of kernel memory

export const ACK_BYTES = 28;
export const KIND_ACK = 6;

const COUNTER_BYTES = 6;
const UINT32_MAX = 0xffffffff;

export interface Ack {
  /** The process that it is for. */
  readonly receiverBootId: bigint;
  /** Sequence of the data datagram that asked; what was sent before it is no longer under way. */
  readonly sequence: number;
  readonly lostDatagrams: number;
  /** See kernelBytes(). */
  readonly windowBytes: number;
}

/** @returns the offset behind the body */
export function writeAck(buffer: Buffer, at: number, ack: Ack): number {
  buffer.fill(0, at, at + ACK_BYTES);
  buffer[at] = KIND_ACK;
  buffer.writeBigUInt64BE(ack.receiverBootId, at + 4);
  buffer.writeUIntBE(ack.sequence, at + 12, COUNTER_BYTES);
  buffer.writeUIntBE(ack.lostDatagrams, at + 18, COUNTER_BYTES);
  buffer.writeUInt32BE(Math.min(ack.windowBytes, UINT32_MAX), at + 24);
  return at + ACK_BYTES;
}

/** @param body an ack body, checked by bodyKind() */
export function readAck(body: Buffer): Ack {
  return {
    receiverBootId: body.readBigUInt64BE(4),
    sequence: body.readUIntBE(12, COUNTER_BYTES),
    lostDatagrams: body.readUIntBE(18, COUNTER_BYTES),
    windowBytes: body.readUInt32BE(24),
  };
}

/** Of the headers of UDP, IP and Ethernet, and of the kernel's own record at the end of the data. */
const KERNEL_HEADER_BYTES = 384;
/** The kernel's record of a datagram, apart from its data. */
const KERNEL_RECORD_BYTES = 256;

/**
 * What a datagram takes of the receive buffer of a Linux socket: its data in a block whose size is a
 * power of two, and a record (`truesize` in the kernel's source).
 */
export function kernelBytes(datagramBytes: number): number {
  return 2 ** Math.ceil(Math.log2(datagramBytes + KERNEL_HEADER_BYTES)) + KERNEL_RECORD_BYTES;
}
