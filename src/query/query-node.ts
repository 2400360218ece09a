// Requests from node to node: sends those of this node and collects their replies, and serves those of
// other members. A request is served at most once. Knows nothing of what requests say, nor of sockets.
// Invariants: only members of setMembers() are asked and served; all memory is bounded by the limits;
// parts leave at a bounded rate, so that live traffic and pings never wait for a large reply.

import { ReplayWindow } from '../shared/replay-window.ts';
import { Asked, type AskedOutcome } from './asked.ts';
import { type Ack, decodeQuery, encodeAck, encodePart, encodeSignal, type Part } from './codec.ts';
import {
  ASKED_MAX,
  ASKED_PER_MEMBER_MAX,
  BOOTS_MAX,
  NODE_WINDOW_PARTS,
  REPLY_BYTES_MAX,
  REQUEST_BYTES_MAX,
  SERVED_MAX,
  SERVED_PER_MEMBER_MAX,
  TIMEOUT_MS_MAX,
  TURN_MS,
  TURN_PARTS_MAX,
  WINDOW_PARTS_MIN,
} from './limits.ts';
import { newQueryCounters, type QueryFault, type QueryPort, type ServedKey } from './query-port.ts';
import { Served } from './served.ts';

export class QueryNode {
  readonly counters = newQueryCounters();
  readonly #port: QueryPort;
  #members: ReadonlySet<bigint> = new Set();
  /** Numbers of the requests that were served, by member; kept when it goes offline. */
  readonly #numbers = new Map<bigint, ReplayWindow>();
  readonly #asked = new Map<number, Asked>();
  /** By member and number. */
  readonly #served = new Map<string, Served>();
  #lastId = 0;
  /** When parts may be sent again. */
  #turnAt = Number.NEGATIVE_INFINITY;
  #hasParts = false;

  constructor(port: QueryPort) {
    this.#port = port;
  }

