// A cluster of production cores in one process, on a virtual clock and a network in memory that can
// lose, delay, duplicate and cut. The same seed gives the same run. After every step of a node the
// simulator checks the invariants that must hold whatever the network does.

import assert from 'node:assert/strict';
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../src/shared/endpoint.ts';
import { ENVELOPE_BYTES } from '../../src/shared/envelope.ts';
import { decodeMessage } from '../../src/swim/codec.ts';
import { endpointOf, MEMBERS_MAX } from '../../src/swim/member-table.ts';
import { encodeMetadata } from '../../src/swim/metadata.ts';
import { isNewerIncarnation } from '../../src/swim/record.ts';
import { Swim } from '../../src/swim/swim.ts';
import { JOIN_MS, TIMING_PRESETS, type Timing } from '../../src/swim/timing.ts';
import { EventHeap } from './event-heap.ts';
import { seededRandom } from './random.ts';

/** Ethernet, IPv4 and UDP headers: what an interface counts. */
export const LOWER_LAYERS_BYTES = 14 + 20 + 8;

export interface Network {
  /** Probability for each datagram. */
  loss: number;
  duplication: number;
  delayMsMin: number;
  delayMsMax: number;
}

/** Seals and opens datagrams, for tests about keys; otherwise bodies travel as they are. */
export interface SimEnvelope {
  seal(body: Buffer): Buffer;
  open(datagram: Buffer): { bootId: bigint; counter: number; body: Buffer } | string;
}

/** What runs on a node besides membership. */
export interface SimApplication {
  peersChanged(): void;
  /** What pings and acks carry. */
  state(): Buffer | undefined;
  received(bootId: bigint, bytes: Buffer, isMessage: boolean): void;
  /** The process runs again after a stall, and membership has read its datagrams. */
  resumed(): void;
  /** The process has been killed. */
  ended?(): void;
}

export interface NodeOptions {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly seeds: readonly Endpoint[];
  /** False: it listens on all addresses and has to learn which one the others see. */
  readonly knowsAddress?: boolean;
  readonly timing?: Timing;
  readonly envelope?: (bootId: bigint) => SimEnvelope;
  /** Called at each start of the node. */
  readonly application?: (node: SimNode) => SimApplication;
}

interface Datagram {
  readonly from: Endpoint;
  readonly bootId: bigint;
  readonly counter: number;
  readonly bytes: Buffer;
}

/** Datagrams that a stalled node can hold, as a socket's receive buffer does. */
const INBOX_MAX = 2000;

export class SimNode {
  readonly options: NodeOptions;
  readonly bootId: bigint;
  readonly swim: Swim;
  readonly envelope: SimEnvelope | undefined;
  readonly application: SimApplication | undefined;
  /** Its present address. */
  endpoint: Endpoint;
  isRunning = true;
  isStalled = false;
  joinedAt: number | undefined;
  refusedBy: Endpoint | undefined;
  counter = 0;
  wakeAt = Number.POSITIVE_INFINITY;
  sent = 0;
  sentBytes = 0;
  refusedDatagrams = 0;
  readonly inbox: Datagram[] = [];
  /** Highest incarnation seen here, by name. */
  readonly incarnations = new Map<string, number>();

  constructor(options: NodeOptions, bootId: bigint, sim: Simulator) {
    this.options = options;
    this.bootId = bootId;
    this.endpoint = options.endpoint;
    this.envelope = options.envelope?.(bootId);
    const { name, endpoint, seeds } = options;
    this.swim = new Swim(
      {
        self: {
          name,
          bootId,
          address: options.knowsAddress === false ? undefined : endpoint.address,
          port: endpoint.port,
          isAdvertised: false,
          metadata: encodeMetadata({ syncPort: 7947, mqttPort: 1883, version: '0.1.0' }),
        },
        timing: options.timing ?? TIMING_PRESETS.lan,
        random: sim.random,
        joinMs: seeds.length > 0 ? JOIN_MS : 0,
        bodyBytesMax: 1200 - ENVELOPE_BYTES,
      },
      {
        send: (to, body) => sim.transmit(this, to, body),
        isLocalEndpoint: (place) => sameEndpoint(place, this.endpoint),
        resolveSeeds: () => this.swim.contactSeeds(sim.now, seeds),
        memberChanged: (event) => {
          const { kind, reason } = event;
          sim.note(this, `${kind} ${event.name} ${formatEndpoint(event.endpoint)} (${reason})`);
          sim.onEvent?.(this, event.kind, event.name);
        },
        peersChanged: () => this.application?.peersChanged(),
        applicationState: () => this.application?.state(),
        applicationReceived: (from, bytes, isMessage) =>
          this.application?.received(from, bytes, isMessage),
        joined: () => {
          this.joinedAt = sim.now;
        },
        nameRefused: ({ endpoint: holder }) => {
          this.refusedBy = holder;
          sim.note(this, `refused: name held by ${formatEndpoint(holder)}`);
        },
        nameDefended: () => undefined,
      },
      sim.now,
    );
    this.application = options.application?.(this);
  }

