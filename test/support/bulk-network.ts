// Bulk nodes in one process, on connections that deliver bytes in chunks after a delay, break, stall, and
// can't be opened. Virtual time.

import type { LogFields, Logger } from '../../src/shared/logger.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import type { Peer } from '../../src/shared/peer.ts';
import type { BulkEvents, BulkStream } from '../../src/sync/bulk-link.ts';
import { BulkNode, type BulkOptions } from '../../src/sync/bulk-node.ts';
import { EventHeap } from './event-heap.ts';
import { type Random, seededRandom } from './random.ts';
import { payloadOf, publishPacket } from './sync-fixtures.ts';

const TICK_MS = 250;
const DELAY_MS = 1;
/** What a connection takes before its sender has to wait. */
const WINDOW_BYTES = 65_536;

/** Both ends of one connection. */
interface Pipe {
  readonly from: BulkStation;
  readonly to: BulkStation;
  break(reason: string): void;
}

export class BulkStation {
  readonly peer: Peer;
  readonly node: BulkNode;
  /** Messages of peers: `name topic payload`. */
  readonly inbox: string[] = [];
  readonly lines: { event: string; fields: LogFields }[] = [];
  isReachable = true;
  /** Takes no bytes from its connections. */
  isStalled = false;

  constructor(network: BulkNetwork, name: string, bootId: bigint, options: Partial<BulkOptions>) {
    this.peer = { name, bootId, endpoint: { address: '10.0.0.1', port: 7947 } };
    const write = (event: string, fields: LogFields = {}): void => {
      this.lines.push({ event, fields });
    };
    const log: Logger = { ...silentLogger, warn: write, info: write };
    this.node = new BulkNode({
      bootId,
      publishBytesMax: 1_000_000,
      log,
      now: network.now,
      handler: {
        publishFromPeer: (view, _now, sender) => {
          const topic = view.buffer.toString('utf8', view.topicStart, view.topicEnd);
          this.inbox.push(`${sender.name} ${topic} ${payloadOf(view).toString('latin1')}`);
        },
      },
      dial: (peer, events) => network.dial(this, peer, events),
      ...options,
    });
  }

  logged(event: RegExp): number {
    return this.lines.filter((line) => event.test(line.event)).length;
  }

  publish(topic: string, payload: string): void {
    const packet = publishPacket({ topic, payload: Buffer.from(payload), retain: false, qos: 1 });
    this.node.forward(packet, Buffer.from(topic), false);
  }
}

export class BulkNetwork {
  now = 0;
  readonly random: Random;
  readonly stations: BulkStation[] = [];
  readonly pipes = new Set<Pipe>();
  readonly #events = new EventHeap();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.#tick();
  }

  add(name: string, options: Partial<BulkOptions> = {}): BulkStation {
    const bootId = BigInt(this.stations.length + 1);
    const station = new BulkStation(this, name, bootId, options);
    this.stations.push(station);
    return station;
  }

  /** All stations see each other online. */
  mesh(): void {
    for (const { node, peer } of this.stations) {
      const others = this.stations.map((one) => one.peer).filter((one) => one !== peer);
      node.setPeers(others, this.now);
      node.advance(this.now);
    }
  }

  dial(from: BulkStation, peer: Peer, events: BulkEvents): BulkStream {
    const to = this.stations.find((one) => one.peer.bootId === peer.bootId);
    if (to === undefined || !to.isReachable) {
      this.#at(DELAY_MS, () => events.closed('refused', this.now));
      return { write: () => true, close: () => undefined };
    }
    return this.#pipe(from, to, events);
  }

  run(ms: number): void {
    this.#events.runUntil(this.now + ms, this);
  }

  #pipe(from: BulkStation, to: BulkStation, events: BulkEvents): BulkStream {
    let isOpen = true;
    let waiting = 0;
    let arrival = this.now;
    let remote: BulkEvents | undefined;
    const end = (reason: string, isOwn: boolean): void => {
      if (!isOpen) return;
      isOpen = false;
      this.pipes.delete(pipe);
      if (!isOwn) this.#at(0, () => events.closed(reason, this.now));
      this.#at(0, () => remote?.closed(reason, this.now));
    };
    const pipe: Pipe = { from, to, break: (reason) => end(reason, false) };
    this.pipes.add(pipe);
    const deliver = (bytes: Buffer): void => {
      if (!isOpen) return;
      if (to.isStalled) {
        this.#at(TICK_MS, () => deliver(bytes));
        return;
      }
      const wasFull = waiting > WINDOW_BYTES;
      waiting -= bytes.length;
      for (let at = 0; at < bytes.length; ) {
        const next = at + 1 + Math.floor(this.random() * 50_000);
        remote?.received(Buffer.from(bytes.subarray(at, next)), this.now);
        at = next;
      }
      if (wasFull && waiting <= WINDOW_BYTES) events.drained(this.now);
    };
    this.#at(DELAY_MS, () => {
      if (!isOpen) return;
      remote = to.node.accept({ write: () => true, close: () => end('closed', false) }, this.now);
      events.opened(this.now);
    });
    return {
      write: (bytes) => {
        waiting += bytes.length;
        arrival = Math.max(arrival, this.now + DELAY_MS);
        this.#events.push(arrival, () => deliver(bytes));
        return waiting <= WINDOW_BYTES;
      },
      close: () => end('closed', true),
    };
  }

  #at(ms: number, work: () => void): void {
    this.#events.push(this.now + ms, work);
  }

  #tick(): void {
    this.#at(TICK_MS, () => this.#tick());
    for (const { node } of this.stations) node.advance(this.now);
  }
}