  /** Requests of this node and of others that are under way. */
  get openWork(): { readonly asked: number; readonly served: number } {
    return { asked: this.#asked.size, served: this.#served.size };
  }

  /** The members that are online now, by boot id; replaces the list. */
  setMembers(now: number, members: readonly bigint[]): void {
    const online = new Set(members);
    this.#members = online;
    for (const asked of [...this.#asked.values()]) {
      if (!online.has(asked.member)) this.#end(asked, { kind: 'failed', fault: 'offline' });
    }
    for (const served of [...this.#served.values()]) {
      if (!online.has(served.key.member)) this.#abandon(served);
    }
    this.#sendParts(now);
  }

  /**
   * Sends a request; port.replied() or port.failed() ends it, never within this call.
   * @param request is kept
   * @returns the number of the request, or why it can't be sent
   */
  ask(now: number, member: bigint, request: Buffer, timeoutMs: number): number | QueryFault {
    this.counters.asked += 1;
    const fault = this.#refusal(member, request);
    if (fault !== undefined) {
      this.counters.failed[fault] += 1;
      return fault;
    }
    this.#lastId += 1;
    const times = {
      now,
      timeoutMs: Math.min(timeoutMs, TIMEOUT_MS_MAX),
      rttMs: this.#port.rttMs(member),
    };
    this.#asked.set(this.#lastId, new Asked(this.#lastId, member, request, times));
    this.#sendParts(now);
    return this.#lastId;
  }

  /** The reply of this request is not wanted any more. */
  cancel(id: number): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    this.#port.send(asked.member, encodeSignal('done', id));
  }

  /** Answers a request of a member. @param reply at most REPLY_BYTES_MAX; is kept */
  reply(now: number, key: ServedKey, reply: Buffer): void {
    if (reply.length > REPLY_BYTES_MAX) throw new Error('the reply is too large');
    const served = this.#served.get(nameOf(key));
    if (served === undefined || served.reply !== undefined) return;
    served.setReply(reply);
    this.#sendParts(now);
  }

  /** @param message valid during the call only */
  handle(now: number, member: bigint, message: Buffer): void {
    if (!this.#members.has(member)) return;
    const query = decodeQuery(message);
    switch (query?.kind) {
      case 'requestPart':
        this.#handleRequestPart(now, { member, id: query.id }, query);
        break;
      case 'replyAck': {
        const served = this.#served.get(nameOf({ member, id: query.id }));
        const ack = served?.handleReplyAck(now, query);
        if (ack !== undefined) this.#port.send(member, encodeAck('requestAck', query.id, ack));
        break;
      }
      case 'requestAck':
        this.#askedOf(member, query.id)?.handleRequestAck(now, query);
        break;
      case 'replyPart': {
        const asked = this.#askedOf(member, query.id);
        const next = asked?.handleReplyPart(now, query, this.#windowMax);
        if (next === 'malformed') this.counters.malformed += 1;
        else if (asked !== undefined && next !== undefined) this.#continue(asked, next);
        break;
      }
      case 'done':
        this.#handleDone({ member, id: query.id });
        break;
      case 'refusal': {
        const asked = this.#askedOf(member, query.id);
        if (asked !== undefined) this.#end(asked, { kind: 'failed', fault: 'refused' });
        break;
      }
      default:
        this.counters.malformed += 1;
    }
    this.#sendParts(now);
  }

  /** When advance() is due; Infinity while there is no work. */
  get deadline(): number {
    let deadline = this.#hasParts ? this.#turnAt : Number.POSITIVE_INFINITY;
    for (const asked of this.#asked.values()) deadline = Math.min(deadline, asked.deadline);
    for (const served of this.#served.values()) deadline = Math.min(deadline, served.deadline);
    return deadline;
  }

  advance(now: number): void {
    for (const asked of [...this.#asked.values()]) {
      const next = asked.advance(now, this.#windowMax);
      if (next !== undefined) this.#continue(asked, next);
    }
    for (const served of [...this.#served.values()]) {
      if (now >= served.deadline) this.#abandon(served);
    }
    this.#sendParts(now);
  }

  /** All replies share the receive buffer. */
  get #windowMax(): number {
    const share = Math.floor(NODE_WINDOW_PARTS / Math.max(1, this.#asked.size));
    return Math.max(WINDOW_PARTS_MIN, share);
  }

  #refusal(member: bigint, request: Buffer): QueryFault | undefined {
    if (request.length > REQUEST_BYTES_MAX) return 'tooLarge';
    if (!this.#members.has(member)) return 'offline';
    if (this.#asked.size >= ASKED_MAX) return 'busy';
    const ofMember = [...this.#asked.values()].filter((asked) => asked.member === member);
    return ofMember.length >= ASKED_PER_MEMBER_MAX ? 'busy' : undefined;
  }

  #askedOf(member: bigint, id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    return asked?.member === member ? asked : undefined;
  }

  #continue(asked: Asked, next: Ack | AskedOutcome): void {
    if ('kind' in next) this.#end(asked, next);
    else this.#port.send(asked.member, encodeAck('replyAck', asked.id, next));
  }

  #end(asked: Asked, outcome: AskedOutcome): void {
    const { id } = asked;
    this.cancel(id);
    this.counters.resentParts += asked.request.resent;
    if (outcome.kind === 'replied') {
      this.counters.replied += 1;
      this.#port.replied(id, outcome.reply);
    } else {
      this.counters.failed[outcome.fault] += 1;
      this.#port.failed(id, outcome.fault);
    }
  }

  #handleRequestPart(now: number, key: ServedKey, part: Part): void {
    const served = this.#served.get(nameOf(key)) ?? this.#accept(now, key, part);
    const next = served?.handlePart(now, part);
    if (next === undefined) return;
    if (next === 'malformed') this.counters.malformed += 1;
    else if (!Buffer.isBuffer(next))
      this.#port.send(key.member, encodeAck('requestAck', key.id, next));
    else {
      this.#port.requested(key, next);
      // A reply at once says by itself that the request has arrived.
      if (served?.reply === undefined && served !== undefined) {
        this.#port.send(key.member, encodeAck('requestAck', key.id, served.requestAck()));
      }
    }
  }

  /** @returns undefined if it was served before, or has no place */
  #accept(now: number, key: ServedKey, part: Part): Served | undefined {
    const numbers = this.#numbersOf(key.member);
    if (numbers.isUsed(key.id)) return undefined;
    if (part.totalBytes > REQUEST_BYTES_MAX) {
      this.counters.malformed += 1;
      return undefined;
    }
    const ofMember = [...this.#served.values()].filter((one) => one.key.member === key.member);
    if (this.#served.size >= SERVED_MAX || ofMember.length >= SERVED_PER_MEMBER_MAX) {
      this.counters.refused += 1;
      this.#port.refused(key.member);
      this.#port.send(key.member, encodeSignal('refusal', key.id));
      return undefined;
    }
    numbers.accept(key.id);
    this.counters.served += 1;
    const served = new Served(key, part.totalBytes, now);
    this.#served.set(nameOf(key), served);
    return served;
  }

  #numbersOf(member: bigint): ReplayWindow {
    const numbers = this.#numbers.get(member) ?? new ReplayWindow();
    this.#numbers.delete(member);
    if (this.#numbers.size >= BOOTS_MAX) this.#numbers.delete(this.#numbers.keys().next().value!);
    this.#numbers.set(member, numbers);
    return numbers;
  }

  #handleDone(key: ServedKey): void {
    const served = this.#served.get(nameOf(key));
    if (served === undefined) return;
    if (served.reply === undefined) this.#abandon(served);
    else this.#forget(served);
  }

  #abandon(served: Served): void {
    this.counters.abandoned += 1;
    const hasReply = served.reply !== undefined;
    this.#forget(served);
    if (!hasReply) this.#port.abandoned(served.key);
  }

  #forget(served: Served): void {
    this.counters.resentParts += served.reply?.resent ?? 0;
    this.#served.delete(nameOf(served.key));
  }

  /** Takes a part of each transfer in turn, so that a small reply never waits behind a large one. */
  #sendParts(now: number): void {
    if (now < this.#turnAt && this.#hasParts) return;
    let left = TURN_PARTS_MAX;
    let isSending = true;
    while (isSending && left > 0) {
      isSending = false;
      for (const [member, kind, id, part] of this.#nextParts()) {
        this.#port.send(member, encodePart(kind, id, part));
        left -= 1;
        isSending = true;
        if (left === 0) break;
      }
    }
    this.#hasParts = left === 0;
    this.#turnAt = now + TURN_MS;
  }

  *#nextParts(): Generator<[bigint, 'requestPart' | 'replyPart', number, Part]> {
    for (const { member, id, request } of this.#asked.values()) {
      const part = request.take();
      if (part !== undefined) yield [member, 'requestPart', id, part];
    }
    for (const { key, reply } of this.#served.values()) {
      const part = reply?.take();
      if (part !== undefined) yield [key.member, 'replyPart', key.id, part];
    }
  }
}

function nameOf({ member, id }: ServedKey): string {
  return `${member}/${id}`;
}