  get name(): string {
    return this.options.name;
  }

  /** Names of the members that this node counts as online. */
  onlineNames(): string[] {
    return [...this.swim.table.online].map((member) => member.name).sort();
  }
}

export class Simulator {
  readonly seed: number;
  readonly random: () => number;
  now = 0;
  network: Network = { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 1 };
  /** Whether a datagram from one address reaches another. */
  isCut: (from: Endpoint, to: Endpoint) => boolean = () => false;
  /** Lines of the transcript, if keepsTranscript is set. */
  readonly lines: string[] = [];
  keepsTranscript = false;
  /** A node invents incarnations: several jumps in one step may add up to a step back. */
  isHostile = false;
  /** The transcript has datagrams, not events alone. */
  keepsMessages = false;
  onEvent: ((node: SimNode, kind: string, name: string) => void) | undefined;
  /** Called for each datagram that is sent. */
  sniffer: ((datagram: Datagram, to: Endpoint) => void) | undefined;
  readonly nodes: SimNode[] = [];
  readonly #byEndpoint = new Map<string, SimNode>();
  readonly #events = new EventHeap();
  #afterPromises: (() => void)[] = [];
  #lastBootId = 1000n;

  constructor(seed: number) {
    this.seed = seed;
    this.random = seededRandom(seed);
  }

