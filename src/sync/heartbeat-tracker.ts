// Numbers the heartbeats to one peer, remembers which of the peer's heartbeats have arrived, and reads
// from the peer's acknowledgements which of its own have: that gives the round-trip time, whether the
// outgoing direction works, and whether a padded probe has passed. Knows nothing of sockets or logs.
// Invariant: what is known of a heartbeat is decided by the newest report only, so a report that was
// overtaken changes nothing.

import type { Heartbeat } from './heartbeat-codec.ts';
import { SENT_HEARTBEATS_MAX } from './limits.ts';
import type { PathSize } from './path-size.ts';

const SLOT_MASK = SENT_HEARTBEATS_MAX - 1;
/** Weight of a new round-trip time in the smoothed one (RFC 6298). */
const RTT_WEIGHT = 1 / 8;

/** A heartbeat of ours whose acknowledgement is awaited, or was decided. */
interface SentHeartbeat {
  number: number;
  at: number;
  /** Size of the datagram if it is a probe; 0 for a small heartbeat. */
  probeBytes: number;
  /** Number of the first packet that had not been sent then. */
  packetNumber: number;
  isDecided: boolean;
}

export class HeartbeatTracker {
  readonly #path: PathSize;
  readonly #sent: SentHeartbeat[] = [];
  #number = 0;
  #highestReceived = 0;
  #receivedBefore = 0;
  #highestReceivedAt = Number.NEGATIVE_INFINITY;
  /** Envelope counter of the newest heartbeat of the peer. */
  #envelopeCounter = 0;
  /** Heartbeats below this number say nothing of the outgoing direction. */
  #countFrom = 1;
  #rttMs: number | undefined;
  /** Small heartbeats that the newest report misses at its end. */
  missing = 0;
  /** When the first of them was sent. */
  missingSince = Number.POSITIVE_INFINITY;
  /** Small heartbeats that have passed. */
  passed = 0;
  #lost = 0;

  constructor(path: PathSize) {
    this.#path = path;
  }

  /** Smoothed round-trip time; undefined before the first acknowledgement. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /**
   * Records a heartbeat that leaves now.
   * @param probeBytes size of the datagram if it is a probe, else 0
   * @param packetNumber number of the first packet that has not been sent yet
   * @returns its number
   */
  send(now: number, probeBytes: number, packetNumber: number): number {
    const number = this.#number + 1;
    this.#number = number;
    this.#sent[number & SLOT_MASK] = {
      number,
      at: now,
      probeBytes,
      packetNumber,
      isDecided: false,
    };
    return number;
  }

  /** Writes into `heartbeat` which heartbeats of the peer have arrived. */
  acknowledge(heartbeat: Heartbeat, now: number): void {
    heartbeat.ackedNumber = this.#highestReceived;
    heartbeat.ackedBefore = this.#receivedBefore;
    heartbeat.ackDelayMs = this.#highestReceived === 0 ? 0 : now - this.#highestReceivedAt;
  }

  /**
   * Handles a heartbeat of the peer.
   * @param envelopeCounter orders heartbeats across a restart of their numbers
   * @returns false if a newer one has been handled before, so that this report is outdated
   */
  receive(heartbeat: Readonly<Heartbeat>, envelopeCounter: number, now: number): boolean {
    const { number } = heartbeat;
    if (envelopeCounter < this.#envelopeCounter) {
      const distance = this.#highestReceived - 1 - number;
      if (distance >= 0 && distance < 32) this.#receivedBefore |= 1 << distance;
      this.#receivedBefore >>>= 0;
      return false;
    }
    const shift = number - this.#highestReceived;
    if (shift <= 0 || shift > 32 || this.#highestReceived === 0) this.#receivedBefore = 0;
    else this.#receivedBefore = shiftLeft(this.#receivedBefore, shift) | shiftLeft(1, shift - 1);
    this.#receivedBefore >>>= 0;
    this.#envelopeCounter = envelopeCounter;
    this.#highestReceived = number;
    this.#highestReceivedAt = now;
    if (heartbeat.ackedNumber <= this.#number) this.#handleAcks(heartbeat, now);
    return true;
  }

  /** Forgets the order of the peer's heartbeats, because its counters begin anew. */
  forgetPeer(): void {
    this.#envelopeCounter = 0;
    this.#highestReceived = 0;
    this.#receivedBefore = 0;
  }

  /** Judges the outgoing direction by later heartbeats only, because earlier ones had no chance. */
  restart(): void {
    this.#countFrom = this.#number + 1;
    this.missing = 0;
    this.missingSince = Number.POSITIVE_INFINITY;
  }

  /** @returns the small heartbeats found lost since the last call */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Number of the first packet that had not been sent at `time`. */
  packetNumberAt(time: number): number {
    let found = 0;
    for (const sent of this.#sent) {
      if (sent !== undefined && sent.at <= time) found = Math.max(found, sent.packetNumber);
    }
    return found;
  }

  #handleAcks(report: Readonly<Heartbeat>, now: number): void {
    this.missing = 0;
    this.missingSince = Number.POSITIVE_INFINITY;
    const first = Math.max(1, this.#number - SENT_HEARTBEATS_MAX + 1);
    for (let number = first; number <= this.#number; number++) {
      const sent = this.#sent[number & SLOT_MASK]!;
      if (number > report.ackedNumber) this.#noteMissing(sent);
      else if (!sent.isDecided) this.#decide(sent, isAcked(report, number), report, now);
    }
  }

  #noteMissing(sent: SentHeartbeat): void {
    if (sent.probeBytes > 0 || sent.number < this.#countFrom) return;
    if (this.missing === 0) this.missingSince = sent.at;
    this.missing += 1;
  }

  #decide(sent: SentHeartbeat, hasPassed: boolean, report: Readonly<Heartbeat>, now: number): void {
    sent.isDecided = true;
    if (sent.probeBytes > 0) {
      if (hasPassed) this.#path.probePassed(sent.probeBytes, now);
      else this.#path.probeLost(sent.probeBytes, now);
    } else if (hasPassed) {
      this.passed += 1;
    } else {
      this.#lost += 1;
    }
    if (hasPassed && sent.number === report.ackedNumber) {
      const rttMs = Math.max(0, now - sent.at - report.ackDelayMs);
      this.#rttMs =
        this.#rttMs === undefined ? rttMs : this.#rttMs + (rttMs - this.#rttMs) * RTT_WEIGHT;
    }
  }
}

function isAcked(report: Readonly<Heartbeat>, number: number): boolean {
  const distance = report.ackedNumber - 1 - number;
  return distance < 0 || (distance < 32 && ((report.ackedBefore >>> distance) & 1) === 1);
}

/** Shifts within 32 bits; a shift of 32 clears them. */
function shiftLeft(bits: number, by: number): number {
  return by >= 32 ? 0 : bits << by;
}
