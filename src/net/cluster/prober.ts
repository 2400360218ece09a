// Tests the ways between this node and another one, each direction of each port by itself: a probe leaves
// by one port, and its answer comes back by the same or by the other one. Of a node that answers it can
// ask some facts. Works for a node and for a doctor whose node is down, because it needs no membership.
// Invariants: nothing is answered unless its proof is right, at greater length than it has, or more than
// ANSWERS_PER_SECOND_MAX times a second; facts go only to an address that has answered (decision 0128).

import { createHmac, randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Endpoint } from '../../shared/endpoint.ts';
import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  Opener,
  Sealer,
} from '../../shared/envelope.ts';
import type { Channel, KeyRing } from '../../shared/key-ring.ts';
import { decodeProbe, encodeProbe, type Ports, type ProbeBody } from './probe-codec.ts';

/** Probes of other nodes that are opened and answered; further ones are dropped unread. */
const ANSWERS_PER_SECOND_MAX = 500;
/** Probes of this node that wait for an answer. */
const PROBES_WAITING_MAX = 1024;
const COOKIE_LIFETIME_MS = 60_000;
const PROBE_BYTES = 100;
/** A question has the size of the facts that may answer it. */
const QUESTION_BYTES = 1200;
const FACTS_BYTES_MAX = QUESTION_BYTES - ENVELOPE_BYTES - 24;

export type Target = Readonly<Record<Channel, Endpoint>>;

/**
 * By which port a probe arrives at the other node, and by which its answer comes back here. `apart`: by
 * a port of its own, which the firewall of this machine opens for an answer.
 */
export interface ProbePath {
  readonly out: Channel;
  readonly back: Channel | 'apart';
}

/** A socket for one test, on a port that the system chooses. */
export interface ApartSocket {
  send(datagram: Buffer, to: Endpoint): void;
  close(): Promise<void>;
}

export interface ProbeAnswer {
  readonly rttMs: number;
  /** Where the other node sees this one. */
  readonly observed: Endpoint | undefined;
  readonly cookie: bigint;
}

export interface ProberOptions {
  readonly keys: KeyRing;
  readonly encrypt: boolean;
  /** Where this node receives; called for each probe. */
  ports(): Ports;
  send(channel: Channel, datagram: Buffer, to: Endpoint): void;
  openApart(onDatagram: (datagram: Buffer, from: Endpoint) => void): Promise<ApartSocket>;
  /** Facts about this node for a node with the same token. @param question a JSON value */
  facts(question: unknown): unknown;
}

interface Waiting {
  readonly back: Channel | 'apart';
  resolve(body: ProbeBody | undefined): void;
}

interface Lock {
  readonly sealer: Sealer;
  readonly opener: Opener;
}

export interface ProberCounters {
  /** Probes and questions of other nodes that were answered. */
  answered: number;
  /** Probes with a wrong proof, malformed ones, and those beyond the rate. */
  dropped: number;
}

export class Prober {
  readonly counters: ProberCounters = { answered: 0, dropped: 0 };
  readonly #options: ProberOptions;
  readonly #locks: Readonly<Record<Channel, Lock>>;
  readonly #waiting = new Map<bigint, Waiting>();
  readonly #cookieSecret = randomBytes(32);
  #apart: Promise<ApartSocket> | undefined;
  #apartUsers = 0;
  #secondAt = Number.NEGATIVE_INFINITY;
  #answersOfSecond = 0;

  constructor(options: ProberOptions) {
    this.#options = options;
    const { keys, encrypt } = options;
    // A boot id of its own: probes take no part in the replay windows of the channels.
    const bootId = randomBytes(8).readBigUInt64BE();
    const lock = (channel: Channel): Lock => ({
      sealer: new Sealer(keys[channel], bootId, encrypt, true),
      opener: new Opener(keys[channel], encrypt),
    });
    this.#locks = { gossip: lock('gossip'), sync: lock('sync') };
  }

