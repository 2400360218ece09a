// A bridge while it is connected: the bridge's session on this node on one side, the far side on the
// other, and the packets that pass between them. It is what the broker writes to.
// Invariant: the session's connection and this object end together; a new one begins with the next
// connection to the far side.

import { FirstByte } from '../mqtt/packet-type.ts';
import type { PublishFields } from '../mqtt/publish-encoder.ts';
import { topicMatches } from '../mqtt/topic.ts';
import type { BridgeCounters } from './counters.ts';
import type { DropLog } from './drop-log.ts';
import { Incoming } from './incoming.ts';
import type { BridgeOptions } from './options.ts';
import { type FarLimits, Outgoing } from './outgoing.ts';
import { OwnMessages } from './own-messages.ts';
import type { BridgePort, FarOutbox, LocalClient, LocalOutbox } from './ports.ts';
import { Rate } from './rate.ts';
import type { TopicMapper } from './topic-mapper.ts';

export interface JunctionParts {
  readonly options: BridgeOptions;
  readonly port: BridgePort;
  readonly far: FarOutbox;
  readonly limits: FarLimits;
  readonly sendWindow: number;
  /** An MQTT 3.1.1 server that sends our own messages back. */
  readonly returnsOwn: boolean;
  readonly outgoing: TopicMapper;
  readonly incoming: TopicMapper;
  readonly counters: BridgeCounters;
  /** The broker of this node has ended the session's connection. */
  readonly localClosed: () => void;
  readonly drops: DropLog;
}

export class Junction implements LocalOutbox {
  readonly incoming: Incoming;
  readonly #parts: JunctionParts;
  readonly #outgoing: Outgoing;
  readonly #rate: Rate;
  #local: LocalClient;
  /** Answers to the session that wait for it to be done with its present work. */
  #answers: Buffer[] = [];
  #isThrottled = false;
  #isDelivering = false;
  #isLocalClosed = false;
  #isOver = false;

  /** Nothing waiting is sent before begin(). */
  constructor(parts: JunctionParts, now: number) {
    const { counters, drops, far, limits, incoming, options } = parts;
    this.#parts = parts;
    this.#rate = new Rate(options.rateMax, now);
    const isReturned = (topic: string): boolean =>
      incoming.subscriptions.some(({ filter }) => topicMatches(filter, topic));
    const ownMessages = parts.returnsOwn ? new OwnMessages(isReturned) : undefined;
    const outgoing = new Outgoing({
      mapper: parts.outgoing,
      counters,
      far,
      limits,
      ownMessages,
      now: () => parts.port.now,
      answer: (packet) => this.#answer(packet),
      drops,
    });
    this.#outgoing = outgoing;
    this.incoming = new Incoming({
      mapper: incoming,
      counters,
      version: limits.version,
      far,
      ownMessages,
      deliver: (packet, at) => this.#deliver(packet, at),
      takeLowered: (packetId) => outgoing.takeLowered(packetId),
      drops,
    });
    this.#local = parts.port.attach(this, parts.sendWindow, now);
  }

  /** Sends what waits. @param withRetained the far side has no session, so it gets retained messages */
  begin(now: number, withRetained: boolean): void {
    this.#local.drained(now);
    if (withRetained && !this.#isOver) this.#parts.port.sendRetained(this.#local, now);
  }

  /** The connection to the far side is lost: ends the session's connection as well. */
  end(now: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#local.disconnected(now);
  }

  farDrained(now: number): void {
    if (!this.#isThrottled) this.#local.drained(now);
  }

  /** Infinity: none. */
  get deadline(): number {
    return this.#isThrottled ? this.#rate.deadline() : Number.POSITIVE_INFINITY;
  }

  advance(now: number): void {
    if (!this.#isThrottled || now < this.#rate.deadline()) return;
    this.#isThrottled = false;
    this.#local.drained(now);
  }

  runDeferred(now: number): void {
    const answers = this.#answers;
    this.#answers = [];
    for (const packet of answers) if (!this.#isOver) this.#local.receive(packet, now);
  }

  #answer(packet: Buffer): void {
    if (this.#answers.length === 0) this.#parts.port.defer();
    this.#answers.push(packet);
  }

  /** @returns false if this node has ended the session's connection over the packet; a new one follows */
  #deliver(packet: Buffer, now: number): boolean {
    this.#isDelivering = true;
    this.#local.receive(packet, now);
    this.#isDelivering = false;
    if (!this.#isLocalClosed) return true;
    this.#isLocalClosed = false;
    const { port, sendWindow } = this.#parts;
    this.#local = port.attach(this, sendWindow, now);
    this.#local.drained(now);
    return false;
  }

  get congested(): boolean {
    return this.#isThrottled || this.#parts.far.congested;
  }

  write(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    if (buffer[start] === FirstByte.disconnect) return;
    this.#outgoing.acknowledge(buffer, start, end);
  }

  publish(fields: PublishFields, payload: Buffer, start: number, end: number): boolean {
    // What the far side can't get any more stays in the session.
    if (this.#isOver) return true;
    const { port } = this.#parts;
    const isSent = this.#outgoing.publish(fields, payload, start, end);
    if (this.#rate.isBounded && !this.#rate.spend(port.now)) {
      this.#isThrottled = true;
      port.deadlineChanged();
    }
    return isSent;
  }

  /** MQTT 3.1.1 has none. */
  get takesProperties(): boolean {
    return this.#parts.limits.version === 5;
  }

  close(): void {
    if (this.#isOver) return;
    if (this.#isDelivering) {
      this.#isLocalClosed = true;
      return;
    }
    this.#isOver = true;
    this.#parts.localClosed();
  }

  pauseReading(): void {
    this.#parts.far.pauseReading();
  }

  resumeReading(): void {
    this.#parts.far.resumeReading();
  }
}
