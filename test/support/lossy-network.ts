// Sync nodes on a virtual clock, joined by a network that loses, delays, repeats and records
// datagrams as a test wants. The same seed gives the same run.

import { ENVELOPE_HEADER_BYTES } from '../../src/shared/envelope.ts';
import type { ChannelKeys } from '../../src/shared/key-ring.ts';
import { type Logger, silentLogger } from '../../src/shared/logger.ts';
import type { Peer } from '../../src/shared/peer.ts';
import type { Stamp } from '../../src/shared/stamp.ts';
import { kernelBytes } from '../../src/sync/ack-codec.ts';
import { DATAGRAM_BYTES_DEFAULT } from '../../src/sync/limits.ts';
import type { QueuePolicy } from '../../src/sync/packer.ts';
import type { Interest } from '../../src/sync/peer-outputs.ts';
import type { PeerStatus } from '../../src/sync/peer-status.ts';
import type { RepairHandler } from '../../src/sync/repair.ts';
import { SyncNode } from '../../src/sync/sync-node.ts';
import { EventHeap } from './event-heap.ts';
import { seededRandom } from './random.ts';
import { payloadOf, publishPacket, topicOf, viewOf } from './sync-fixtures.ts';

export interface NetworkOptions {
  readonly seed: number;
  /** Share of datagrams that are lost. */
  loss?: number;
  /** Drops the datagrams for which it returns false, as a firewall or a small link does. */
  passes?: (fromPort: number, toPort: number, bytes: number) => boolean;
  /** As `passes`, for datagrams to the multicast group. */
  groupPasses?: (fromPort: number, toPort: number, bytes: number) => boolean;
  /** Name of the network on which the group reaches a peer; 'lan' by default, undefined for none. */
  networkOf?: (fromPort: number, toPort: number) => string | undefined;
  /** Share that come twice. */
  duplication?: number;
  /** Each datagram takes between these, so they overtake each other. */
  delayMs?: readonly [number, number];
}

export interface StationOptions {
  readonly name: string;
  readonly keys: ChannelKeys;
  readonly bootId?: bigint;
  readonly encrypt?: boolean;
  readonly topics?: readonly string[];
  readonly receiveBufferBytes?: number;
  /** What the process needs for each datagram; meanwhile others wait in the receive buffer. */
  readonly msPerDatagram?: number;
  readonly datagramBytes?: number;
  readonly queueLength?: number;
  readonly queuePolicy?: QueuePolicy;
  readonly expectsPeers?: boolean;
  readonly joinWaitMs?: number;
  readonly log?: Logger;
  readonly repairHandler?: RepairHandler;
  readonly interest?: Interest;
  /** Sends to the multicast group and receives it. */
  readonly isMulticast?: boolean;
}

const KIND_DATA = 1;

interface Flight {
  readonly at: number;
  readonly port: number;
  readonly datagram: Buffer;
  /** It waits in the receive buffer. */
  readonly isBuffered?: boolean;
}

export interface ReceivedMessage {
  readonly from: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly stamp?: Stamp | undefined;
}

export interface Recorded {
  /** When it was sent. */
  readonly at: number;
  readonly fromPort: number;
  readonly toPort: number;
  readonly datagram: Buffer;
}

/** One node with its address. The inbox has the messages that its clients would get. */
export class Station {
  readonly node: SyncNode;
  readonly peer: Peer;
  readonly inbox: ReceivedMessage[] = [];
  /** Set to false to simulate a full send buffer of the socket. */
  isReady = true;
  /** Datagrams that the receive buffer had no room for. */
  overflowed = 0;
  readonly isMulticast: boolean;
  /** Data datagrams that it sent by unicast. */
  sentByUnicast = 0;
  readonly #msPerDatagram: number;
  readonly #receiveBufferBytes: number;
  #bufferedBytes = 0;
  #busyUntil = 0;
  readonly #network: LossyNetwork;

