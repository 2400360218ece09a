// Packs PUBLISH packets into datagrams and queues the datagrams that the network can't take yet. A
// small packet never straddles two datagrams; a large one is split over as many as it needs. Knows
// nothing of peers, keys or sockets: its port sends the full datagrams.
// Invariants: packets leave in the order in which they came; at most `queueLength` datagrams and the
// open one are retained; every packet has a number, so that a receiver counts exactly the packets
// that were discarded here.

import type { PublishView } from '../mqtt/publish-view.ts';
import { ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES } from '../shared/envelope.ts';
import { writeDataHeader } from './body-codec.ts';
import {
  DATAGRAM_BYTES_DEFAULT,
  SEGMENT_START,
  SPLIT_ROOM_BYTES_MIN,
  STRADDLE_ROOM_BYTES_MIN,
  STREAM_PACKET_BYTES_MAX,
} from './limits.ts';
import type { PublishWriter } from './publish-writer.ts';

/** Discarded when the queue is full: the packet that comes, or the datagram that has waited longest. */
export type QueuePolicy = 'discard-newest' | 'discard-oldest';

/** A datagram that is being filled or waits to be sent. Its body begins at ENVELOPE_HEADER_BYTES. */
export interface OutgoingDatagram {
  buffer: Buffer;
  /** Offset behind the body. */
  end: number;
  /** Packets that begin in it. */
  packets: number;
  /** Number of the first of them, or of the next packet if there is none. */
  firstNumber: number;
  /** The segment begins with the rest of a packet that began in the datagram before. */
  isContinuation: boolean;
}

export interface PackerPort {
  /**
   * Sends a datagram that is complete except for its sequence and the envelope.
   * @returns true if `datagram.buffer` may be reused at once; false if the network still reads it
   */
  send(datagram: OutgoingDatagram): boolean;
  /** False while the network takes no more. */
  isReady(): boolean;
  /** Called when the queue policy has discarded packets. */
  discarded(packets: number): void;
}

export interface PackerOptions {
  /** Largest datagram to make, bytes; resize() may choose a smaller one later. */
  readonly datagramBytes: number;
  /** Datagrams of DATAGRAM_BYTES_DEFAULT that may wait; fewer larger ones, as many smaller ones. */
  readonly queueLength: number;
  readonly queuePolicy: QueuePolicy;
}

export class Packer {
  readonly #options: PackerOptions;
  readonly #port: PackerPort;
  readonly #scratch = Buffer.allocUnsafeSlow(STREAM_PACKET_BYTES_MAX);
  #datagramBytes: number;
  /** Offset behind the segment of a full datagram. */
  #segmentEnd: number;
  #segmentBytes: number;
  #open: OutgoingDatagram;
  #firstStart = 0;
  /**
   * The packet after those of the open datagram was discarded. No other may begin in it, because a
   * receiver numbers the packets of one datagram without gaps.
   */
  #isOpenFinal = false;
  #nextNumber: number;
  /** Closed datagrams, oldest first; #head is the index of the oldest. */
  #queue: OutgoingDatagram[] = [];
  #head = 0;
  /** The datagram before the oldest one was discarded, so a packet that it continues is counted already. */
  #hasDiscardedHead = false;

  /** @param firstNumber number of the first packet */
  constructor(options: PackerOptions, port: PackerPort, firstNumber = 1) {
    this.#options = options;
    this.#port = port;
    this.#nextNumber = firstNumber;
    this.#datagramBytes = options.datagramBytes;
    this.#segmentEnd = options.datagramBytes - ENVELOPE_TAG_BYTES;
    this.#segmentBytes = this.#segmentEnd - SEGMENT_START;
    this.#open = newDatagram(this.#newBuffer());
  }

  /** Size of a full datagram, bytes. */
  get datagramBytes(): number {
    return this.#datagramBytes;
  }

