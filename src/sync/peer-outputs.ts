// A stream of packets for each peer, for -forward=interest: a message goes only to the peers that may have
// a subscriber for it. Each peer's datagrams have a sequence, and its packets have numbers, of their own, so
// that a message which is not meant for a peer leaves no gap there: peers count losses as ever.
// While messages wait for a first peer they are in the common stream of the sync node. It leaves to all
// peers, under each peer's own sequence and numbers, and where it ends the streams of the peers begin.
// Invariant: what one peer is sent has sequences and numbers without gaps, over all of its links.

import type { PublishView } from '../mqtt/publish-view.ts';
import { ENVELOPE_HEADER_BYTES, ENVELOPE_TAG_BYTES } from '../shared/envelope.ts';
import { type StreamPosition, writeFirstNumber, writeSequence } from './body-codec.ts';
import { type OutgoingDatagram, Packer, type PackerOptions } from './packer.ts';
import type { PeerLink } from './peer-link.ts';
import type { PublishWriter } from './publish-writer.ts';
import { TopicCache } from './topic-cache.ts';

/** Which messages other nodes have a use for. */
export interface Interest {
  /** Rises with every change. */
  readonly version: number;
  /**
   * @param levels of a Topic Name, split at `/`
   * @returns false only if the node has said that no session there has a matching subscription
   */
  wants(bootId: bigint, levels: readonly string[]): boolean;
}

export interface OutputPort {
  /**
   * Seals a datagram that is complete except for the envelope, and sends it.
   * @returns true if its buffer may be reused at once
   */
  send(link: PeerLink, datagram: OutgoingDatagram, sequence: number): boolean;
  isReady(link: PeerLink): boolean;
  discarded(packets: number): void;
}

/** Datagrams that may wait for each peer at least, however many peers share -queue-length. */
const QUEUE_SHARE_MIN = 16;

/** The way out to one peer. */
interface Output {
  readonly link: PeerLink;
  /** Sequence of the last datagram that was sent to it. */
  sequence: number;
  /** Number of the next packet to it, less that of the common stream. */
  readonly numberOffset: number;
  /** Undefined while the peer is sent the common stream. */
  packer: Packer | undefined;
}

/** The peers that a topic is for, and the others. */
interface Split {
  readonly wanted: readonly Output[];
  readonly others: readonly Output[];
}

export class PeerOutputs {
  readonly #port: OutputPort;
  readonly #interest: Interest;
  /** The bound on the queues is shared, so it changes with the number of peers. */
  readonly #packerOptions: { -readonly [Key in keyof PackerOptions]: PackerOptions[Key] };
  readonly #queueLength: number;
  readonly #outputs = new Map<PeerLink, Output>();
  #all: readonly Output[] = [];
  readonly #splits = new TopicCache((topic) => this.#split(topic));
  #splitVersion = -1;
  /** Behind every position that a peer that was offline may have reached. */
  readonly #furthest = { sequence: 1, number: 1 };
  #turn = 0;