  constructor(options: StationOptions, port: number, network: LossyNetwork) {
    this.#network = network;
    this.isMulticast = options.isMulticast ?? false;
    this.#msPerDatagram = options.msPerDatagram ?? 0;
    this.#receiveBufferBytes = options.receiveBufferBytes ?? 4_000_000;
    const bootId = options.bootId ?? BigInt(port);
    this.peer = { name: options.name, bootId, endpoint: { address: '10.0.0.1', port } };
    this.node = new SyncNode({
      bootId,
      keys: options.keys,
      encrypt: options.encrypt ?? false,
      topics: options.topics ?? ['#'],
      datagramBytes: options.datagramBytes ?? DATAGRAM_BYTES_DEFAULT,
      receiveBufferBytes: this.#receiveBufferBytes,
      queueLength: options.queueLength ?? 1024,
      queuePolicy: options.queuePolicy ?? 'discard-newest',
      expectsPeers: options.expectsPeers ?? false,
      joinWaitMs: options.joinWaitMs ?? 0,
      localPort: port,
      isSuspect: () => false,
      now: network.now,
      log: options.log ?? silentLogger,
      repairHandler: options.repairHandler,
      interest: options.interest,
      outbox: {
        send: (datagram, to) => {
          if (datagram[ENVELOPE_HEADER_BYTES] === KIND_DATA) this.sentByUnicast += 1;
          network.carry(port, to.port, datagram);
          return true;
        },
        isReady: () => this.isReady,
      },
      group: !this.isMulticast
        ? undefined
        : {
            networkOf: ({ port: peerPort }) => network.networkOf(port, peerPort),
            send: (datagram, name) => {
              network.carryToGroup(port, name, datagram);
              return true;
            },
          },
      randomNonce: () => network.randomBytes(8),
      handler: {
        publishFromPeer: (view, _now, { name: from }, _number, stamp) => {
          this.inbox.push({
            ...(stamp && { stamp }),
            from,
            topic: topicOf(view).toString('latin1'),
            payload: Buffer.from(payloadOf(view)),
          });
        },
      },
    });
  }

  publish(topic: string, payload: string | Buffer): void {
    const view = viewOf(publishPacket({ topic, payload }, 4), 4);
    this.node.forward(view, topicOf(view), 'client');
  }

  /** Sets or clears a retained value under a version. */
  retain(topic: string, payload: string | Buffer, stamp: Stamp): void {
    const view = viewOf(publishPacket({ topic, payload, retain: true }));
    this.node.forward(view, topicOf(view), 'client', stamp);
  }

  /** Puts a datagram into the receive buffer. @returns when the process has read it; undefined if it is lost */
  buffer(datagram: Buffer, now: number): number | undefined {
    const bytes = kernelBytes(datagram.length);
    if (this.#bufferedBytes + bytes > this.#receiveBufferBytes) {
      this.overflowed += 1;
      return undefined;
    }
    this.#bufferedBytes += bytes;
    this.#busyUntil = Math.max(this.#busyUntil, now) + this.#msPerDatagram;
    return this.#busyUntil;
  }

  read(datagram: Buffer, now: number): void {
    this.#bufferedBytes -= kernelBytes(datagram.length);
    this.node.receive(datagram, now);
  }

