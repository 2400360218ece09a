// A swarm of configurations: each seed draws the options of a site, its faults, and what its clients do. After
// the faults comes a quiet time, in which all nodes must come to hold the same state, keep it, and deliver what
// clients publish exactly as the options promise; then the next faults. Invariant: a seed gives the same run.

import assert from 'node:assert/strict';
import type { ChannelKeys } from '../../src/shared/key-ring.ts';
import { FAULT_MS_MAX, FaultSchedule } from '../support/fault-schedule.ts';
import { lightKeys } from '../support/light-keys.ts';
import type { TestClient } from '../support/mqtt-world.ts';
import { seededRandom } from '../support/random.ts';
import { Simulator, startCluster } from '../support/simulator.ts';
import { Site, type SiteNode, type SiteOptions } from '../support/site.ts';
import * as wire from '../support/wire.ts';

/** Most sites are small, and a large one takes ten times as long to simulate. */
const SIZES = [2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7, 8, 9, 10];
const PHASES = 2;
const FAULTS_MS = 40_000;
const CONVERGENCE_MS_MAX = 60_000;
/** Clients of nodes that died are gone, refused connections are tried again, tombstones have spread. */
const SETTLING_MS = 20_000;
/** After a crash a node gives clients a minute to return, and then publishes their wills. */
const RESTORED_WILLS_MS = 60_000;
const QUIET_MS = 15_000;
const LOOK_MS = 250;
const DELIVERY_MS = 2000;
const CONNECT_MS_MAX = 4000;
/** A box with a data folder reads it. */
const BOOT_MS = 5;
const DEVICES = 10;
const TOPICS = 8;
const FILTERS = ['r/#', 'm/+', 'm/3', '#', 'status/+', '$share/g/m/#', '$share/h/m/+'];
const MATCHING = FILTERS.filter((filter) => !/^(r|status)/.test(filter));
const LARGE_BYTES = 6000;

/** What a seed has drawn, in one line. */
export function describe({ size, lossMax, ...options }: Configuration): string {
  const { keys: _, ...shown } = options;
  return `${size} nodes, loss up to ${lossMax.toFixed(2)}, ${JSON.stringify(shown)}`;
}

export interface Configuration extends SiteOptions {
  readonly size: number;
  readonly seeds: number;
  readonly lossMax: number;
}

/** What is not drawn: seeds that once found a fault drew it otherwise. */
export type Fixed = Partial<Pick<Configuration, 'size' | 'data'>>;

function draw(sim: Simulator, keys: ChannelKeys, fixed: Fixed): Configuration {
  const below = (limit: number): number => Math.floor(sim.random() * limit);
  const oneOf = <const T>(...values: T[]): T => values[below(values.length)]!;
  const drawnSize = oneOf(...SIZES);
  const size = fixed.size ?? drawnSize;
  const clientTakeover = below(4) > 0;
  const drawn = {
    keys,
    size,
    seeds: 1 + below(Math.min(size, 3)),
    lossMax: oneOf(0, 0.02, 0.2, 0.4),
    // It changes nothing but bytes, and takes time.
    encrypt: below(8) === 0,
    // Shared groups of all nodes need the numbers of the common stream (docs/decisions/0092).
    ...oneOf(
      { forward: 'all', shared: 'node' } as const,
      { forward: 'all', shared: 'cluster' } as const,
      { forward: 'interest', shared: 'node' } as const,
    ),
    largeBytes: oneOf(0, 1_000_000),
    // Without the directory of clients no session can follow its client.
    roaming: clientTakeover && oneOf(true, false),
    clientTakeover,
    retainedSync: below(4) > 0,
    datagramBytes: oneOf(576, 1200, 1400, 8900),
    queueLength: oneOf(16, 1024),
    queuePolicy: oneOf('discard-newest', 'discard-oldest'),
  };
  // By another generator, so that the seeds that once found a fault draw what they drew.
  const ways = ['all', 'none', 'none', 'some', 'none'] as const;
  const multicast = ways[Math.floor(seededRandom(sim.seed * 7)() * ways.length)]!;
  const folders = ['none', 'none', 'some', 'all'] as const;
  const data = folders[Math.floor(seededRandom(sim.seed * 11)() * folders.length)]!;
  return { data, ...drawn, ...fixed, multicast: drawn.forward === 'interest' ? 'none' : multicast };
}

interface Device {
  readonly id: string;
  node: SiteNode | undefined;
  client: TestClient | undefined;
  filters: Set<string>;
  received: wire.Packet[];
}

