// What the nodes say of themselves, known to all of them alike: version, clients, rates, load, and the
// options that must be the same on every node. Any node can answer for all.
// A node writes its register within five seconds when a figure has changed noticeably, and within half a
// minute when it has changed at all; so a quiet cluster sends nothing, and no figure is older than that.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { SharedOptions } from '../../config/shared-options.ts';
import type { ClusterClock } from '../../replica/cluster-clock.ts';
import { type BlockMessage, MapId } from '../../replica/codec.ts';
import { GossipMap } from '../../replica/gossip-map.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicatedMap } from '../../replica/replication.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { version } from '../../shared/version.ts';
import { type NodeFigures, NodeGauge } from './node-gauge.ts';
import {
  encodeTroubles,
  NO_TROUBLES,
  type NodeTroubles,
  readTroubles,
  troublesKey,
} from './node-troubles.ts';

const INTERVAL_MS = 5000;
/** A figure that changes by less than this share is not worth a message. */
const NOTICEABLE = 0.1;
/** Figures that have changed by less, ages and counts of troubles are renewed this often, ms. */
const RENEW_MS = 30_000;
/** A clock that has moved against the cluster's by less is not worth a message, ms. */
const CLOCK_NOTICEABLE_MS = 30_000;
const ADDRESSES_MAX = 16;
const ADDRESS_CHARS_MAX = 64;
const NODES_MAX = 4096;
const TOMBSTONE_MS = 600_000;

export interface NodeStatus extends NodeFigures {
  readonly version: string;
  readonly options: SharedOptions;
  readonly troubles: NodeTroubles;
  /** Of the addresses of the clients (-address), those that it holds. */
  readonly clientAddresses: readonly string[];
  /** Wall clock less the clock of the cluster, ms; undefined if the node did not say it. */
  readonly clockAheadMs: number | undefined;
}

export interface NodeStatusesOptions {
  readonly bootId: bigint;
  readonly nodeName: string;
  readonly sharedOptions: SharedOptions;
  readonly clock: ClusterClock;
  readonly broker: Broker;
  send(member: bigint, message: Buffer): void;
  readonly messageBytesMax: number;
}

export class NodeStatuses implements ReplicatedMap {
  readonly #options: NodeStatusesOptions;
  readonly #map: GossipMap;
  readonly #faults = new OngoingFaults();
  readonly #timer: NodeJS.Timeout;
  readonly #gauge: NodeGauge;
  /** When the other nodes' statuses came, ms, by name. */
  readonly #receivedAt = new Map<string, number>();
  #written: NodeStatus | undefined;
  #writtenAt = 0;
  /** What is wrong on this node; a new trouble is sent with the next figures. */
  ownTroubles: () => NodeTroubles = () => NO_TROUBLES;
  /** The addresses of the clients that this node holds. */
  heldAddresses: () => readonly string[] = () => [];

  constructor(options: NodeStatusesOptions) {
    this.#options = options;
    this.#gauge = new NodeGauge(options.broker);
    const { bootId: writer, messageBytesMax, send, clock } = options;
    const mapOptions = {
      id: MapId.nodes,
      writer,
      messageBytesMax,
      registersMax: NODES_MAX,
      tombstoneMs: TOMBSTONE_MS,
    };
    const changed = (name: string, value: Buffer | undefined): void => this.#changed(name, value);
    this.#map = new GossipMap(mapOptions, clock, { send, changed }, performance.now());
    this.#timer = setInterval(() => this.#update(), INTERVAL_MS);
    this.#timer.unref();
    this.#update();
  }

  get replica(): Replica {
    return this.#map.replica;
  }