  /**
   * Makes datagrams of another size from the next packet on; those that wait keep theirs.
   * @param datagramBytes at most that of the options
   */
  resize(datagramBytes: number): void {
    this.#close();
    this.#datagramBytes = datagramBytes;
    this.#segmentEnd = datagramBytes - ENVELOPE_TAG_BYTES;
    this.#segmentBytes = this.#segmentEnd - SEGMENT_START;
    if (this.#open.buffer.length < datagramBytes) this.#reopen(undefined);
  }

  /** Number of the last packet that append() took, which receivers know it by. */
  get lastNumber(): number {
    return this.#nextNumber - 1;
  }

  /** Closed datagrams that wait for the network. */
  get queued(): number {
    return this.#queue.length - this.#head;
  }

  /** True if no packet waits to be sent. */
  get isEmpty(): boolean {
    return this.queued === 0 && this.#open.end === SEGMENT_START;
  }

  /** Number of the first packet that begins in the next datagram to leave. */
  get nextNumber(): number {
    const next = this.#queue[this.#head] ?? this.#open;
    return next.end === SEGMENT_START ? this.#nextNumber : next.firstNumber;
  }

  /**
   * Appends a packet that `writer` has measured, of STREAM_PACKET_BYTES_MAX at most. Its bytes are copied.
   * @returns false if the queue policy discarded it
   */
  append(writer: PublishWriter, view: PublishView, topic: Buffer): boolean {
    const { bytes } = writer;
    const room = this.#isOpenFinal ? 0 : this.#segmentEnd - this.#open.end;
    if (bytes <= room) {
      this.#put(writer, view, topic);
      return true;
    }
    const isSplit = bytes > this.#segmentBytes || room >= STRADDLE_ROOM_BYTES_MIN;
    const used = isSplit && room >= SPLIT_ROOM_BYTES_MIN ? room : 0;
    if (!this.#makeRoomFor(Math.ceil((bytes - used) / this.#segmentBytes))) {
      this.#nextNumber += 1;
      this.#isOpenFinal = this.#open.end > SEGMENT_START;
      this.#port.discarded(1);
      return false;
    }
    if (isSplit) {
      writer.write(view, topic, this.#scratch, 0);
      if (used === 0) this.#close();
      this.#split(bytes);
    } else {
      this.#close();
      this.#put(writer, view, topic);
    }
    return true;
  }

  /** Sends as much as the network takes. Call it at the end of a turn and when the network is ready again. */
  flush(): void {
    while (this.#port.isReady()) {
      const datagram = this.#queue[this.#head];
      if (datagram === undefined) break;
      this.#shift();
      this.#hasDiscardedHead = false;
      this.#port.send(datagram);
    }
    if (this.#open.end > SEGMENT_START && this.#port.isReady()) this.#close();
  }

  /**
   * Discards all that waits, without counting it as a discard.
   * @returns how many packets waited
   */
  clear(): number {
    let packets = this.#open.packets;
    for (let i = this.#head; i < this.#queue.length; i++) packets += this.#queue[i]!.packets;
    this.#queue = [];
    this.#head = 0;
    this.#hasDiscardedHead = false;
    this.#reopen(this.#open.buffer);
    return packets;
  }

  /** Large datagrams take no more memory than as many of the default size. */
  get #queueLength(): number {
    const scale = Math.min(1, DATAGRAM_BYTES_DEFAULT / this.#datagramBytes);
    return Math.max(1, Math.floor(this.#options.queueLength * scale));
  }

  #put(writer: PublishWriter, view: PublishView, topic: Buffer): void {
    this.#beginPacket();
    writer.write(view, topic, this.#open.buffer, this.#open.end);
    this.#open.end += writer.bytes;
  }

  /** Records that a packet begins at the end of the open datagram. */
  #beginPacket(): void {
    const datagram = this.#open;
    if (datagram.end === SEGMENT_START) datagram.firstNumber = this.#nextNumber;
    if (datagram.packets === 0) this.#firstStart = datagram.end - SEGMENT_START;
    datagram.packets += 1;
    this.#nextNumber += 1;
  }

  /** Copies the packet in #scratch into the open datagram and those after it. */
  #split(bytes: number): void {
    this.#beginPacket();
    let taken = 0;
    for (;;) {
      const size = Math.min(bytes - taken, this.#segmentEnd - this.#open.end);
      this.#scratch.copy(this.#open.buffer, this.#open.end, taken, taken + size);
      this.#open.end += size;
      taken += size;
      if (taken === bytes) return;
      this.#close();
      this.#open.isContinuation = true;
      this.#open.firstNumber = this.#nextNumber;
    }
  }

  /** Completes the open datagram, sends or queues it, and opens another. */
  #close(): void {
    const datagram = this.#open;
    if (datagram.end === SEGMENT_START) return;
    const firstStart = datagram.packets > 0 ? this.#firstStart : datagram.end - SEGMENT_START;
    writeDataHeader(datagram.buffer, ENVELOPE_HEADER_BYTES, firstStart, datagram.firstNumber);
    if (this.queued === 0 && this.#port.isReady()) {
      this.#reopen(this.#port.send(datagram) ? datagram.buffer : undefined);
      return;
    }
    this.#queue.push(datagram);
    this.#reopen(undefined);
  }

  #reopen(buffer: Buffer | undefined): void {
    this.#open = newDatagram(buffer ?? this.#newBuffer());
    this.#isOpenFinal = false;
  }

  /** Makes room for `datagrams` more in the queue if the policy allows it. */
  #makeRoomFor(datagrams: number): boolean {
    if (this.queued === 0 && this.#port.isReady()) return true;
    const { queuePolicy } = this.#options;
    const queueLength = this.#queueLength;
    while (this.queued + datagrams > queueLength) {
      if (queuePolicy === 'discard-newest' || this.queued === 0) return false;
      this.#discardOldest();
    }
    return true;
  }

  #discardOldest(): void {
    const datagram = this.#queue[this.#head];
    if (datagram === undefined) return;
    this.#shift();
    const cutPackets = datagram.isContinuation && !this.#hasDiscardedHead ? 1 : 0;
    this.#hasDiscardedHead = true;
    this.#port.discarded(datagram.packets + cutPackets);
  }

  #newBuffer(): Buffer {
    return Buffer.allocUnsafeSlow(this.#datagramBytes);
  }

  #shift(): void {
    this.#head += 1;
    if (this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

function newDatagram(buffer: Buffer): OutgoingDatagram {
  return {
    buffer,
    end: SEGMENT_START,
    packets: 0,
    firstNumber: 0,
    isContinuation: false,
  };
}
