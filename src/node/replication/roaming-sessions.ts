// Sessions that follow their clients (-roaming): a client that resumes its session here, and was on another
// node, finds subscriptions and queued messages before CONNACK. This node asks the others who has the
// session, fetches it, keeps it, and confirms; only then the old node deletes it, with a last part of what
// had come meanwhile. Knows no sockets.
// Invariants: a CONNECT waits FETCH_MS_MAX at most; of a transfer that breaks off, the old node has everything.

import type { Broker } from '../../broker/broker.ts';
import type { SessionOffer } from '../../broker/moving-sessions.ts';
import type { Identity, SessionRoaming } from '../../broker/ports.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Peer } from '../../shared/peer.ts';
import {
  decodeAnswer,
  decodePart,
  decodeRequest,
  decodeSession,
  encodeAnswer,
  encodeParts,
  encodeRequest,
  encodeTaken,
  type Part,
  SessionEncoder,
  SessionKind,
} from './session-codec.ts';

/** A CONNECT waits no longer for its session, ms. */
export const FETCH_MS_MAX = 3000;
/** Nodes have this time to say whether they have it, ms. */
const ASK_MS_MAX = 500;
/** The old node forgets a transfer that was not confirmed, ms. */
const LEAVING_MS_MAX = 30_000;
/**
 * From the confirmation to the last part, ms: a message that came to the new node before the session did may
 * be later on its way to the old one.
 */
export const TAIL_AFTER_MS = 50;
/** Transfers at a time, in each direction. */
export const TRANSFERS_MAX = 256;
/** Of one session; a larger one stays where it is. */
export const SESSION_BYTES_MAX = 16 * 1024 * 1024;

/** The path to single nodes: the bulk channel. */
export interface NodeChannel {
  /** @returns false if the node is not reached */
  send(to: bigint, kind: number, body: Buffer): boolean;
}

/** Where clients are connected. */
export interface ClientPlaces {
  /** The node that wrote last where the client is; undefined if that is not known. */
  writerOf(clientId: string): bigint | undefined;
  /** From now on the session of the client is here. */
  claim(clientId: string): void;
}

export interface RoamingOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  readonly broker: Broker;
  readonly channel: NodeChannel;
  readonly places: ClientPlaces;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls back after this time. */
  later(ms: number, work: () => void): void;
}

/** A session on its way here. */
interface Fetch {
  readonly id: number;
  readonly identity: Identity;
  readonly startedAt: number;
  readonly waiting: ((now: number) => void)[];
  /** Nodes that have not answered yet. */
  readonly asked: Set<bigint>;
  best: { readonly from: bigint; readonly offer: SessionOffer } | undefined;
  /** The node that it comes from. */
  from: bigint | undefined;
  parts: Buffer[];
  bytes: number;
  /** Set once the session is here; then only the tail is awaited. */
  adopted: { readonly lastId: number } | undefined;
}

/** A session on its way from here. */
interface Leaving {
  readonly clientId: string;
  readonly lastId: number;
}

export class RoamingSessions implements SessionRoaming {
  readonly counters = { fetched: 0, failed: 0, handedOver: 0, refused: 0, malformed: 0 };
  readonly #options: RoamingOptions;
  readonly #limiter = new LogLimiter();
  readonly #fetches = new Map<number, Fetch>();
  /** By peer and number of the transfer. */
  readonly #leaving = new Map<string, Leaving>();
  #peers: readonly Peer[] = [];
  #lastId = 0;

  constructor(options: RoamingOptions) {
    this.#options = options;
  }

