// Query nodes in one process, on a virtual clock and a network that loses, doubles, delays and cuts. The
// same seed gives the same run. After every step the bounds are checked.

import assert from 'node:assert/strict';
import { ASKED_MAX, SERVED_MAX } from '../../src/query/limits.ts';
import { QueryNode } from '../../src/query/query-node.ts';
import type { QueryFault, ServedKey } from '../../src/query/query-port.ts';
import { EventHeap } from './event-heap.ts';
import { seededRandom } from './random.ts';

/** What gossip takes as one message. */
const MESSAGE_BYTES_MAX = 1139;

export interface QueryNetwork {
  loss: number;
  duplication: number;
  delayMsMin: number;
  delayMsMax: number;
}

type Outcome = { readonly reply: Buffer } | { readonly fault: QueryFault };

export class SimQueryNode {
  readonly boot: bigint;
  readonly core: QueryNode;
  readonly served: string[] = [];
  readonly abandoned: ServedKey[] = [];
  /** Answers a request after some time; undefined: never. */
  serve: (request: Buffer) => { reply: Buffer; afterMs: number } | undefined = (request) => ({
    reply: Buffer.concat([Buffer.from('re: '), request]),
    afterMs: 0,
  });
  isRunning = true;
  readonly outcomes = new Map<number, Outcome>();
  readonly #cluster: QueryCluster;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(cluster: QueryCluster, boot: bigint) {
    this.#cluster = cluster;
    this.boot = boot;
    this.core = new QueryNode({
      send: (member, message) => cluster.transmit(this, member, message),
      rttMs: () => undefined,
      replied: (id, reply) => this.outcomes.set(id, { reply }),
      failed: (id, fault) => this.outcomes.set(id, { fault }),
      requested: (key, request) => this.#requested(key, request),
      abandoned: (key) => this.abandoned.push(key),
      refused: () => undefined,
    });
  }

  /** @returns what the request ended with, after at most `limitMs` */
  ask(to: SimQueryNode, request: Buffer, timeoutMs = 20_000): Outcome {
    const id = this.askOnly(to, request, timeoutMs);
    if (typeof id === 'string') return { fault: id };
    this.#cluster.runUntil(() => this.outcomes.has(id), timeoutMs + 1000);
    const outcome = this.outcomes.get(id);
    assert.ok(outcome, 'a request ends with its timeout at the latest');
    return outcome;
  }

  askOnly(to: SimQueryNode, request: Buffer, timeoutMs = 20_000): number | QueryFault {
    let id: number | QueryFault = 'offline';
    this.step(() => {
      id = this.core.ask(this.#cluster.now, to.boot, request, timeoutMs);
    });
    return id;
  }

  step(run: () => void): void {
    run();
    const { asked, served } = this.core.openWork;
    assert.ok(asked <= ASKED_MAX && served <= SERVED_MAX, 'more work than the limits allow');
    const { deadline } = this.core;
    if (deadline === this.#wakeAt || deadline === Number.POSITIVE_INFINITY) return;
    this.#wakeAt = deadline;
    this.#cluster.at(deadline, () => this.#wake(deadline));
  }

  #wake(deadline: number): void {
    if (!this.isRunning || this.#wakeAt !== deadline) return;
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.step(() => this.core.advance(this.#cluster.now));
    assert.ok(this.core.deadline > this.#cluster.now, 'a node would wake up for ever');
  }

  #requested(key: ServedKey, request: Buffer): void {
    this.served.push(request.toString('latin1'));
    const answer = this.serve(request);
    if (answer === undefined) return;
    const { reply, afterMs } = answer;
    if (afterMs === 0) this.core.reply(this.#cluster.now, key, reply);
    else {
      this.#cluster.at(this.#cluster.now + afterMs, () =>
        this.step(() => this.core.reply(this.#cluster.now, key, reply)),
      );
    }
  }
}

export class QueryCluster {
  now = 0;
  readonly network: QueryNetwork = { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 1 };
  readonly nodes: SimQueryNode[];
  /** Datagrams that were sent, by sender. */
  readonly sent = new Map<SimQueryNode, number>();
  isCut: (from: SimQueryNode, to: SimQueryNode) => boolean = () => false;
  /** Largest number of datagrams that were under way to one node. */
  inFlightMax = 0;
  readonly #inFlight = new Map<SimQueryNode, number>();
  readonly #events = new EventHeap();
  readonly #random: () => number;

  constructor(seed: number, size: number) {
    this.#random = seededRandom(seed);
    this.nodes = Array.from(
      { length: size },
      (_, index) => new SimQueryNode(this, BigInt(index + 1)),
    );
    const boots = this.nodes.map(({ boot }) => boot);
    for (const node of this.nodes) {
      node.core.setMembers(
        0,
        boots.filter((boot) => boot !== node.boot),
      );
    }
  }

  at(time: number, run: () => void): void {
    this.#events.push(Math.max(time, this.now), run);
  }

  runUntil(isDone: () => boolean, limitMs: number): void {
    const end = this.now + limitMs;
    while (!isDone()) {
      const next = this.#events.peekTime();
      if (next === undefined || next > end) {
        this.now = end;
        return;
      }
      const run = this.#events.pop()!;
      this.now = Math.max(this.now, next);
      run();
    }
  }

  runFor(ms: number): void {
    this.runUntil(() => false, ms);
  }

  transmit(from: SimQueryNode, member: bigint, message: Buffer): void {
    assert.ok(message.length <= MESSAGE_BYTES_MAX, 'a message is too long for a datagram');
    this.sent.set(from, (this.sent.get(from) ?? 0) + 1);
    const to = this.nodes.find(({ boot }) => boot === member);
    if (to === undefined || this.isCut(from, to) || this.#random() < this.network.loss) return;
    const copies = this.#random() < this.network.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const { delayMsMin, delayMsMax } = this.network;
      const delayMs = delayMsMin + this.#random() * (delayMsMax - delayMsMin);
      this.#count(to, 1);
      this.at(this.now + delayMs, () => {
        this.#count(to, -1);
        if (to.isRunning) to.step(() => to.core.handle(this.now, from.boot, message));
      });
    }
  }

  #count(to: SimQueryNode, change: number): void {
    const inFlight = (this.#inFlight.get(to) ?? 0) + change;
    this.#inFlight.set(to, inFlight);
    this.inFlightMax = Math.max(this.inFlightMax, inFlight);
  }
}
