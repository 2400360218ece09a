// A bridge core between two broker cores, on one virtual clock: `near` has the bridge's session, `far` is
// the server that it connects to. The link is a pair of queues that deliver() empties; it can be cut,
// and it can lose what is under way, as a cut TCP connection does.

import assert from 'node:assert/strict';
import { Bridge } from '../../src/bridge/bridge.ts';
import { makeCounters } from '../../src/bridge/counters.ts';
import {
  type BridgeOptions,
  defaultBridgeOptions,
  type TopicRule,
} from '../../src/bridge/options.ts';
import type { BridgePort, FarOutbox } from '../../src/bridge/ports.ts';
import { TopicMapper } from '../../src/bridge/topic-mapper.ts';
import type { Client } from '../../src/broker/client/client.ts';
import type { Logger } from '../../src/shared/logger.ts';
import { World } from './mqtt-world.ts';

const SESSION = '$bridge/test';

export function rule(text: string): TopicRule {
  const [pattern = '', direction = 'out', qos = '1', localPrefix = '', farPrefix = ''] =
    text.split(' ');
  return {
    pattern,
    direction: direction as TopicRule['direction'],
    qos: Number(qos) as TopicRule['qos'],
    localPrefix,
    farPrefix,
  };
}

export function bridgeOptions(topics: readonly string[], own: Partial<BridgeOptions> = {}) {
  return {
    ...defaultBridgeOptions,
    name: 'test',
    addresses: [{ protocol: 'mqtt', host: 'far.example', port: 1883, path: '' }] as const,
    topics: topics.map(rule),
    clientId: 'site.test',
    username: undefined,
    password: undefined,
    ...own,
  } satisfies BridgeOptions;
}

/** One connection of the bridge to the far broker. */
class Link implements FarOutbox {
  congested = false;
  isOpen = true;
  /** The far side answers nothing any more, and neither side ends the connection. */
  isMute = false;
  readonly #bridge: () => Bridge;
  readonly #far: World;
  readonly #client: Client;
  /** Bytes under way, in the order in which they were sent. */
  #toFar: Buffer[] = [];
  #toNear: Buffer[] = [];

  constructor(bridge: () => Bridge, far: World) {
    this.#bridge = bridge;
    this.#far = far;
    const outbox = {
      congested: false,
      write: (buffer: Buffer, start: number, end: number) => {
        this.#toNear.push(Buffer.from(buffer.subarray(start, end)));
      },
      close: () => {
        this.#toNear.push(Buffer.alloc(0));
      },
      pauseReading: () => undefined,
      resumeReading: () => undefined,
    };
    this.#client = far.broker.accept(outbox, { remoteAddress: 'bridge' }, far.now);
  }

  write(buffer: Buffer, start: number, end: number): void {
    this.#toFar.push(Buffer.from(buffer.subarray(start, end)));
  }

  close(): void {
    if (!this.isOpen) return;
    this.#deliverToFar();
    this.isOpen = false;
    this.#client.disconnected(this.#far.now);
  }

  pauseReading(): void {}
  resumeReading(): void {}

  /** @returns true if bytes have arrived on either side */
  deliver(): boolean {
    const had = this.#toFar.length + this.#toNear.length > 0;
    this.#deliverToFar();
    const chunks = this.isMute ? [] : this.#toNear;
    this.#toNear = [];
    for (const chunk of chunks) {
      if (!this.isOpen) break;
      if (chunk.length > 0) this.#bridge().farReceived(chunk, this.#far.now);
      else this.lose();
    }
    return had;
  }

  #deliverToFar(): void {
    const chunks = this.#toFar;
    this.#toFar = [];
    for (const chunk of chunks)
      if (!this.#client.closed) this.#client.receive(chunk, this.#far.now);
  }

  /** The connection breaks; what is under way is lost. */
  lose(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (!this.#client.closed) this.#client.disconnected(this.#far.now);
    this.#bridge().farClosed('cut', this.#far.now);
  }
}

const seeded = new WeakSet<World>();
let lastSeed = 0;

/** Worlds are alike in all that is random, but no two nodes have the same boot id. */
export function giveSeed(world: World): void {
  if (seeded.has(world)) return;
  seeded.add(world);
  lastSeed += 1;
  world.broker.seed = lastSeed;
}

export interface BridgeWorldParts {
  readonly near?: World;
  readonly far?: World;
  readonly isSessionKnown?: boolean;
  readonly queueMessagesMax?: number;
  readonly qosMin?: 0 | 1 | 2;
  /** Client Identifier of the session at the near broker. */
  readonly session?: string;
}

export class BridgeWorld {
  readonly near: World;
  /** Replaced by a test that restarts the far broker; cut() the link first. */
  far: World;
  readonly bridge: Bridge;
  /** Events of the log with their fields, one line each. */
  readonly lines: string[] = [];
  readonly states: boolean[] = [];
  /** False: connections fail. */
  isFarUp = true;
  link: Link | undefined;
  readonly #session: string;
  #isDeferred = false;

