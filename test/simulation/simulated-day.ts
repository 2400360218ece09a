// A site at work on the simulator's clock: what test/attack/day-load.ts does to real nodes. Everything that clients
// name is new each time: identifiers, topics, filters, wills. Invariant: a seed gives the same run.

import type { ChannelKeys } from '../../src/shared/key-ring.ts';
import type { TestClient } from '../support/mqtt-world.ts';
import { endpointFor, type SimNode, Simulator, startCluster } from '../support/simulator.ts';
import { Site, type SiteNode, type SiteOptions } from '../support/site.ts';
import * as wire from '../support/wire.ts';

const NODES = 3;
const GUEST_INDEXES = [11, 12, 13];
const HOUR_S = 3600;
const GUEST_MINUTE_S = 60;
const GUEST_STAYS_S = 40;
const QUIET_S = 600;
const STAY_MS = 2000;
const AWAY_MS = 8000;
const SESSION_SECONDS = 60;
const DEVICES = 5;
const VALUES = 200;

const OPTIONS: Omit<SiteOptions, 'keys'> = {
  encrypt: false,
  forward: 'all',
  shared: 'cluster',
  largeBytes: 100_000,
  roaming: true,
  clientTakeover: true,
  retainedSync: true,
  datagramBytes: 1200,
  queueLength: 1024,
  queuePolicy: 'discard-newest',
  multicast: 'none',
  data: 'none',
};

export class SimulatedDay {
  readonly #sim = new Simulator(1);
  readonly #site: Site;
  readonly #visitorsASecond: number;
  readonly #nodes: readonly SiteNode[];
  readonly #devices: { node: SiteNode; client: TestClient }[] = [];
  #guest: SimNode | undefined;
  #guests = 0;
  #second = 0;
  #names = 0;