  /** What the node of this name last said; undefined if it has said nothing yet. */
  of(nodeName: string): NodeStatus | undefined {
    if (nodeName === this.#options.nodeName) return this.#written;
    const value = this.#map.get(nodeName);
    return value && readStatus(value, this.#receivedAt.get(nodeName) ?? performance.now());
  }

  handleBlock(member: bigint, block: BlockMessage, now: number): void {
    this.#map.handleBlock(member, block, now);
  }

  setMembers(members: readonly bigint[], now: number): void {
    this.#map.setMembers(members, now);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #update(): void {
    const figures = this.#gauge.measure();
    const { sharedOptions, nodeName, clock } = this.#options;
    const now = performance.now();
    const troubles = this.ownTroubles();
    const status: NodeStatus = {
      version,
      ...figures,
      options: sharedOptions,
      troubles,
      clientAddresses: this.heldAddresses(),
      clockAheadMs: Date.now() - clock.at(now),
    };
    if (this.#written !== undefined && !isNews(this.#written, status, now - this.#writtenAt))
      return;
    this.#written = status;
    this.#writtenAt = now;
    const encoded = { ...status, troubles: encodeTroubles(troubles, Date.now()) };
    const write = (value: object): boolean =>
      this.#map.write(nodeName, Buffer.from(JSON.stringify(value)), now);
    // Long filters in -topics leave little room in a datagram: figures and options go first.
    if (!write(encoded)) write({ ...encoded, troubles: {} });
    this.#map.flush();
  }

  /** Options that differ make nodes work against each other: both sides say so. */
  #changed(node: string, value: Buffer | undefined): void {
    const { log } = this.#options.broker;
    const now = performance.now();
    if (value === undefined) this.#receivedAt.delete(node);
    else this.#receivedAt.set(node, now);
    const status = value && readStatus(value, now);
    const differing = status === undefined ? [] : this.differingOptions(status);
    if (differing.length > 0) {
      if (!this.#faults.report(node, now)) return;
      const hint = 'set the same on every node';
      log.warn('another node runs with other options', {
        node,
        options: differing.join(' '),
        hint,
      });
    } else if (this.#faults.resolve(node, now) !== undefined) {
      log.info('the other node runs with the same options again', { node });
    }
  }

  /** The shared options of another node that differ from this node's, as `-flag=theirs`. */
  differingOptions({ options }: NodeStatus): string[] {
    return Object.entries(this.#options.sharedOptions)
      .filter(([flag, ours]) => options[flag] !== undefined && options[flag] !== ours)
      .map(([flag]) => `-${flag}=${String(options[flag]).slice(0, 40)}`);
  }
}

/** @param ageMs of what the other nodes have */
export function isNews(before: NodeStatus, after: NodeStatus, ageMs: number): boolean {
  if (differs(before, after, NOTICEABLE)) return true;
  if (after.clientAddresses.join() !== before.clientAddresses.join()) return true;
  const step = (after.clockAheadMs ?? 0) - (before.clockAheadMs ?? 0);
  if (Math.abs(step) >= CLOCK_NOTICEABLE_MS) return true;
  const key = troublesKey(after.troubles);
  if (key !== troublesKey(before.troubles)) return true;
  if (ageMs < RENEW_MS) return false;
  return key !== troublesKey(NO_TROUBLES) || differs(before, after, 0);
}

/** @param share by more than which a figure has to change; above 0, a change by one is not enough either */
function differs(before: NodeFigures, after: NodeFigures, share: number): boolean {
  const figures = [
    'clients',
    'sessions',
    'receivedPerSecond',
    'sentPerSecond',
    'loadPercent',
  ] as const;
  return figures.some((figure) => {
    const difference = Math.abs(after[figure] - before[figure]);
    return difference > (share === 0 ? 0 : Math.max(1, before[figure] * share));
  });
}

/** @returns undefined for what is no status: a node of another version may write what it likes */
function readStatus(value: Buffer, receivedAt: number): NodeStatus | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const fields = parsed as Record<string, unknown>;
  const number = (name: string): number => {
    const field = fields[name];
    return typeof field === 'number' && Number.isFinite(field) ? field : 0;
  };
  const { version: text, options, troubles, clientAddresses, clockAheadMs } = fields;
  return {
    version: typeof text === 'string' ? text.slice(0, 32) : '',
    clients: number('clients'),
    sessions: number('sessions'),
    receivedPerSecond: number('receivedPerSecond'),
    sentPerSecond: number('sentPerSecond'),
    loadPercent: number('loadPercent'),
    options: readOptions(options),
    troubles: readTroubles(troubles, receivedAt),
    clientAddresses: readAddresses(clientAddresses),
    clockAheadMs: clockAheadMs === undefined ? undefined : number('clockAheadMs'),
  };
}

function readAddresses(value: unknown): string[] {
  const addresses = Array.isArray(value) ? value.slice(0, ADDRESSES_MAX) : [];
  return addresses.filter((one) => typeof one === 'string' && one.length <= ADDRESS_CHARS_MAX);
}

function readOptions(value: unknown): SharedOptions {
  if (typeof value !== 'object' || value === null) return {};
  const entries = Object.entries(value).filter(([, one]) =>
    ['string', 'number', 'boolean'].includes(typeof one),
  );
  return Object.fromEntries(entries) as SharedOptions;
}