  setPeers(peers: readonly Peer[]): void {
    const { bootId } = this.#options;
    this.#peers = peers.filter((peer) => peer.bootId !== bootId);
    const online = new Set(peers.map((peer) => peer.bootId));
    for (const fetch of [...this.#fetches.values()]) {
      for (const asked of fetch.asked) if (!online.has(asked)) this.#noAnswer(fetch, asked);
      if (fetch.from !== undefined && !online.has(fetch.from)) this.#end(fetch, 'went offline');
    }
  }

  obtain(identity: Identity, done: (now: number) => void): boolean {
    const { broker, places, bootId, channel } = this.#options;
    const { clientId } = identity;
    const writer = places.writerOf(clientId);
    const isHere = broker.moving.has(clientId) && (writer === undefined || writer === bootId);
    if (isHere || this.#peers.length === 0) return false;
    const underWay = [...this.#fetches.values()].find((one) => one.identity.clientId === clientId);
    if (underWay !== undefined) {
      underWay.waiting.push(done);
      return true;
    }
    if (this.#fetches.size >= TRANSFERS_MAX) {
      this.#refuse(clientId, 'too many sessions are on their way');
      return false;
    }
    this.#lastId = (this.#lastId + 1) % 2 ** 32;
    const body = encodeRequest(this.#lastId, identity);
    const asked = this.#peers
      .map((peer) => peer.bootId)
      .filter((id) => channel.send(id, SessionKind.ask, body));
    if (asked.length === 0) return false;
    const fetch: Fetch = {
      id: this.#lastId,
      identity,
      startedAt: this.#options.now(),
      waiting: [done],
      asked: new Set(asked),
      best: undefined,
      from: undefined,
      parts: [],
      bytes: 0,
      adopted: undefined,
    };
    this.#fetches.set(fetch.id, fetch);
    this.#options.later(ASK_MS_MAX, () => {
      if (this.#isUnderWay(fetch) && fetch.from === undefined) this.#choose(fetch);
    });
    this.#options.later(FETCH_MS_MAX, () => {
      if (this.#isUnderWay(fetch)) this.#end(fetch, 'does not answer in time');
    });
    return true;
  }

  #isUnderWay(fetch: Fetch): boolean {
    return this.#fetches.get(fetch.id) === fetch;
  }

  /** A frame of a peer. */
  receive(peer: Peer, kind: number, body: Buffer): void {
    const isUnderstood =
      (kind === SessionKind.ask && this.#handleAsk(peer, body)) ||
      (kind === SessionKind.answer && this.#handleAnswer(peer, body)) ||
      (kind === SessionKind.fetch && this.#handleFetch(peer, body)) ||
      (kind === SessionKind.part && this.#handlePart(peer, body)) ||
      (kind === SessionKind.taken && this.#handleTaken(peer, body));
    if (!isUnderstood) this.counters.malformed += 1;
  }

  metrics(): ValuesOf<'roaming'> {
    return { ...this.counters, underWay: this.#fetches.size };
  }

  #handleAsk(peer: Peer, body: Buffer): boolean {
    const request = decodeRequest(body);
    if (request === undefined) return false;
    const { broker, channel, now } = this.#options;
    const offer = broker.moving.offer(request.clientId, request.username, now());
    channel.send(peer.bootId, SessionKind.answer, encodeAnswer(request.id, offer));
    return true;
  }

  #handleAnswer({ bootId }: Peer, body: Buffer): boolean {
    const answer = decodeAnswer(body);
    if (answer === undefined) return false;
    const fetch = this.#fetches.get(answer.id);
    const { offer } = answer;
    if (fetch?.from === bootId && offer === undefined) {
      this.#end(fetch, 'keeps the session');
      return true;
    }
    if (fetch?.asked.has(bootId) !== true || fetch.from !== undefined) return true;
    if (offer !== undefined) {
      if (fetch.best === undefined || isBetter(offer, fetch.best.offer)) {
        fetch.best = { from: bootId, offer };
      }
      // The node where the client was last has the session that it means.
      if (this.#options.places.writerOf(fetch.identity.clientId) === bootId) {
        fetch.best = { from: bootId, offer };
        this.#choose(fetch);
        return true;
      }
    }
    this.#noAnswer(fetch, bootId);
    return true;
  }

  /** The node will say nothing more. */
  #noAnswer(fetch: Fetch, from: bigint): void {
    fetch.asked.delete(from);
    if (fetch.asked.size === 0 && fetch.from === undefined) this.#choose(fetch);
  }

  #choose(fetch: Fetch): void {
    const { best, id, identity } = fetch;
    if (best === undefined) {
      this.#finish(fetch);
      return;
    }
    fetch.from = best.from;
    const body = encodeRequest(id, identity);
    if (!this.#options.channel.send(best.from, SessionKind.fetch, body)) {
      this.#end(fetch, 'is not reached');
    }
  }

  #handleFetch(peer: Peer, body: Buffer): boolean {
    const request = decodeRequest(body);
    if (request === undefined) return false;
    const { id, clientId, username } = request;
    const { broker, channel, now, later } = this.#options;
    const encoder = new SessionEncoder(now());
    const isFull = this.#leaving.size >= TRANSFERS_MAX;
    const lastId = isFull
      ? undefined
      : broker.moving.write(clientId, username, peer.name, encoder, now());
    const isTooLarge = encoder.bytes.length > SESSION_BYTES_MAX;
    if (isFull) this.#refuse(clientId, 'too many sessions are on their way');
    if (isTooLarge) this.#refuse(clientId, `it has more than ${SESSION_BYTES_MAX} bytes`);
    if (lastId === undefined || isTooLarge) {
      channel.send(peer.bootId, SessionKind.answer, encodeAnswer(id, undefined));
      return true;
    }
    const key = keyOf(peer, id);
    const leaving = { clientId, lastId };
    this.#leaving.set(key, leaving);
    later(LEAVING_MS_MAX, () => {
      if (this.#leaving.get(key) === leaving) this.#leaving.delete(key);
    });
    this.#sendParts(peer, id, false, encoder.bytes);
    return true;
  }

  #handlePart(peer: Peer, body: Buffer): boolean {
    const part = decodePart(body);
    if (part === undefined) return false;
    const fetch = this.#fetches.get(part.id);
    if (fetch?.from !== peer.bootId || part.isTail !== (fetch.adopted !== undefined)) return true;
    fetch.bytes += part.bytes.length;
    if (fetch.bytes > SESSION_BYTES_MAX) {
      this.#end(fetch, 'sends too much');
      return false;
    }
    fetch.parts.push(part.bytes);
    return !part.isLast || this.#handleWhole(peer, fetch, part);
  }

  #handleWhole(peer: Peer, fetch: Fetch, { isTail }: Part): boolean {
    const { broker, channel, places, now } = this.#options;
    const { clientId } = fetch.identity;
    const stored = decodeSession(Buffer.concat(fetch.parts), clientId, now());
    if (stored === undefined) {
      this.#end(fetch, 'sends a malformed session');
      return false;
    }
    fetch.parts = [];
    if (isTail) {
      broker.moving.adoptTail(clientId, fetch.adopted!.lastId, stored.deliveries, now());
      this.#log(fetch, peer);
      this.#finish(fetch);
      return true;
    }
    const lastId = broker.moving.adopt(stored, now());
    if (lastId === undefined) {
      this.#finish(fetch);
      return true;
    }
    this.counters.fetched += 1;
    fetch.adopted = { lastId };
    places.claim(clientId);
    broker.moving.whenDurable(() =>
      channel.send(peer.bootId, SessionKind.taken, encodeTaken(fetch.id)),
    );
    return true;
  }

  #handleTaken(peer: Peer, body: Buffer): boolean {
    if (body.length !== 4) return false;
    const id = body.readUInt32BE(0);
    const leaving = this.#leaving.get(keyOf(peer, id));
    if (leaving === undefined) return true;
    this.#leaving.delete(keyOf(peer, id));
    this.#options.later(TAIL_AFTER_MS, () => this.#sendTail(peer, id, leaving));
    return true;
  }