export class Swarm {
  readonly sim: Simulator;
  readonly configuration: Configuration;
  readonly #site: Site;
  readonly #faults: FaultSchedule;
  readonly #devices: readonly Device[];
  #published = 0;

  constructor(seed: number, keys: ChannelKeys, fixed: Fixed = {}) {
    this.sim = new Simulator(seed);
    this.configuration = draw(this.sim, lightKeys(keys), fixed);
    this.#site = new Site(this.sim, this.configuration);
    const { lossMax, data } = this.configuration;
    this.#faults = new FaultSchedule(this.sim, lossMax, data === 'none' ? 0 : BOOT_MS);
    this.#devices = Array.from({ length: DEVICES }, (_, n) => ({
      id: `d${n}`,
      node: undefined,
      client: undefined,
      filters: new Set<string>(),
      received: [],
    }));
  }

  async run(): Promise<void> {
    const { sim } = this;
    const { size, seeds, multicast, data } = this.configuration;
    await this.#site.folders.create(size, data);
    startCluster(sim, size, seeds, { application: this.#site.application });
    for (let phase = 0; phase < PHASES; phase++) {
      const end = sim.now + FAULTS_MS;
      while (sim.now < end) {
        this.#faults.fault();
        if (multicast !== 'none') this.#site.groupLoss = this.#below(3) / 2;
        for (let acts = this.#below(12); acts > 0; acts--) {
          await this.#act();
          await this.#pass(this.#below(600));
        }
      }
      await sim.passUntil(() => this.#faults.isOver, FAULT_MS_MAX);
      this.#faults.end();
      this.#site.groupLoss = 0;
      await this.#checkAgreement();
      await this.#checkDelivery();
    }
  }

  async #pass(ms: number): Promise<void> {
    await this.sim.passUntil(() => false, ms);
  }

  /** One thing that a client does. */
  async #act(): Promise<void> {
    const device = this.#devices[this.#below(DEVICES)]!;
    const { node, client } = device;
    if (client === undefined || !isConnected(device)) {
      await this.#connect(device);
      return;
    }
    if (node?.sim.isStalled) return;
    switch (this.#below(10)) {
      case 0:
        await this.#connect(device);
        break;
      case 1:
        node?.deliver(() => client.leave());
        device.client = undefined;
        break;
      case 2:
        this.#lose(device);
        break;
      case 3:
        this.#subscribe(device);
        break;
      case 4:
        this.#publish(device, `r/${this.#below(TOPICS)}`, { payload: '', retain: true });
        break;
      case 5:
        this.#publishLarge(device);
        break;
      case 6:
      case 7:
        this.#publish(device, `m/${this.#below(TOPICS)}`, { qos: this.#below(2) });
        break;
      default:
        this.#publish(device, `r/${this.#below(TOPICS)}`, { retain: true, qos: this.#below(2) });
    }
    this.#take(device);
  }

  async #connect(device: Device): Promise<void> {
    const running = this.#site.running().filter(({ sim }) => !sim.isStalled);
    const node = running[this.#below(running.length)];
    if (node === undefined) return;
    const isResumed = this.#below(2) === 0;
    const will = { topic: `status/${device.id}`, payload: 'offline', retain: true, qos: 1 };
    const properties = { sessionExpiryInterval: isResumed ? 3600 : 0 };
    if (!this.configuration.clientTakeover) this.#lose(device);
    device.node = node;
    node.deliver(() => {
      const client = node.world.open(5);
      device.client = client;
      client.connect({ clientId: device.id, clean: !isResumed, will, properties });
    });
    // A session that follows its client may take seconds.
    const isDone = (): boolean => isConnected(device) || device.client?.closed === true;
    await this.sim.passUntil(isDone, CONNECT_MS_MAX);
    if (!isConnected(device)) return;
    this.#publish(device, `status/${device.id}`, { payload: 'online', retain: true, qos: 1 });
  }

  #lose(device: Device): void {
    const { client } = device;
    if (client !== undefined) device.node?.deliver(() => client.lose());
    device.client = undefined;
  }

  #subscribe(device: Device): void {
    const filter = FILTERS[this.#below(FILTERS.length)]!;
    device.node?.deliver(() => {
      if (this.#below(4) > 0) device.client?.send(wire.subscribe(5, 1, [{ filter, qos: 1 }]));
      else device.client?.send(wire.unsubscribe(5, 1, [filter]));
    });
  }

  #publish(device: Device, topic: string, fields: Partial<wire.PublishFields>): void {
    this.#published += 1;
    const packet = { topic, payload: `${this.#published}`, id: 1 + (this.#published % 60_000) };
    device.node?.deliver(() => device.client?.send(wire.publish(5, { ...packet, ...fields })));
  }

  /** Topics of their own: without -large the value is on its own node only. */
  #publishLarge(device: Device): void {
    const isRetained = this.configuration.largeBytes > 0 && this.#below(2) === 0;
    this.#published += 1;
    const payload = `${this.#published}`.padEnd(LARGE_BYTES, 'x');
    const topic = `${isRetained ? 'r' : 'm'}/${this.#below(TOPICS)}`;
    this.#publish(device, topic, { payload, retain: isRetained, qos: 1 });
  }

  /** The device reads and acknowledges what has arrived. */
  #take(device: Device): void {
    const { client, node } = device;
    if (client === undefined) return;
    const packets = client.inbox.splice(0);
    device.received.push(...packets.filter(({ type }) => type === 'publish'));
    if (client.closed) return;
    node?.deliver(() => {
      for (const packet of packets) if (packet.type === 'publish') client.acknowledge(packet);
    });
  }

  async #checkAgreement(): Promise<void> {
    const { sim } = this;
    const end = sim.now + CONVERGENCE_MS_MAX;
    while (!sim.isConverged()) {
      assert.ok(sim.now < end, `membership differs: ${sim.describeMembership()}`);
      await this.#pass(LOOK_MS);
    }
    await this.#checkQuiet();
    const fault = this.#fault();
    if (fault !== undefined) assert.fail(fault);
  }

  /** The nodes come to hold the same state, which then stays for QUIET_MS: from the time for settling on, at the latest. */
  async #checkQuiet(): Promise<void> {
    const { sim } = this;
    const settlingMs = SETTLING_MS + (this.configuration.data === 'none' ? 0 : RESTORED_WILLS_MS);
    const settled = sim.now + settlingMs;
    let agreed: string | undefined;
    let quietMs = 0;
    const isEarly = (): boolean => sim.now < settled + QUIET_MS && this.#fault() !== undefined;
    while (quietMs < QUIET_MS || isEarly()) {
      await this.#pass(LOOK_MS);
      quietMs += LOOK_MS;
      const differing = this.#site.differing();
      const state = differing.length > 0 ? undefined : JSON.stringify(this.#hashes());
      if (state !== undefined && state === agreed) continue;
      const mayChange = sim.now <= settled || agreed === undefined;
      assert.ok(mayChange, `the state changes in a quiet cluster: ${differing}`);
      assert.ok(sim.now < settled + CONVERGENCE_MS_MAX, `differs for ever: ${differing}`);
      agreed = state;
      quietMs = 0;
    }
  }

  #hashes(): Record<string, number[]> {
    return Object.fromEntries([...this.#site.hashes()].map(([name, found]) => [name, [...found]]));
  }

  /** What is wrong in the brokers of a cluster that agrees. */
  #fault(): string | undefined {
    const { retainedSync, clientTakeover } = this.configuration;
    const inRetained = retainedSync ? this.#faultInRetained() : undefined;
    return inRetained ?? (clientTakeover ? this.#faultInPlaces() : undefined);
  }

  /** The brokers hold what the replicated maps say. */
  #faultInRetained(): string | undefined {
    const nodes = this.#site.running();
    const status = this.#devices.map(({ id }) => `status/${id}`);
    const topics = Array.from({ length: TOPICS }, (_, n) => `r/${n}`);
    for (const topic of [...topics, ...status]) {
      const values = nodes.map((node) => [node.sim.name, valueAt(node, topic)] as const);
      const isDifferent = values.some(([, value]) => value !== values[0]![1]);
      if (isDifferent) return `${topic} is ${JSON.stringify(values)}`;
    }
    if (!this.configuration.clientTakeover) return undefined;
    for (const device of this.#devices) {
      if (!isConnected(device)) continue;
      const value = valueAt(device.node!, `status/${device.id}`);
      if (value === 'online') continue;
      return `status/${device.id} is ${value}, connected to ${device.node!.sim.name}`;
    }
    return undefined;
  }

  /** With takeover a client is connected to one node at most, and every node knows to which. */
  #faultInPlaces(): string | undefined {
    const nodes = this.#site.running();
    for (const { id } of this.#devices) {
      const places = nodes.filter(({ world }) => world.broker.isConnected(id));
      if (places.length > 1) return `${id} is at ${places.map(({ sim }) => sim.name)}`;
      for (const { clients, sim } of nodes) {
        const register = clients?.replica.map.get(id);
        const known = register?.hasValue ? register.writer : undefined;
        const place = places[0]?.sim.bootId;
        if (known !== place) return `where ${sim.name} sees ${id}: ${known}, not ${place}`;
      }
    }
    return undefined;
  }

  /** In a calm cluster each message comes once to each subscriber, and once to each shared group. */
  async #checkDelivery(): Promise<void> {
    for (const device of this.#devices) if (!isConnected(device)) await this.#connect(device);
    await this.#pass(DELIVERY_MS);
    for (const device of this.#devices) {
      device.received = [];
      device.filters = new Set();
      if (!isConnected(device)) continue;
      this.#take(device);
      device.node?.deliver(() => {
        device.client?.send(wire.unsubscribe(5, 1, FILTERS));
      });
      for (const [index, filter] of FILTERS.entries()) {
        if (this.#below(4) > 0) continue;
        device.filters.add(filter);
        const fields = { filter, qos: 1, retainHandling: 2 };
        const packet = wire.subscribe(5, 2, [fields], { subscriptionIdentifier: index + 1 });
        device.node?.deliver(() => device.client?.send(packet));
      }
    }
    await this.#pass(DELIVERY_MS);
    const publishers = this.#devices.filter(isConnected);
    for (const device of publishers) this.#take(device);
    for (const device of publishers) device.received = [];
    const sent = publishers.map((device) => {
      const payload = `from ${device.id} at ${device.node!.sim.name}`;
      this.#publish(device, 'm/3', { payload, qos: 1 });
      return { payload, device };
    });
    await this.#pass(DELIVERY_MS);
    for (const device of publishers) this.#take(device);
    for (const { payload } of sent) this.#checkMessage(payload);
  }

  #checkMessage(payload: string): void {
    const listeners = this.#devices.filter(isConnected);
    const copies = listeners.flatMap(({ id, received }) =>
      received
        .filter((packet) => packet.payload === payload)
        .flatMap((packet) => (packet.properties.subscriptionIdentifier as number[]) ?? [0])
        .map((identifier) => ({ id, filter: FILTERS[identifier - 1]! })),
    );
    for (const filter of MATCHING) {
      const members = listeners.filter(({ filters }) => filters.has(filter));
      const reached = copies.filter((copy) => copy.filter === filter).map(({ id }) => id);
      const isShared = filter.startsWith('$share');
      const nodes = new Set(members.map(({ node }) => node));
      const servers = this.configuration.shared === 'node' ? nodes.size : Math.min(1, nodes.size);
      const expected = isShared ? servers : members.length;
      const who = members.map(({ id, node }) => `${id} at ${node!.sim.name}`);
      const text = `'${payload}' for ${filter} came to ${reached} of ${who}`;
      assert.equal(reached.length, expected, text);
      if (!isShared) assert.equal(new Set(reached).size, expected, text);
    }
  }

  #below(limit: number): number {
    return Math.floor(this.sim.random() * limit);
  }
}

