// The path to and from one online peer under one boot id: its incoming stream, the heartbeats in both
// directions, and the size of the datagrams that reach it. From these it decides, for each direction,
// whether datagrams pass and how many messages are lost. Design: docs/protocol.md, "Heartbeat".
// Invariants: no method sends more than one small heartbeat and one probe; a stall of this process is
// never taken for a fault of the network.

import { bootSeed } from '../shared/boot-seed.ts';
import type { Peer } from '../shared/peer.ts';
import type { Ack } from './ack-codec.ts';
import type { StreamPosition } from './body-codec.ts';
import type { PeerCounters } from './counters.ts';
import { GroupReach } from './group-reach.ts';
import type { Heartbeat } from './heartbeat-codec.ts';
import { HeartbeatTracker } from './heartbeat-tracker.ts';
import {
  DATAGRAM_BYTES_DEFAULT,
  HEARTBEAT_FAST_MS,
  HEARTBEAT_MS,
  HELLO_FIRST_MS,
  INCOMING_DOUBT_MS,
  INCOMING_FAILED_MS,
  JOIN_GRACE_LONGEST_MS,
  LOSS_OVER_MS,
  OUTGOING_DOUBT_MS,
  OUTGOING_FAILED_HEARTBEATS,
  OUTGOING_FAILED_MS,
  PROBE_INTERVAL_MS,
  RESTORED_HEARTBEATS,
  UNCONFIRMED_MS,
} from './limits.ts';
import type { Direction, LinkLog } from './link-log.ts';
import { PathSize } from './path-size.ts';
import { PeerStream, type RetiredStream, type StreamOptions } from './peer-stream.ts';
import { RepairAssembler } from './repair-codec.ts';
import { SendWindow } from './send-window.ts';

/** 'unknown': not yet, or not while the other direction fails. */
export type DirectionState = 'unknown' | 'ok' | 'failed';

/** What a link needs of its node. */
export interface LinkPort {
  readonly log: LinkLog;
  /** Sends a heartbeat. @param probeBytes size of the datagram; 0 for a small one */
  sendHeartbeat(link: PeerLink, heartbeat: Readonly<Heartbeat>, probeBytes: number): void;
  /** Position of the next data datagram to the peer. */
  nextPosition(link: PeerLink): StreamPosition;
  /** True while membership doubts that the peer is alive. */
  isSuspect(peerName: string): boolean;
  /** The largest datagram that reaches the peer has changed. */
  sizeChanged(): void;
  /** @returns NONCE_BYTES unpredictable bytes */
  randomNonce(): Buffer;
}

/** Retained of an offline peer, in case it returns under the same boot id. */
export interface RetiredLink {
  readonly stream: RetiredStream;
  readonly reported: PeerLosses;
  /** Where this node's stream to the peer goes on; undefined if all peers share one. */
  outgoing?: StreamPosition;
}

/** Losses that the peer has reported for the stream of this node. */
interface PeerLosses {
  readonly datagrams: number;
  readonly messages: number;
}

/** Loss in one direction, as it was logged last. */
interface LossWatch {
  lost: number;
  lastLossAt: number;
}

export class PeerLink {
  peer: Peer;
  readonly counters: PeerCounters;
  readonly stream: PeerStream;
  readonly path: PathSize;
  readonly repair = new RepairAssembler();
  readonly window = new SendWindow();
  readonly reach = new GroupReach();
  incoming: DirectionState = 'unknown';
  outgoing: DirectionState = 'unknown';
  /** Messages a second over the last heartbeat interval. */
  sentPerSecond = 0;
  receivedPerSecond = 0;
  /** When the last fresh authentic datagram of the peer arrived; at first when it came online. */
  heardAt: number;
  /** The peer has echoed a nonce that was sent to its present address, so it gets data. */
  isAnswering = false;
  /** Position of the first data datagram that it was not sent for lack of an answer. */
  heldFrom: StreamPosition;
  /** A new nonce is asked for because all counters of the peer look old. */
  isRecovering = false;
  /** When a hello with an old counter was last answered. */
  answeredOldAt = Number.NEGATIVE_INFINITY;
  /** The peer's -encrypt differs, which is logged elsewhere. */
  isModeWrong = false;
  readonly #port: LinkPort;
  readonly #heartbeats: HeartbeatTracker;
  #heartbeatAt = Number.NEGATIVE_INFINITY;
  #wakeAt: number;
  /** The newest report misses a heartbeat of ours that had time to arrive. */
  #isOutgoingDoubtful = false;
  /** Heartbeats that have passed since the direction failed. */
  #incomingRestored = 0;
  #passedAtFailure = 0;
  #hasReport = false;
  /** When a peer without heartbeats is taken to accept messages. */
  readonly #acceptsAt: number;
  #reported: PeerLosses;
  /** Number of the next packet that the peer expects; 0 while it does not accept this stream. */
  #expectedNumber = 0;
  readonly #lossIn: LossWatch;
  readonly #lossOut: LossWatch;
  #checkPathAfter = Number.NEGATIVE_INFINITY;
  #rateAt: number;
  #rateSent: number;
  #rateReceived: number;

