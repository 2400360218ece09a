// Packs PUBLISH packets into datagrams and keeps those that the network can't take yet. A small
// packet never straddles two datagrams, a large one is split over as many as it needs.
// Knows nothing of peers, keys or sockets: `ship` does what has to be done with a full datagram.
// Invariants: packets leave in the order in which they came; at most `queueLength` datagrams and
// the open one are held; a number is given to every packet, so a receiver counts exactly what
// was given up.

import type { PublishView } from '../mqtt/publish-view.ts';
import { ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES } from '../shared/envelope.ts';
import { writeDataHeader } from './body-codec.ts';
import {
  PIECE_START,
  PUBLISH_BYTES_MAX,
  SPLIT_ROOM_BYTES_MIN,
  STRADDLE_ROOM_BYTES_MIN,
} from './limits.ts';
import type { PublishWriter } from './publish-writer.ts';

/** What is discarded when the queue is full: the packet that comes, or the datagram that has waited longest. */
export type QueuePolicy = 'discard-newest' | 'discard-oldest';

/** A datagram being filled or waiting. The body stands in `buffer` from ENVELOPE_HEADER_BYTES on. */
export interface OutgoingDatagram {
  buffer: Buffer;
  /** Behind the body. */
  end: number;
  /** Packets that begin in it. */
  starts: number;
  /** Number of the first of them, or of the next packet if there is none. */
  firstNumber: number;
  /** The piece begins with the rest of a packet of the parcel before. */
  continues: boolean;
}

export interface PackerPort {
  /**
   * Sends a parcel whose header lacks its sequence only.
   * @returns true when `parcel.buffer` may be written again at once
   */
  ship(parcel: OutgoingDatagram): boolean;
  /** False while the network can take no more. */
  isReady(): boolean;
  /** That many packets were given up. */
  onDiscard(packets: number): void;
}

export interface PackerOptions {
  /** Largest datagram that is made. */
  readonly datagramBytes: number;
  /** Datagrams. */
  readonly queueLength: number;
  readonly queuePolicy: QueuePolicy;
}

export class Packer {
  readonly #options: PackerOptions;
  readonly #port: PackerPort;
  readonly #scratch = Buffer.allocUnsafeSlow(PUBLISH_BYTES_MAX);
  /** Where the piece of a full datagram ends. */
  readonly #pieceEnd: number;
  readonly #pieceBytes: number;
  #open: OutgoingDatagram;
  #firstStart = 0;
  /** A packet behind the open parcel was given up: no other may begin in it, or numbers would lie. */
  #isOpenFinal = false;
  #nextNumber = 1;
  /** Closed parcels, oldest first; #head is the index of the oldest. */
  #queue: OutgoingDatagram[] = [];
  #head = 0;
  /** The parcel that left the queue last was given up, so what continues it is worth nothing. */
  #brokeHead = false;

  constructor(options: PackerOptions, port: PackerPort) {
    this.#options = options;
    this.#port = port;
    this.#pieceEnd = options.datagramBytes - ENVELOPE_TAG_BYTES;
    this.#pieceBytes = this.#pieceEnd - PIECE_START;
    this.#open = newParcel(this.#newBuffer());
  }

  /** Closed datagrams that wait. */
  get queued(): number {
    return this.#queue.length - this.#head;
  }

  /** True if anything waits to be sent. */
  get isEmpty(): boolean {
    return this.queued === 0 && this.#open.end === PIECE_START;
  }

  /** Number of the first packet that begins in the next datagram that will leave. */
  get nextNumber(): number {
    const next = this.#queue[this.#head] ?? this.#open;
    return next.end === PIECE_START ? this.#nextNumber : next.firstNumber;
  }