  constructor(options: BridgeOptions, parts: BridgeWorldParts = {}) {
    const { near = new World(), far = new World(), queueMessagesMax = 1000, qosMin = 0 } = parts;
    this.near = near;
    this.far = far;
    for (const world of [near, far]) giveSeed(world);
    this.#session = parts.session ?? SESSION;
    const isSessionKnown = near.broker.openLocalSession(
      {
        identity: { clientId: this.#session, username: undefined },
        subscriptions: TopicMapper.outgoing(options.topics).subscriptions,
        limits: { queueMessagesMax, queueBytesMax: 1e9, queueDrop: 'oldest' },
        rules: { qosMin, onlyOfThisNode: false, retain: true },
      },
      near.now,
    );
    const note = (event: string, fields = {}): void => {
      this.lines.push(`${event} ${JSON.stringify(fields)}`);
    };
    const log: Logger = { debug: note, info: note, warn: note, error: note };
    const port = this.#port(parts.isSessionKnown ?? isSessionKnown);
    const counters = makeCounters();
    this.bridge = new Bridge({ options, port, log, random: () => 0.5, now: near.now, counters });
  }

  #port(isSessionKnown: boolean): BridgePort {
    const { near } = this;
    return {
      get now() {
        return near.broker.now;
      },
      isSessionKnown,
      connect: () => {
        this.link = new Link(() => this.bridge, this.far);
        return this.link;
      },
      attach: (outbox, window, now) => near.broker.acceptLocal(outbox, this.#session, window, now),
      forgetReceived: () => near.broker.forgetReceived(this.#session),
      sendRetained: (client, now) => near.broker.sendRetained(client as Client, now),
      stateChanged: (isConnected) => this.states.push(isConnected),
      defer: () => {
        this.#isDeferred = true;
      },
      deadlineChanged: () => undefined,
    };
  }

  /** Starts the bridge and lets it connect. */
  static connected(options: BridgeOptions, parts: BridgeWorldParts = {}): BridgeWorld {
    const world = new BridgeWorld(options, parts);
    world.bridge.start(world.near.now);
    world.settle();
    assert.equal(world.bridge.status.state, 'connected', world.lines.join('\n'));
    return world;
  }

  /** Lets both sides answer until nothing is under way. */
  settle(): void {
    for (let turns = 0; this.step(); turns++) {
      assert.ok(turns < 100_000, 'the two sides come to rest');
    }
  }

  /** Delivers what is under way now. @returns false if there was nothing to do */
  step(): boolean {
    if (this.bridge.status.state === 'connecting') this.#openOrFail();
    const hasMoved = this.link?.deliver() ?? false;
    const wasDeferred = this.#isDeferred;
    this.#isDeferred = false;
    if (wasDeferred) this.bridge.runDeferred(this.near.now);
    return hasMoved || wasDeferred;
  }

  #openOrFail(): void {
    if (this.isFarUp) this.bridge.farOpened(this.near.now);
    else {
      this.link?.lose();
    }
  }

  /** Moves the time of both brokers and of the bridge. */
  advance(ms: number): void {
    const end = this.near.now + ms;
    while (this.near.now < end) {
      const next = Math.min(end, Math.max(this.near.now, this.bridge.nextDeadline));
      const step = next - this.near.now;
      this.near.advance(step);
      this.far.advance(step);
      this.bridge.advance(this.near.now);
      this.settle();
      if (step === 0 && this.bridge.nextDeadline <= this.near.now) break;
    }
  }

  /** The link breaks and can't be made again until restore(). */
  cut(): void {
    this.isFarUp = false;
    this.link?.lose();
  }

  /** The link can be made again, and the next attempt comes. */
  restore(): void {
    this.isFarUp = true;
    this.advance(120_000);
  }

  get session() {
    return this.near.broker.localSessionState(this.#session)!;
  }
}