  rekey(keys: KeyRing): void {
    for (const channel of ['gossip', 'sync'] as const) {
      this.#locks[channel].sealer.rekey(keys[channel]);
      this.#locks[channel].opener.rekey(keys[channel]);
    }
  }

  /**
   * Sends one probe.
   * @param bytes size of the datagram there and back
   * @returns undefined without an answer within `timeoutMs`
   */
  async probe(
    target: Target,
    path: ProbePath,
    { bytes = PROBE_BYTES, timeoutMs }: { bytes?: number; timeoutMs: number },
  ): Promise<ProbeAnswer | undefined> {
    const sentAt = performance.now();
    const body = await this.#exchange('probe', target, path, { bytes, timeoutMs });
    if (body === undefined) return undefined;
    const { observed, cookie } = body;
    return { rttMs: performance.now() - sentAt, observed, cookie };
  }

  /**
   * Asks a node that has answered a probe for facts about itself.
   * @param cookie of that answer
   * @returns the facts, a JSON value; undefined without an answer
   */
  async ask(
    target: Target,
    path: ProbePath,
    cookie: bigint,
    question: { readonly text: string; readonly timeoutMs: number },
  ): Promise<unknown> {
    const { text, timeoutMs } = question;
    const options = { bytes: QUESTION_BYTES, timeoutMs, cookie, text };
    const body = await this.#exchange('question', target, path, options);
    return body?.text === undefined ? undefined : parseJson(body.text);
  }

