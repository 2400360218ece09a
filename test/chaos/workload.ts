// The clients of a run, by what the checker proves with them: see checker.ts for the topics.

import { setTimeout as delay } from 'node:timers/promises';
import { ChaosClient } from './chaos-client.ts';
import type { History } from './history.ts';
import type { Site } from './site.ts';

const TICK_MS = 100;
const STATES = 10;
const ROAMERS = 3;
/** A roaming device stays this many ticks at a node. */
const STAY_TICKS = 50;
/** Readers with a session are away for some seconds, one after the other, so that messages wait for them. */
const REST_EVERY_TICKS = 30;
const REST_MS = 3000;
/** At the same time the publisher there loses its connection, within this time after it has published. */
const CUT_WITHIN_MS = 20;
const JOBS = 200;

export class Workload {
  readonly #site: Site;
  readonly #history: History;
  readonly #random: () => number;
  readonly #clients: ChaosClient[] = [];
  readonly #publishers: ChaosClient[] = [];
  readonly #keepers: ChaosClient[] = [];
  readonly #roamers: ChaosClient[] = [];
  #isRunning = true;
  #loop: Promise<void> = Promise.resolve();

  constructor(site: Site, history: History, random: () => number) {
    this.#site = site;
    this.#history = history;
    this.#random = random;
  }

  async begin(): Promise<void> {
    const { names } = this.#site;
    for (const node of names) {
      const keeper = this.#client(`keeper-${node}`, node, { hasSession: true });
      this.#keepers.push(keeper);
      const reader = this.#client(`reader-${node}`, node);
      await keeper.subscribe(`local/${node}/#`, 2);
      for (const other of names) {
        if (other !== node) await reader.subscribe(`cross/${other}`, 0);
      }
      await reader.subscribe('will/#', 0);
      this.#publishers.push(this.#client(`publisher-${node}`, node, { hasSession: true }));
    }
    for (let i = 0; i < ROAMERS; i++) {
      const node = names[i % names.length]!;
      this.#roamers.push(this.#client(`roamer-${i}`, node, { hasWill: true }));
    }
    await Promise.all([...this.#publishers, ...this.#roamers].map((one) => one.untilConnected()));
    this.#loop = this.#run();
  }

  /** Ends the publishing; what is under way still arrives. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#loop;
  }

  /** In quiet times: a shared group over all nodes works off jobs. */
  async workOffJobs(): Promise<void> {
    const { names } = this.#site;
    for (const node of names) {
      await this.#client(`worker-${node}`, node).subscribe('$share/crew/jobs/#', 1);
    }
    // Membership of the group is known on all nodes after a round of gossip.
    await delay(3000);
    const boss = this.#client('boss', names[0]!);
    await boss.untilConnected();
    for (let i = 0; i < JOBS; i++) {
      boss.publish('jobs/all', 1);
      if (i % 20 === 19) await delay(TICK_MS);
    }
    await delay(3000);
  }

  /** In quiet times: each roaming device dies, so that its will is said. */
  async loseRoamers(): Promise<void> {
    for (const roamer of this.#roamers) roamer.die();
    await delay(5000);
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
  }

  async #run(): Promise<void> {
    for (let tick = 0; this.#isRunning; tick++) {
      for (const publisher of this.#publishers) {
        publisher.publish(`local/${publisher.node}/1`, 1);
        publisher.publish(`local/${publisher.node}/2`, 2);
        if (publisher.isConnected) publisher.publish(`cross/${publisher.node}`, 0);
      }
      this.#roam(tick);
      if (tick % REST_EVERY_TICKS === 0) {
        const keepers = this.#keepers;
        const place = (tick / REST_EVERY_TICKS) % keepers.length;
        keepers[place]?.rest(REST_MS);
        this.#publishers[place]?.cutAfter(this.#random() * CUT_WITHIN_MS);
      }
      await delay(TICK_MS);
    }
  }

  #roam(tick: number): void {
    for (const [i, roamer] of this.#roamers.entries()) {
      const state = Math.floor(this.#random() * STATES);
      if (roamer.isConnected) roamer.publish(`state/${roamer.id}/${state}`, 1, true);
      if ((tick + i * 17) % STAY_TICKS !== STAY_TICKS - 1) continue;
      const { names } = this.#site;
      const node = names[Math.floor(this.#random() * names.length)]!;
      if (node !== roamer.node) roamer.moveTo(node, this.#random() < 0.5);
    }
  }

  #client(
    id: string,
    node: string,
    more: { hasSession?: boolean; hasWill?: boolean } = {},
  ): ChaosClient {
    const dial = (name: string) => this.#site.dial(name);
    const client = new ChaosClient({ id, node, history: this.#history, dial, ...more });
    this.#clients.push(client);
    return client;
  }
}