  /** Starts a process; an earlier one at the same endpoint must have ended. */
  start(options: NodeOptions): SimNode {
    const place = formatEndpoint(options.endpoint);
    assert.ok(!this.#byEndpoint.get(place)?.isRunning, `${place} is in use`);
    this.#lastBootId += BigInt(1 + Math.floor(this.random() * 1000));
    const node = new SimNode(options, this.#lastBootId, this);
    this.nodes.push(node);
    this.#byEndpoint.set(place, node);
    this.note(node, 'started');
    this.#step(node, () => node.swim.advance(this.now));
    return node;
  }

  /** kill -9 */
  kill(node: SimNode): void {
    const wasRunning = node.isRunning;
    node.isRunning = false;
    this.note(node, 'killed');
    if (wasRunning) node.application?.ended?.();
  }

  leave(node: SimNode): void {
    this.note(node, 'leaves');
    this.#step(node, () => node.swim.leave(this.now));
  }

  /** The box gets another address, the process goes on. */
  move(node: SimNode, endpoint: Endpoint): void {
    this.#byEndpoint.delete(formatEndpoint(node.endpoint));
    this.#byEndpoint.set(formatEndpoint(endpoint), node);
    node.endpoint = endpoint;
    this.note(node, `moved to ${formatEndpoint(endpoint)}`);
  }

  /** SIGSTOP */
  stall(node: SimNode): void {
    node.isStalled = true;
    this.note(node, 'stalled');
  }

  /** SIGCONT: the adapter reads the datagrams that wait, and then the timers run. */
  resume(node: SimNode): void {
    node.isStalled = false;
    this.note(node, 'resumed');
    for (const datagram of node.inbox.splice(0)) this.#deliver(node, datagram);
    this.#step(node, () => node.swim.advance(this.now));
    node.application?.resumed();
  }

  at(time: number, run: () => void): void {
    this.#events.push(time, run);
  }

  running(): SimNode[] {
    return this.nodes.filter((node) => node.isRunning && !node.swim.isOver);
  }

  runFor(ms: number): void {
    this.runUntil(() => false, ms);
  }

  /** @returns the time that passed, or undefined if it did not happen within `limitMs` */
  runUntil(isDone: () => boolean, limitMs: number): number | undefined {
    const begin = this.now;
    while (!isDone()) {
      if (!this.#runNext(begin + limitMs)) return isDone() ? limitMs : undefined;
    }
    return this.now - begin;
  }

  /** Runs this once the promises of the present event have settled: before the next event of passUntil(). */
  afterPromises(work: () => void): void {
    this.#afterPromises.push(work);
  }

  /** runUntil() for nodes that use promises. */
  async passUntil(isDone: () => boolean, limitMs: number): Promise<number | undefined> {
    const begin = this.now;
    while (!isDone()) {
      if (!this.#runNext(begin + limitMs)) return isDone() ? limitMs : undefined;
      if (this.#afterPromises.length > 0) await this.settle();
    }
    return this.now - begin;
  }

  async settle(): Promise<void> {
    while (this.#afterPromises.length > 0) {
      const works = this.#afterPromises;
      this.#afterPromises = [];
      await new Promise(setImmediate);
      for (const work of works) work();
    }
  }

  /** @returns false if no event comes until `end`, which is the time now */
  #runNext(end: number): boolean {
    const next = this.#events.peekTime();
    if (next === undefined || next > end) {
      this.now = end;
      return false;
    }
    const run = this.#events.pop()!;
    this.now = Math.max(this.now, next);
    run();
    return true;
  }

  /** Each running node has exactly the other running nodes online, with their present boots and addresses. */
  isConverged(): boolean {
    const running = this.running();
    if (new Set(running.map(({ name }) => name)).size < running.length) return false;
    return running.every((node) => {
      const { table } = node.swim;
      if (table.onlineCount !== running.length - 1) return false;
      return running.every((other) => {
        if (other === node) return true;
        const member = table.get(other.name);
        if (member?.state !== 'alive' || member.bootId !== other.bootId) return false;
        return sameEndpoint(endpointOf(member), other.endpoint);
      });
    });
  }

  /** Which members each node sees online, for a message. */
  describeMembership(): string {
    return this.running()
      .map(
        (node) =>
          `${node.name}/${node.bootId} at ${node.endpoint.address} sees ${describeOnline(node)}`,
      )
      .join('; ');
  }

  transmit(sender: SimNode, to: Endpoint, body: Buffer): void {
    if (!sender.isRunning) return;
    if (this.keepsMessages) this.note(sender, describe(to, body));
    const bytes = sender.envelope?.seal(body) ?? body;
    const overhead = sender.envelope === undefined ? ENVELOPE_BYTES : 0;
    assert.ok(bytes.length + overhead <= 1200, 'a datagram is too long');
    sender.counter += 1;
    sender.sent += 1;
    sender.sentBytes += bytes.length + overhead + LOWER_LAYERS_BYTES;
    const { endpoint: from, bootId, counter } = sender;
    this.sniffer?.({ from, bootId, counter, bytes }, to);
    if (this.isCut(from, to) || this.random() < this.network.loss) return;
    const copies = this.random() < this.network.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const { delayMsMin, delayMsMax } = this.network;
      const delayMs = delayMsMin + this.random() * (delayMsMax - delayMsMin);
      this.#events.push(this.now + delayMs, () => {
        const receiver = this.#byEndpoint.get(formatEndpoint(to));
        if (receiver?.isRunning) this.#arrive(receiver, { from, bootId, counter, bytes });
      });
    }
  }

  /** A datagram from an attacker, with any source address. */
  inject(to: SimNode, from: Endpoint, bootId: bigint, counter: number, bytes: Buffer): void {
    this.#arrive(to, { from, bootId, counter, bytes });
  }

  note(node: SimNode, line: string): void {
    if (!this.keepsTranscript) return;
    this.lines.push(`${(this.now / 1000).toFixed(3).padStart(8)} ${node.name}: ${line}`);
  }

  #arrive(node: SimNode, datagram: Datagram): void {
    if (!node.isStalled) this.#deliver(node, datagram);
    else if (node.inbox.length < INBOX_MAX) node.inbox.push(datagram);
  }