  /** Opens the port for paths that come back `apart`; each call needs one of closeApart(). */
  async openApart(): Promise<void> {
    this.#apartUsers += 1;
    this.#apart ??= this.#options.openApart((datagram, from) => {
      const channel = this.#channelOf(datagram);
      if (channel !== undefined) this.receive(channel, datagram, from, true);
    });
    await this.#apart;
  }

  async closeApart(): Promise<void> {
    this.#apartUsers -= 1;
    if (this.#apartUsers > 0) return;
    const opening = this.#apart;
    this.#apart = undefined;
    const socket = await opening;
    await socket?.close();
  }

  /**
   * @param datagram a marked one; no check has passed yet
   * @param isApart it came to the port of openApart()
   */
  receive(channel: Channel, datagram: Buffer, from: Endpoint, isApart = false): void {
    if (!this.#mayOpen()) {
      this.counters.dropped += 1;
      return;
    }
    const opened = this.#locks[channel].opener.open(datagram);
    const body = typeof opened === 'string' ? undefined : decodeProbe(opened.body);
    switch (body?.kind) {
      case 'answer':
      case 'facts':
        this.#settle(isApart ? 'apart' : channel, body);
        break;
      case 'probe':
        this.#answer(channel, body, from, datagram.length);
        break;
      case 'question':
        this.#sendFacts(channel, body, from, datagram.length);
        break;
      default:
        this.counters.dropped += 1;
    }
  }

  /** Ends all that wait. */
  close(): void {
    for (const { resolve } of [...this.#waiting.values()]) resolve(undefined);
  }

  #exchange(
    kind: 'probe' | 'question',
    target: Target,
    { out, back }: ProbePath,
    options: { bytes: number; timeoutMs: number; cookie?: bigint; text?: string },
  ): Promise<ProbeBody | undefined> {
    const nonce = randomBytes(8).readBigUInt64BE();
    if (this.#waiting.size >= PROBES_WAITING_MAX) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const done = (body: ProbeBody | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(nonce);
        resolve(body);
      };
      // An answer that waits in the socket still counts after a stall of this process.
      const timer = setTimeout(() => setImmediate(done, undefined), options.timeoutMs);
      this.#waiting.set(nonce, { back, resolve: done });
      const { bytes, cookie = 0n, text } = options;
      const ports = this.#options.ports();
      const isCrossed = back !== 'apart' && out !== back;
      const body = { kind, isCrossed, ports, nonce, cookie, text } as const;
      if (back === 'apart') this.#sendApart(out, body, bytes, target[out]);
      else this.#send(out, body, bytes, target[out]);
    });
  }

  #answer(channel: Channel, probe: ProbeBody, from: Endpoint, bytes: number): void {
    const { isCrossed, nonce } = probe;
    const cookie = this.#cookieOf(from.address, 0);
    const answer = { kind: 'answer', isCrossed, ports: this.#options.ports(), nonce } as const;
    this.#reply(channel, probe, { ...answer, cookie, observed: from }, from, bytes);
  }

  #sendFacts(channel: Channel, question: ProbeBody, from: Endpoint, bytes: number): void {
    const { cookie, nonce, isCrossed, text = '' } = question;
    const isCurrent = [0, 1].some((age) => cookie === this.#cookieOf(from.address, age));
    if (!isCurrent) {
      this.counters.dropped += 1;
      return;
    }
    const facts = JSON.stringify(this.#options.facts(parseJson(text)));
    const ports = this.#options.ports();
    const body = { kind: 'facts', isCrossed, ports, nonce, cookie: 0n } as const;
    this.#reply(channel, question, { ...body, text: facts }, from, bytes);
  }

  #reply(channel: Channel, to: ProbeBody, body: ProbeBody, from: Endpoint, bytes: number): void {
    this.counters.answered += 1;
    if (!to.isCrossed) {
      this.#send(channel, body, bytes, from);
      return;
    }
    const other = channel === 'gossip' ? 'sync' : 'gossip';
    this.#send(other, body, bytes, { address: from.address, port: to.ports[other] });
  }

  #settle(channel: Channel | 'apart', body: ProbeBody): void {
    const waiting = this.#waiting.get(body.nonce);
    if (waiting?.back === channel) waiting.resolve(body);
    else this.counters.dropped += 1;
  }

  #send(channel: Channel, body: ProbeBody, bytes: number, to: Endpoint): void {
    this.#options.send(channel, this.#seal(channel, body, bytes), to);
  }

  #sendApart(channel: Channel, body: ProbeBody, bytes: number, to: Endpoint): void {
    const datagram = this.#seal(channel, body, bytes);
    void this.#apart?.then((socket) => socket.send(datagram, to));
  }

  #seal(channel: Channel, body: ProbeBody, bytes: number): Buffer {
    const encoded = encodeProbe(body, bytes - ENVELOPE_BYTES);
    const end = ENVELOPE_HEADER_BYTES + encoded.length;
    const datagram = Buffer.alloc(end + ENVELOPE_TAG_BYTES);
    encoded.copy(datagram, ENVELOPE_HEADER_BYTES);
    return this.#locks[channel].sealer.seal(datagram, end);
  }

  /** The channel whose key made the proof; the answer to a probe has that of the probe. */
  #channelOf(datagram: Buffer): Channel | undefined {
    return (['gossip', 'sync'] as const).find(
      (channel) => this.#locks[channel].opener.precheck(datagram) === undefined,
    );
  }

  #mayOpen(): boolean {
    const now = performance.now();
    if (now - this.#secondAt >= 1000) {
      this.#secondAt = now;
      this.#answersOfSecond = 0;
    }
    this.#answersOfSecond += 1;
    return this.#answersOfSecond <= ANSWERS_PER_SECOND_MAX;
  }

  /** Proves for a minute or two that datagrams to this address arrive. */
  #cookieOf(address: string, age: number): bigint {
    const minute = Math.floor(performance.now() / COOKIE_LIFETIME_MS) - age;
    const mac = createHmac('sha256', this.#cookieSecret).update(`${minute} ${address}`).digest();
    return mac.readBigUInt64BE();
  }
}

/** What fits into an answer to a question, as JSON. */
export const PROBE_FACTS_BYTES_MAX = FACTS_BYTES_MAX;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