  constructor(
    peer: Peer,
    options: Omit<StreamOptions, 'sender' | 'retired'> & { readonly datagramBytes: number },
    retired: RetiredLink | undefined,
    port: LinkPort,
  ) {
    const { counters, now } = options;
    this.peer = peer;
    this.counters = counters;
    const { name, bootId } = peer;
    const sender = { name, bootId, seed: bootSeed(bootId) };
    this.stream = new PeerStream({ ...options, sender, retired: retired?.stream });
    this.path = new PathSize(options.datagramBytes);
    this.#heartbeats = new HeartbeatTracker(this.path);
    this.#port = port;
    this.heldFrom = options.outgoingStart;
    this.heardAt = now;
    this.#wakeAt = now + HELLO_FIRST_MS;
    this.#acceptsAt = now + JOIN_GRACE_LONGEST_MS;
    this.#reported = retired?.reported ?? { datagrams: 0, messages: 0 };
    const never = Number.NEGATIVE_INFINITY;
    this.#lossIn = { lost: counters.lostMessages, lastLossAt: never };
    this.#lossOut = { lost: counters.lostOutMessages, lastLossAt: never };
    this.#rateAt = now;
    this.#rateSent = counters.sentMessages;
    this.#rateReceived = counters.receivedMessages;
  }