  /** @param visitorsASecond on each node */
  constructor(keys: ChannelKeys, visitorsASecond: number) {
    this.#site = new Site(this.#sim, { ...OPTIONS, keys });
    this.#visitorsASecond = visitorsASecond;
    startCluster(this.#sim, NODES, 1, { application: this.#site.application });
    this.#sim.runUntil(() => this.#sim.isConverged(), 60_000);
    this.#nodes = [...this.#site.nodes];
    for (const node of this.#nodes) this.#openDevices(node);
  }

  hour(): void {
    for (let second = 0; second < HOUR_S; second++) this.#oneSecond();
  }

  /**
   * Ten minutes without visitors and guests. Before them every device publishes all of its values, and after them
   * the sessions, notes and places of the visitors are over: the same things are there after each hour. The
   * values are published once more at the end, since a route that is outdated goes when others are found.
   */
  quiet(): void {
    if (this.#guestIsHere) this.#guestLeaves();
    this.#publishValues();
    for (let second = 0; second < QUIET_S; second++) {
      for (const device of this.#devices) take(device);
      this.#sim.runFor(1000);
    }
    this.#publishValues();
    this.#sim.runFor(1000);
    for (const device of this.#devices) take(device);
  }

  #publishValues(): void {
    for (const { node, client } of this.#devices) {
      for (let value = 0; value < VALUES; value++) {
        const topic = `value/${node.sim.name}/${value}`;
        const state = wire.publish(5, { topic, payload: 'x', qos: 1, id: 3, retain: true });
        node.deliver(() => client.send(state));
        take({ node, client });
      }
    }
  }

  /** Bytes that all three nodes count, by what they are for. */
  counted(): Record<string, number> {
    const sum = (bytesOf: (node: SiteNode) => number): number =>
      this.#nodes.reduce((total, node) => total + bytesOf(node), 0);
    return {
      'kept for clients': sum(({ world }) => world.broker.context.accounts.bytes),
      topics: sum(({ world }) => world.broker.context.topics.bytes),
      'clients of all nodes': sum(({ clients }) => clients?.replica.map.memory.bytes ?? 0),
      versions: sum(({ retained }) => retained?.replica.map.memory.bytes ?? 0),
    };
  }

  #oneSecond(): void {
    this.#second += 1;
    if (this.#second % GUEST_MINUTE_S === 0) this.#guestArrives();
    if (this.#second % GUEST_MINUTE_S === GUEST_STAYS_S) this.#guestLeaves();
    for (const node of this.#nodes) {
      const due = (this.#second * this.#visitorsASecond) % 1 < this.#visitorsASecond;
      const visits = Math.max(due ? 1 : 0, Math.floor(this.#visitorsASecond));
      for (let i = 0; i < visits; i++) this.#visit(node);
    }
    this.#useDevices();
    this.#sim.runFor(1000);
  }

  #word(): string {
    this.#names += 1;
    return `${this.#names.toString(36)}-${this.#below(1e9).toString(36)}`;
  }

  #below(limit: number): number {
    return Math.floor(this.#sim.random() * limit);
  }

  #openDevices(node: SiteNode): void {
    const { name } = node.sim;
    for (let i = 0; i < DEVICES; i++) {
      node.deliver(() => {
        const will = { topic: `site/${name}/${i}/online`, payload: '0', qos: 1, retain: true };
        const client = node.world.open(5);
        client.connect({ clientId: `${name}-${i}`, will });
        const filters = i === 0 ? ['site/#', '$share/crew/jobs/#'] : [`site/${name}/${i}/set`];
        client.send(wire.subscribe(5, 1, filters));
        this.#devices.push({ node, client });
      });
    }
    this.#sim.runFor(1000);
  }

  #useDevices(): void {
    for (const [index, device] of this.#devices.entries()) {
      take(device);
      if ((index + this.#second) % DEVICES !== 0) continue;
      const { node, client } = device;
      const { name } = node.sim;
      const publish = (topic: string, fields: Partial<wire.PublishFields>): void =>
        node.deliver(() =>
          client.send(wire.publish(5, { topic, payload: this.#word(), ...fields })),
        );
      publish(`site/${name}/${index}/temp`, {});
      publish(`site/${name}/${index}/state`, { qos: 1, id: 1, retain: true });
      publish(`jobs/${this.#below(50)}`, { qos: 1, id: 2 });
      const payload = this.#below(2) === 0 ? '' : this.#word();
      publish(`value/${name}/${this.#below(VALUES)}`, { qos: 1, id: 3, retain: true, payload });
    }
  }

  #visit(node: SiteNode): void {
    const clientId = `visitor-${this.#word()}`;
    const hasSession = this.#below(2) === 0;
    this.#visitAt(node, clientId, hasSession);
    if (!hasSession) return;
    const there = this.#nodes[this.#below(NODES)]!;
    this.#site.at(STAY_MS + AWAY_MS, () => this.#visitAt(there, clientId, true));
  }

  #visitAt(node: SiteNode, clientId: string, hasSession: boolean): void {
    const open = (): TestClient => {
      const client = node.world.open(5);
      const properties = { sessionExpiryInterval: hasSession ? SESSION_SECONDS : 0 };
      const will = { topic: `gone/${clientId}`, payload: 'gone', qos: 1 };
      client.connect({ clientId, clean: !hasSession, properties, will });
      return client;
    };
    node.deliver(() => {
      const client = open();
      // A session of another node comes first.
      this.#site.at(STAY_MS / 2, () => node.deliver(() => this.#work(client, clientId)));
      this.#site.at(STAY_MS, () => {
        take({ node, client });
        node.deliver(() => {
          if (client.closed) return;
          if (this.#below(2) === 0) client.leave();
          else client.lose();
        });
      });
    });
  }

  #work(client: TestClient, clientId: string): void {
    if (client.closed) return;
    const filters = [
      `mail/${clientId}`,
      `site/+/${this.#below(DEVICES)}/temp`,
      `x/${this.#word()}/#`,
    ];
    client.send(
      wire.subscribe(
        5,
        1,
        filters.map((filter) => ({ filter, qos: 1 })),
      ),
    );
    for (let id = 1; id <= 5; id++) {
      client.send(wire.publish(5, { topic: `visit/${clientId}/${id}`, payload: 'x', qos: 1, id }));
    }
    const properties = { messageExpiryInterval: 30 };
    const note = { topic: `note/${this.#word()}`, payload: 'x', qos: 1, id: 6, retain: true };
    client.send(wire.publish(5, { ...note, properties }));
    client.send(wire.publish(5, { topic: `mail/${clientId}`, payload: 'x', qos: 1, id: 7 }));
  }

  get #guestIsHere(): boolean {
    return this.#guest !== undefined && this.#site.nodes.some(({ sim }) => sim === this.#guest);
  }

  #guestArrives(): void {
    const index = GUEST_INDEXES[this.#guests++ % GUEST_INDEXES.length]!;
    this.#guest = this.#sim.start({
      name: `guest${index}`,
      endpoint: endpointFor(index),
      seeds: [endpointFor(1)],
      application: this.#site.application,
    });
  }

  #guestLeaves(): void {
    const guest = this.#guest;
    if (guest === undefined) return;
    if (this.#guests % 2 === 0) this.#sim.leave(guest);
    this.#sim.kill(guest);
    // The simulator and the site would keep it, as a real site does not.
    this.#sim.nodes.splice(this.#sim.nodes.indexOf(guest), 1);
    const place = this.#site.nodes.findIndex(({ sim }) => sim === guest);
    this.#site.nodes.splice(place, 1);
  }
}

/** The client reads and acknowledges what has arrived. */
function take({ node, client }: { node: SiteNode; client: TestClient }): void {
  const packets = client.inbox.splice(0);
  if (client.closed) return;
  node.deliver(() => {
    for (const packet of packets) {
      if (packet.type === 'publish' && !client.closed) client.acknowledge(packet);
    }
  });
}