  #deliver(node: SimNode, datagram: Datagram): void {
    const { from, bootId, counter, bytes } = datagram;
    const opened = node.envelope?.open(bytes) ?? { bootId, counter, body: bytes };
    if (typeof opened === 'string') {
      node.refusedDatagrams += 1;
      return;
    }
    this.#step(node, () =>
      node.swim.handle(this.now, from, opened.bootId, opened.counter, opened.body),
    );
  }

  #step(node: SimNode, run: () => void): void {
    run();
    this.#checkInvariants(node);
    const { deadline } = node.swim;
    if (deadline === node.wakeAt || deadline === Number.POSITIVE_INFINITY) return;
    node.wakeAt = deadline;
    this.#events.push(Math.max(deadline, this.now), () => this.#wake(node, deadline));
  }

  #wake(node: SimNode, deadline: number): void {
    if (!node.isRunning || node.isStalled || node.wakeAt !== deadline) return;
    node.wakeAt = Number.POSITIVE_INFINITY;
    this.#step(node, () => node.swim.advance(this.now));
    assert.ok(node.swim.deadline > this.now, `${node.name} would wake up for ever`);
  }

  #checkInvariants(node: SimNode): void {
    const { swim, name } = node;
    const { table } = swim;
    assert.equal(table.get(name), undefined, `${name} is in its own table`);
    assert.ok(table.size <= MEMBERS_MAX, 'the table is too large');
    if (!swim.isOver)
      assert.ok(swim.openWork.updates <= table.size + 1, 'more updates than members');
    assert.ok(swim.openWork.indirectProbes <= 256, 'too many indirect probes');
    for (const member of table.all()) {
      const before = node.incarnations.get(member.name) ?? member.incarnation;
      if (!this.isHostile) {
        const isOlder = isNewerIncarnation(before, member.incarnation);
        assert.ok(!isOlder, `incarnation of ${member.name} fell at ${name}`);
      }
      node.incarnations.set(member.name, member.incarnation);
    }
  }
}

function describeOnline({ swim }: SimNode): string {
  const online = [...swim.table.online].map(
    (member) => `${member.name} ${endpointOf(member).address}`,
  );
  return online.sort().join(', ') || 'no member';
}

/** `-> 10.0.0.2 ping #3 inc 0 nonce [n1@0 alive]` */
function describe(to: Endpoint, body: Buffer): string {
  const message = decodeMessage(body);
  if (message === undefined) return `-> ${to.address} malformed`;
  const { kind, isIndirect, isLast, incarnation, sequence, nonce, echo, target, cursor } = message;
  const words = [`-> ${to.address} ${kind} #${sequence} inc ${incarnation}`];
  if (isIndirect) words.push('indirect');
  if (isLast) words.push('last');
  if (nonce !== undefined) words.push('nonce');
  if (echo !== undefined) words.push('echo');
  if (target !== undefined) words.push(`target ${target.endpoint.address}`);
  if (cursor !== undefined) words.push(`after '${cursor}'`);
  for (const record of message.records) {
    words.push(`[${record.name}@${record.incarnation} ${record.state}]`);
  }
  return words.join(' ');
}

export function endpointFor(index: number): Endpoint {
  return { address: `10.0.${index >> 8}.${index & 255}`, port: 7946 };
}

/** Nodes n1..nN; the first `seeds` of them are the seeds of all. */
export function startCluster(
  sim: Simulator,
  size: number,
  seeds = 1,
  parts: Pick<NodeOptions, 'envelope' | 'application'> = {},
): SimNode[] {
  const seedList = Array.from({ length: seeds }, (_, index) => endpointFor(index + 1));
  return Array.from({ length: size }, (_, index) => {
    const endpoint = endpointFor(index + 1);
    return sim.start({ name: `n${index + 1}`, endpoint, seeds: seedList, ...parts });
  });
}

/** A cluster that has run for a while: all first exchanges are over. */
export function settledCluster(sim: Simulator, size: number, seeds = 1): SimNode[] {
  const nodes = startCluster(sim, size, seeds);
  assert.ok(sim.runUntil(() => sim.isConverged(), 60_000) !== undefined, 'the cluster formed');
  sim.runFor(15_000);
  return nodes;
}