/** Its node runs and has accepted it. */
function isConnected({ id, node, client }: Device): boolean {
  if (node === undefined || client === undefined || client.closed) return false;
  return node.isUp && !node.sim.swim.isOver && node.world.broker.isConnected(id);
}

function valueAt({ world }: SiteNode, topic: string): string | undefined {
  return world.broker.retainedMessage(topic)?.payload.toString('latin1').trimEnd();
}

/** @throws AssertionError that names the seed and what it drew */
export async function runSwarm(seed: number, keys: ChannelKeys, fixed?: Fixed): Promise<void> {
  const swarm = new Swarm(seed, keys, fixed);
  try {
    await swarm.run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const at = (swarm.sim.now / 1000).toFixed(1);
    const text = `seed ${seed} at ${at} s (${describe(swarm.configuration)}): ${reason}`;
    throw new Error(text, { cause: error });
  }
}

/** The same run with every event of membership, and how it ended. */
export async function swarmTranscriptOf(
  seed: number,
  keys: ChannelKeys,
): Promise<readonly string[]> {
  const swarm = new Swarm(seed, keys);
  swarm.sim.keepsTranscript = true;
  try {
    await swarm.run();
  } catch (error) {
    swarm.sim.lines.push(String(error));
  }
  return [describe(swarm.configuration), ...swarm.sim.lines];
}