  #sendTail(peer: Peer, id: number, { clientId, lastId }: Leaving): void {
    const { broker, now } = this.#options;
    const encoder = new SessionEncoder(now());
    if (!broker.moving.writeTail(clientId, lastId, encoder, now())) return;
    this.counters.handedOver += 1;
    broker.log.info('session moved to another node', { client: clientId, node: peer.name });
    this.#sendParts(peer, id, true, encoder.bytes);
  }

  #sendParts({ bootId }: Peer, id: number, isTail: boolean, bytes: Buffer): void {
    for (const part of encodeParts(id, isTail, bytes)) {
      this.#options.channel.send(bootId, SessionKind.part, part);
    }
  }

  #finish(fetch: Fetch): void {
    this.#fetches.delete(fetch.id);
    const now = this.#options.now();
    for (const done of fetch.waiting) done(now);
  }

  /** The transfer has failed; if the session is here already, only its last part is missing. */
  #end(fetch: Fetch, reason: string): void {
    // It ends for several reasons at once if all nodes go offline together.
    if (!this.#isUnderWay(fetch)) return;
    const { broker, now } = this.#options;
    const node = this.#peers.find(({ bootId }) => bootId === fetch.from)?.name;
    const event =
      fetch.adopted === undefined
        ? 'session not fetched from another node: a new one begins'
        : 'the last messages of a session were not fetched from another node';
    this.counters.failed += 1;
    const total = this.#limiter.admit(event, now());
    const { clientId: client } = fetch.identity;
    if (total > 0) broker.log.warn(event, { client, node, reason, total });
    this.#finish(fetch);
  }

  #log({ identity, startedAt, bytes }: Fetch, peer: Peer): void {
    const { broker, now } = this.#options;
    const ms = Math.round(now() - startedAt);
    const fields = { client: identity.clientId, node: peer.name, bytes, ms };
    broker.log.info('session fetched from another node', fields);
  }

  #refuse(client: string, reason: string): void {
    const { broker, now } = this.#options;
    this.counters.refused += 1;
    const event = 'session stays on its node';
    const total = this.#limiter.admit(event, now());
    if (total > 0) broker.log.warn(event, { client, reason, total });
  }
}

function isBetter(a: SessionOffer, b: SessionOffer): boolean {
  return a.isConnected === b.isConnected ? a.ageSeconds < b.ageSeconds : a.isConnected;
}

function keyOf({ bootId }: Peer, id: number): string {
  return `${bootId} ${id}`;
}