  statusOf(name: string): PeerStatus {
    for (const status of this.node.peers(this.#network.now))
      if (status.name === name) return status;
    throw new Error(`${name} was never a peer`);
  }
}

export class LossyNetwork {
  now = 1000;
  readonly options: NetworkOptions;
  readonly random: () => number;
  /** Every datagram that was sent, while recording. */
  readonly recorded: Recorded[] = [];
  isRecording = false;
  droppedDatagrams = 0;
  readonly #stations = new Map<number, Station>();
  readonly #flights = new EventHeap();
  #nextPort = 1;
  readonly #pausedUntil = new Map<number, number>();

  constructor(options: NetworkOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
  }

  add(options: StationOptions): Station {
    const port = this.#nextPort++;
    const station = new Station(options, port, this);
    this.#stations.set(port, station);
    return station;
  }

  /** Another process at the address of `old`. */
  restart(old: Station, options: StationOptions): Station {
    const { port } = old.peer.endpoint;
    const station = new Station(options, port, this);
    this.#stations.set(port, station);
    return station;
  }

  /** Every station is every other's peer. */
  mesh(): void {
    const all = [...this.#stations.values()];
    for (const station of all) {
      station.node.setPeers(
        all.filter((other) => other !== station).map((other) => other.peer),
        this.now,
      );
    }
  }

  carry(fromPort: number, toPort: number, datagram: Buffer): void {
    const copy = Buffer.from(datagram);
    if (this.isRecording) {
      this.recorded.push({ at: this.now, fromPort, toPort, datagram: copy });
    }
    const { loss = 0, duplication = 0, passes } = this.options;
    if (passes?.(fromPort, toPort, datagram.length) === false) return;
    if (this.random() < loss) this.droppedDatagrams += 1;
    else this.#launch(toPort, copy);
    if (duplication > 0 && this.random() < duplication) this.#launch(toPort, copy);
  }

  networkOf(fromPort: number, toPort: number): string | undefined {
    const { networkOf } = this.options;
    return networkOf === undefined ? 'lan' : networkOf(fromPort, toPort);
  }

  /** Carries a datagram to all other members of the group on that network. */
  carryToGroup(fromPort: number, name: string, datagram: Buffer): void {
    const { groupPasses, loss = 0 } = this.options;
    const copy = Buffer.from(datagram);
    for (const [port, { isMulticast }] of this.#stations) {
      const isMember = isMulticast && port !== fromPort && this.networkOf(fromPort, port) === name;
      if (!isMember || groupPasses?.(fromPort, port, datagram.length) === false) continue;
      if (this.random() < loss) this.droppedDatagrams += 1;
      else this.#launch(port, copy);
    }
  }

  /** Injects a datagram as an attacker would. */
  inject(toPort: number, datagram: Buffer): void {
    this.#stations.get(toPort)?.node.receive(Buffer.from(datagram), this.now);
  }

  /** Stops a station for `ms`, as a process that is not scheduled: its datagrams wait for it. */
  pause(station: Station, ms: number): void {
    this.#pausedUntil.set(station.peer.endpoint.port, this.now + ms);
  }

  /** Runs for `ms`: arrivals and deadlines in the order of time. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const arrivalAt = this.#flights.peekTime() ?? Number.POSITIVE_INFINITY;
      const deadline = this.#nextDeadline();
      const at = Math.min(arrivalAt, deadline);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      if (arrivalAt <= deadline) {
        this.#flights.pop()?.();
      } else {
        for (const { node } of this.#running()) node.advance(this.now);
      }
    }
    this.now = end;
  }

  flush(): void {
    for (const { node } of this.#stations.values()) node.flush(this.now);
  }

  randomBytes(bytes: number): Buffer {
    const buffer = Buffer.alloc(bytes);
    for (let i = 0; i < bytes; i++) buffer[i] = Math.floor(this.random() * 256);
    return buffer;
  }

  #arrive(flight: Flight): void {
    const station = this.#stations.get(flight.port);
    const pausedUntil = this.#pausedUntil.get(flight.port) ?? 0;
    if (pausedUntil > this.now) this.#schedule({ ...flight, at: pausedUntil });
    else if (flight.isBuffered) station?.read(flight.datagram, this.now);
    else {
      const at = station?.buffer(flight.datagram, this.now);
      if (at !== undefined) this.#schedule({ ...flight, at, isBuffered: true });
    }
  }

  #launch(port: number, datagram: Buffer): void {
    const [least, most] = this.options.delayMs ?? [0.1, 0.1];
    const flight: Flight = {
      at: this.now + least + this.random() * (most - least),
      port,
      datagram,
    };
    this.#schedule(flight);
  }

  #schedule(flight: Flight): void {
    this.#flights.push(flight.at, () => this.#arrive(flight));
  }

  *#running(): Generator<Station> {
    for (const [port, station] of this.#stations) {
      if ((this.#pausedUntil.get(port) ?? 0) <= this.now) yield station;
    }
  }

  #nextDeadline(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const { node } of this.#running()) {
      deadline = Math.min(deadline, node.nextDeadline());
    }
    return deadline;
  }
}

/** Two stations, a and b, that have welcomed each other. */
export function welcomedPair(
  options: NetworkOptions,
  keys: ChannelKeys,
): { network: LossyNetwork; a: Station; b: Station } {
  const network = new LossyNetwork(options);
  const a = network.add({ name: 'a', keys });
  const b = network.add({ name: 'b', keys });
  network.mesh();
  network.run(20);
  return { network, a, b };
}