  constructor(options: PackerOptions, interest: Interest, port: OutputPort) {
    this.#packerOptions = {
      datagramBytes: options.datagramBytes,
      queueLength: options.queueLength,
      queuePolicy: options.queuePolicy,
    };
    this.#queueLength = options.queueLength;
    this.#interest = interest;
    this.#port = port;
  }

  /** Where the stream for a new link begins. @param retired position of the peer's link before */
  startOf(retired: StreamPosition | undefined): StreamPosition {
    return retired ?? { ...this.#furthest };
  }

  add(link: PeerLink, start: StreamPosition, common: Packer): void {
    this.#outputs.set(link, {
      link,
      sequence: start.sequence - 1,
      numberOffset: start.number - common.nextNumber,
      packer: undefined,
    });
    this.#changed();
  }

  /** Ends the stream of a link. @returns where it continues if the peer returns */
  remove(link: PeerLink, common: Packer): StreamPosition {
    const output = this.#outputOf(link);
    const { packer, numberOffset } = output;
    const number = packer ? packer.lastNumber + 1 : common.nextNumber + numberOffset;
    const position = { sequence: output.sequence + 1, number };
    this.#furthest.sequence = Math.max(this.#furthest.sequence, position.sequence);
    this.#furthest.number = Math.max(this.#furthest.number, position.number);
    this.#outputs.delete(link);
    this.#changed();
    return position;
  }

  /** Position of the next datagram to the peer. */
  nextPosition(link: PeerLink, common: Packer): StreamPosition {
    const { sequence, packer, numberOffset } = this.#outputOf(link);
    const number = packer?.nextNumber ?? common.nextNumber + numberOffset;
    return { sequence: sequence + 1, number };
  }

  /** From now on messages take the streams of the peers. @param common is empty */
  open(common: Packer): void {
    for (const output of this.#all) output.packer ??= this.#newPacker(output, common);
  }

  /** Sends a datagram of the common stream to all peers that take it. The buffer remains the caller's. */
  sendCommon(datagram: OutgoingDatagram): void {
    const { buffer, end, firstNumber } = datagram;
    for (const output of this.#all) {
      output.sequence += 1;
      const copy = Buffer.allocUnsafeSlow(end + ENVELOPE_TAG_BYTES);
      buffer.copy(copy, 0, 0, end);
      writeSequence(copy, ENVELOPE_HEADER_BYTES, output.sequence);
      writeFirstNumber(copy, ENVELOPE_HEADER_BYTES, firstNumber + output.numberOffset);
      this.#port.send(output.link, { ...datagram, buffer: copy }, output.sequence);
    }
  }

  /**
   * Appends a packet that `writer` has measured to the stream of each peer that wants it. A retained
   * message is a state of all nodes, so every peer gets it. Call it only after open().
   * @returns how many peers want it; -1 if the queue policy discarded it for one of them
   */
  append(writer: PublishWriter, view: PublishView, topic: Buffer): number {
    const { wanted, others } = view.retain
      ? { wanted: this.#all, others: [] }
      : this.#splitOf(topic);
    let isDiscarded = false;
    for (const { packer } of wanted) {
      if (packer?.append(writer, view, topic) === false) isDiscarded = true;
    }
    for (const { link } of others) link.counters.skippedMessages += 1;
    return isDiscarded ? -1 : wanted.length;
  }

  /** Sends as much as the network takes; each time another peer is the first. */
  flush(): void {
    const { length } = this.#all;
    this.#turn = length === 0 ? 0 : (this.#turn + 1) % length;
    for (let i = 0; i < length; i++) this.#all[(this.#turn + i) % length]?.packer?.flush();
  }

  /** Datagrams that wait for the network. */
  get queued(): number {
    return this.#all.reduce((sum, { packer }) => sum + (packer?.queued ?? 0), 0);
  }

  /** Makes each peer's datagrams as large as its own path takes. */
  fitDatagrams(): void {
    for (const { packer, link } of this.#all) {
      if (packer !== undefined && packer.datagramBytes !== link.path.bytes) {
        packer.resize(link.path.bytes);
      }
    }
  }

  #outputOf(link: PeerLink): Output {
    const output = this.#outputs.get(link);
    if (output === undefined) throw new Error('the link has no stream');
    return output;
  }

  #changed(): void {
    this.#all = [...this.#outputs.values()];
    this.#splitVersion = -1;
    const share = Math.floor(this.#queueLength / Math.max(1, this.#all.length));
    this.#packerOptions.queueLength = Math.max(QUEUE_SHARE_MIN, share);
  }

  #newPacker(output: Output, common: Packer): Packer {
    const port = {
      send: (datagram: OutgoingDatagram) => {
        output.sequence += 1;
        writeSequence(datagram.buffer, ENVELOPE_HEADER_BYTES, output.sequence);
        return this.#port.send(output.link, datagram, output.sequence);
      },
      isReady: () => this.#port.isReady(output.link),
      discarded: (packets: number) => this.#port.discarded(packets),
    };
    const packer = new Packer(this.#packerOptions, port, common.nextNumber + output.numberOffset);
    packer.resize(output.link.path.bytes);
    return packer;
  }

  #splitOf(topic: Buffer): Split {
    if (this.#splitVersion !== this.#interest.version) {
      this.#splitVersion = this.#interest.version;
      this.#splits.clear();
    }
    return this.#splits.get(topic);
  }

  #split(topic: string): Split {
    const levels = topic.split('/');
    const wanted: Output[] = [];
    const others: Output[] = [];
    for (const output of this.#all) {
      const isWanted = this.#interest.wants(output.link.peer.bootId, levels);
      (isWanted ? wanted : others).push(output);
    }
    return { wanted, others };
  }
}