  /**
   * Takes a packet that `framer` has measured; at most PUBLISH_BYTES_MAX.
   * @returns false if it was given up
   */
  append(framer: PublishWriter, view: PublishView, topic: Buffer): boolean {
    const { bytes } = framer;
    const room = this.#isOpenFinal ? 0 : this.#pieceEnd - this.#open.end;
    if (bytes <= room) {
      this.#put(framer, view, topic);
      return true;
    }
    const isSplit = bytes > this.#pieceBytes || room >= STRADDLE_ROOM_BYTES_MIN;
    const used = isSplit && room >= SPLIT_ROOM_BYTES_MIN ? room : 0;
    if (!this.#hasRoomFor(Math.ceil((bytes - used) / this.#pieceBytes))) {
      this.#nextNumber += 1;
      this.#isOpenFinal = this.#open.end > PIECE_START;
      this.#port.onDiscard(1);
      return false;
    }
    if (isSplit) {
      framer.write(view, topic, this.#scratch, 0);
      if (used === 0) this.#close();
      this.#split(bytes);
    } else {
      this.#close();
      this.#put(framer, view, topic);
    }
    return true;
  }

  /** Sends all that the network takes: at the end of a turn, and when it is ready again. */
  flush(): void {
    while (this.#port.isReady()) {
      const parcel = this.#queue[this.#head];
      if (parcel === undefined) break;
      this.#shift();
      this.#brokeHead = false;
      this.#port.ship(parcel);
    }
    if (this.#open.end > PIECE_START && this.#port.isReady()) this.#close();
  }

  /** Forgets all that waits; nobody is there to get it. */
  clear(): void {
    this.#queue = [];
    this.#head = 0;
    this.#reopen(this.#open.buffer);
  }

  #put(framer: PublishWriter, view: PublishView, topic: Buffer): void {
    this.#begin();
    framer.write(view, topic, this.#open.buffer, this.#open.end);
    this.#open.end += framer.bytes;
  }

  /** Notes that a packet begins at the end of the open parcel. */
  #begin(): void {
    const parcel = this.#open;
    if (parcel.end === PIECE_START) parcel.firstNumber = this.#nextNumber;
    if (parcel.starts === 0) this.#firstStart = parcel.end - PIECE_START;
    parcel.starts += 1;
    this.#nextNumber += 1;
  }

  /** Puts what stands in #scratch into the open parcel and those after it. */
  #split(bytes: number): void {
    this.#begin();
    let taken = 0;
    for (;;) {
      const size = Math.min(bytes - taken, this.#pieceEnd - this.#open.end);
      this.#scratch.copy(this.#open.buffer, this.#open.end, taken, taken + size);
      this.#open.end += size;
      taken += size;
      if (taken === bytes) return;
      this.#close();
      this.#open.continues = true;
      this.#open.firstNumber = this.#nextNumber;
    }
  }

  /** Finishes the open parcel, sends or queues it, and opens another. */
  #close(): void {
    const parcel = this.#open;
    if (parcel.end === PIECE_START) return;
    const firstStart = parcel.starts > 0 ? this.#firstStart : parcel.end - PIECE_START;
    writeDataHeader(parcel.buffer, ENVELOPE_HEADER_BYTES, firstStart, parcel.firstNumber);
    if (this.queued === 0 && this.#port.isReady()) {
      this.#reopen(this.#port.ship(parcel) ? parcel.buffer : undefined);
      return;
    }
    this.#queue.push(parcel);
    this.#reopen(undefined);
  }

  #reopen(buffer: Buffer | undefined): void {
    this.#open = newParcel(buffer ?? this.#newBuffer());
    this.#isOpenFinal = false;
  }

  /** Makes room for `parcels` more in the queue if the policy allows it. */
  #hasRoomFor(parcels: number): boolean {
    if (this.queued === 0 && this.#port.isReady()) return true;
    const { queueLength, queuePolicy } = this.#options;
    while (this.queued + parcels > queueLength) {
      if (queuePolicy === 'discard-newest' || this.queued === 0) return false;
      this.#discardOldest();
    }
    return true;
  }

  #discardOldest(): void {
    const parcel = this.#queue[this.#head];
    if (parcel === undefined) return;
    this.#shift();
    const cutShort = parcel.continues && !this.#brokeHead ? 1 : 0;
    this.#brokeHead = true;
    this.#port.onDiscard(parcel.starts + cutShort);
  }

  #newBuffer(): Buffer {
    return Buffer.allocUnsafeSlow(this.#options.datagramBytes);
  }

  #shift(): void {
    this.#head += 1;
    if (this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

function newParcel(buffer: Buffer): OutgoingDatagram {
  return {
    buffer,
    end: PIECE_START,
    starts: 0,
    firstNumber: 0,
    continues: false,
  };
}