  /** When advance() is due, ms. */
  get deadline(): number {
    return Math.min(this.stream.deadline, this.#wakeAt, this.window.deadline);
  }

  /** Smoothed round-trip time; undefined before the first acknowledgement. */
  get rttMs(): number | undefined {
    return this.#heartbeats.rttMs;
  }

  /** The peer has said that it accepts this node's messages, or its version can't say so. */
  isAccepting(now: number): boolean {
    if (!this.isAnswering) return false;
    return this.#expectedNumber > 0 || (this.#lacksHeartbeats && now >= this.#acceptsAt);
  }

  /** Messages that the peer has neither confirmed nor reported as lost, while that is due. */
  unconfirmed(now: number): number {
    if (this.#expectedNumber === 0 || this.outgoing === 'ok') return 0;
    const sent = this.#heartbeats.packetNumberAt(now - UNCONFIRMED_MS);
    return Math.max(0, sent - this.#expectedNumber);
  }

  advance(now: number): void {
    this.stream.advance(now);
    if (this.window.advance(now)) this.#windowSilent(now);
    if (now < this.#wakeAt) return;
    const interval = this.#isDoubtful(now) ? HEARTBEAT_FAST_MS : HEARTBEAT_MS;
    if (now >= this.#heartbeatAt + interval) this.#beat(now);
    this.#watchIncoming(now);
    this.#watchLoss('in', this.#lossIn, this.counters.lostMessages, now);
    this.#watchLoss('out', this.#lossOut, this.counters.lostOutMessages, now);
    this.#schedule(now);
  }

  /** Lets the peer know at once that its messages are accepted. */
  expediteHeartbeat(now: number): void {
    this.#heartbeatAt = Number.NEGATIVE_INFINITY;
    this.#wakeAt = now;
  }

  /**
   * The peer has answered a hello to its present address, so it gets data from now on.
   * @param missed messages that left before and were not held for it
   */
  answered(missed: number, now: number): void {
    this.isAnswering = true;
    if (missed <= 0) return;
    this.counters.missedMessages += missed;
    this.#port.log.missed(this.peer, { missed }, now);
  }

  /** Counts a data datagram that leaves for the peer. */
  countSent(packets: number, bytes: number): void {
    this.counters.sentDatagrams += 1;
    this.counters.sentBytes += bytes;
    this.counters.sentMessages += packets;
  }

  /** The peer has not acknowledged a full window: the size of the datagrams may be the reason. */
  #windowSilent(now: number): void {
    this.counters.unpaced += 1;
    this.path.lossReported(now);
    this.expediteHeartbeat(now);
  }

  /** Other peers wait for this one, so it is not waited for any longer. */
  release(now: number): void {
    this.window.release(now);
    this.counters.unpaced += 1;
    this.#port.log.slow(this.peer, {}, now);
  }

  /** If large datagrams may have stopped arriving, hellos ask which sizes still do. */
  checkPath(now: number): void {
    if (this.path.bytes <= DATAGRAM_BYTES_DEFAULT || now < this.#checkPathAfter) return;
    if (!this.window.lacksAcks(now)) return;
    this.#checkPathAfter = now + PROBE_INTERVAL_MS;
    this.path.reprove();
    this.stream.askAgain(this.#port.randomNonce(), now);
  }

  handleAck(ack: Ack, now: number): void {
    this.window.handleAck(ack, now);
    if (this.window.state === 'paced') this.#port.log.slowOver(this.peer, now);
  }

  /** Begins the peer's counters anew, with this one. */
  restart(counter: number): void {
    this.stream.restart(counter);
    this.#heartbeats.forgetPeer();
  }

  /** This process has stalled: silence before `now` says nothing of the network. */
  excuse(now: number): void {
    this.heardAt = now;
    this.#heartbeats.restart();
  }

  /** @param silentMs time since the datagram of the peer before this one */
  handleHeartbeat(
    heartbeat: Readonly<Heartbeat>,
    envelopeCounter: number,
    silentMs: number,
    now: number,
  ): void {
    this.counters.receivedHeartbeats += 1;
    if (this.incoming === 'unknown') this.incoming = 'ok';
    this.#incomingRestored += 1;
    const bytesBefore = this.path.bytes;
    this.isModeWrong = false;
    if (!this.#hasReport || silentMs >= INCOMING_DOUBT_MS) this.#heartbeats.restart();
    this.#hasReport = true;
    if (!this.#heartbeats.receive(heartbeat, envelopeCounter, now)) return;
    const { sentSequence, sentNumber } = heartbeat;
    this.stream.announce({ sequence: sentSequence + 1, number: sentNumber }, now);
    this.#takeReport(heartbeat, now);
    this.#watchOutgoing(now);
    this.noteSize(bytesBefore);
    this.#schedule(now);
  }

  /** Logs and passes on a change of the largest datagram. */
  noteSize(before: number): void {
    if (this.path.bytes === before) return;
    this.#port.log.sizeChanged(this.peer, before, this.path.bytes);
    this.#port.sizeChanged();
  }

  /** Ends the link because the peer is offline. @returns what to retain for its return */
  retire(now: number): RetiredLink {
    this.counters.lostOutMessages += this.unconfirmed(now);
    this.#port.log.forget(this.peer.name);
    return { stream: this.stream.retire(), reported: this.#reported };
  }

  /** The peer has answered a hello and has never sent a heartbeat, as version 0.1.0 does not. */
  get #lacksHeartbeats(): boolean {
    return this.stream.isWelcome && !this.#hasReport;
  }

  #isDoubtful(now: number): boolean {
    if (!this.isAnswering) return false;
    const isSilent = now - this.heardAt >= INCOMING_DOUBT_MS && !this.#lacksHeartbeats;
    // The first heartbeats say that the peer's messages are accepted: it waits for that word.
    const isUnacknowledged = this.#hasReport && this.#heartbeats.passed === 0;
    return isSilent || isUnacknowledged || this.#isOutgoingDoubtful || this.path.isProbing;
  }

  /** Wakes up for the next heartbeat, or when silence becomes doubtful or a fault. */
  #schedule(now: number): void {
    const isDoubtful = this.#isDoubtful(now);
    const next = this.#heartbeatAt + (isDoubtful ? HEARTBEAT_FAST_MS : HEARTBEAT_MS);
    let silence = Number.POSITIVE_INFINITY;
    if (!isDoubtful) silence = this.heardAt + INCOMING_DOUBT_MS;
    else if (this.incoming !== 'failed') silence = this.heardAt + INCOMING_FAILED_MS;
    this.#wakeAt = Math.min(next, silence > now ? silence : next);
  }

  #beat(now: number): void {
    this.#heartbeatAt = now;
    this.#send(0, now);
    const probeBytes = this.path.probeBytes(now);
    if (probeBytes !== undefined) this.#send(probeBytes, now);
    this.#measureRate(now);
  }

  #send(probeBytes: number, now: number): void {
    // What is held is announced once it has left.
    const next = this.isAnswering ? this.#port.nextPosition(this) : this.heldFrom;
    const { sequence, number: sentNumber } = next;
    const heartbeat: Heartbeat = {
      receiverBootId: this.peer.bootId,
      number: this.#heartbeats.send(now, probeBytes, sentNumber),
      ackedNumber: 0,
      ackedBefore: 0,
      ackDelayMs: 0,
      sentSequence: sequence - 1,
      sentNumber,
      ...this.stream.report,
    };
    this.#heartbeats.acknowledge(heartbeat, now);
    this.counters.sentHeartbeats += 1;
    this.#port.sendHeartbeat(this, heartbeat, probeBytes);
  }

  /** Takes over what the peer says has arrived of this node's stream. */
  #takeReport(report: Readonly<Heartbeat>, now: number): void {
    const { lostDatagrams: datagrams, lostMessages: messages } = report;
    const before =
      datagrams >= this.#reported.datagrams && messages >= this.#reported.messages
        ? this.#reported
        : { datagrams: 0, messages: 0 };
    this.counters.lostOutMessages += messages - before.messages;
    this.counters.lostOutDatagrams += datagrams - before.datagrams;
    if (datagrams > before.datagrams) this.path.lossReported(now);
    this.#reported = { datagrams, messages };
    this.#expectedNumber = report.expectedNumber;
    this.counters.lostOutHeartbeats += this.#heartbeats.takeLost();
  }

  #watchIncoming(now: number): void {
    const silentMs = now - this.heardAt;
    if (silentMs >= INCOMING_FAILED_MS && !this.#lacksHeartbeats) {
      this.incoming = 'failed';
      this.#incomingRestored = 0;
      if (this.outgoing === 'ok') this.outgoing = 'unknown';
      if (this.isModeWrong || this.#port.isSuspect(this.peer.name)) return;
      this.#port.log.failed('in', this.peer, { silentMs: Math.round(silentMs) }, now);
    } else if (this.incoming === 'failed' && this.#incomingRestored >= RESTORED_HEARTBEATS) {
      this.incoming = 'ok';
      this.#port.log.restored('in', this.peer, { lost: this.counters.lostMessages }, now);
    }
  }

  #watchOutgoing(now: number): void {
    const { missing, missingSince, passed, rttMs = 0 } = this.#heartbeats;
    const missingMs = now - missingSince;
    this.#isOutgoingDoubtful = missingMs > OUTGOING_DOUBT_MS + 2 * rttMs;
    if (missing >= OUTGOING_FAILED_HEARTBEATS && missingMs >= OUTGOING_FAILED_MS) {
      this.outgoing = 'failed';
      this.#passedAtFailure = passed;
      const unconfirmed = this.unconfirmed(now);
      this.#port.log.failed('out', this.peer, { unconfirmed }, now);
    } else if (this.outgoing === 'failed') {
      if (passed - this.#passedAtFailure < RESTORED_HEARTBEATS) return;
      this.outgoing = 'ok';
      this.#port.log.restored('out', this.peer, { lost: this.counters.lostOutMessages }, now);
    } else if (passed > 0 && missing < OUTGOING_FAILED_HEARTBEATS) {
      this.outgoing = 'ok';
    }
  }

  #watchLoss(direction: Direction, watch: LossWatch, lost: number, now: number): void {
    const { log } = this.#port;
    if (lost > watch.lost) {
      watch.lastLossAt = now;
      watch.lost = lost;
      const { rttMs } = this;
      log.losing(direction, this.peer, { lost, rttMs: rttMs && Number(rttMs.toFixed(1)) }, now);
    } else if (now - watch.lastLossAt >= LOSS_OVER_MS) {
      log.lossOver(direction, this.peer, { lost }, now);
    }
  }

  #measureRate(now: number): void {
    const { sentMessages, receivedMessages } = this.counters;
    const seconds = (now - this.#rateAt) / 1000;
    if (seconds < 1) return;
    this.sentPerSecond = (sentMessages - this.#rateSent) / seconds;
    this.receivedPerSecond = (receivedMessages - this.#rateReceived) / seconds;
    this.#rateAt = now;
    this.#rateSent = sentMessages;
    this.#rateReceived = receivedMessages;
  }
}
