// The clients of a run, by what the checker proves with them: see checker.ts for the topics. At each node the
// same streams go through three libraries: MQTT.js, Eclipse Paho and the clients of mosquitto.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MosquittoPublisher, MosquittoReader } from './clients/mosquitto-clients.ts';
import { MqttJsClient } from './clients/mqttjs-client.ts';
import { PahoClient } from './clients/paho-client.ts';
import type { History } from './history.ts';
import type { Site } from './site.ts';

const TICK_MS = 100;
/** A program for each message is dear. */
const MOSQUITTO_TICKS = 5;
const STATES = 10;
const ROAMERS = 3;
/** A roaming device stays this many ticks at a node. */
const STAY_TICKS = 50;
/** Readers with a session are away most of the time, so that messages wait when something breaks. */
const REST_EVERY_TICKS = 100;
const REST_MS = 8000;
/** At the same time the publisher there loses its connection, within this time after it has published. */
const CUT_WITHIN_MS = 20;
const JOBS = 200;
const PINGER = join(import.meta.dirname, 'clients/pinger.ts');

export class Workload {
  readonly #site: Site;
  readonly #history: History;
  readonly #random: () => number;
  readonly #clients: MqttJsClient[] = [];
  readonly #publishers: MqttJsClient[] = [];
  readonly #keepers: MqttJsClient[] = [];
  readonly #roamers: MqttJsClient[] = [];
  readonly #pahos = new Map<string, PahoClient>();
  readonly #mosquittos = new Map<string, MosquittoPublisher>();
  #pingerPid = 0;
  #isRunning = true;
  #loop: Promise<void> = Promise.resolve();

  constructor(site: Site, history: History, random: () => number) {
    this.#site = site;
    this.#history = history;
    this.#random = random;
  }

  async begin(): Promise<void> {
    const { names } = this.#site;
    await Promise.all(names.map((node) => this.#beginAt(node)));
    for (let i = 0; i < ROAMERS; i++) {
      const node = names[i % names.length]!;
      this.#roamers.push(this.#client(`roamer-${i}`, node, { hasWill: true }));
    }
    await Promise.all([...this.#publishers, ...this.#roamers].map((one) => one.untilConnected()));
    this.#ping();
    this.#loop = this.#run();
  }

  /** Ends the publishing; what is under way still arrives. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#loop;
  }

  get pingerPid(): number {
    return this.#pingerPid;
  }

  /**
   * In quiet times: members of a shared group connect at all nodes.
   * @returns how many
   */
  async beginCrew(): Promise<number> {
    const [first = '', ...others] = this.#site.names;
    const filter = '$share/crew/jobs/#';
    for (const node of others) {
      await this.#client(`worker-${node}`, node).subscribe(filter, 1);
    }
    const worker = { id: `worker-${first}`, node: first, filter, hasSession: false };
    await new MosquittoReader(this.#site, this.#history, worker).untilSubscribed();
    return this.#site.names.length;
  }

  /** In quiet times, when all nodes know the members of the group: it works off jobs. */
  async publishJobs(): Promise<void> {
    const boss = this.#client('boss', this.#site.names[0]!);
    await boss.untilConnected();
    for (let i = 0; i < JOBS; i++) {
      boss.publish('jobs/all', 1);
      if (i % 20 === 19) await delay(TICK_MS);
    }
  }

  /** In quiet times: each roaming device dies, so that its will is said. */
  async loseRoamers(): Promise<void> {
    await Promise.all(this.#roamers.map((one) => one.untilConnected()));
    for (const roamer of this.#roamers) roamer.die();
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
  }

  async #beginAt(node: string): Promise<void> {
    const site = this.#site;
    const history = this.#history;
    const local = `local/${node}/#`;
    const keeper = this.#client(`keeper-${node}`, node, { hasSession: true });
    this.#keepers.push(keeper);
    await keeper.subscribe(local, 2);
    const reader = this.#client(`reader-${node}`, node);
    for (const other of site.names) {
      if (other !== node) await reader.subscribe(`cross/${other}`, 0);
    }
    await reader.subscribe('will/#', 0);
    this.#publishers.push(this.#client(`publisher-${node}`, node, { hasSession: true }));
    const paho = new PahoClient(site, history, `paho-${node}`, node, local);
    const filter = `local/${node}/1`;
    const options = { id: `mosquitto-sub-${node}`, node, filter, hasSession: true };
    const mosquitto = new MosquittoReader(site, history, options);
    await Promise.all([paho.untilSubscribed(), mosquitto.untilSubscribed()]);
    this.#pahos.set(node, paho);
    const publisher = new MosquittoPublisher(site, history, `mosquitto-pub-${node}`, node);
    this.#mosquittos.set(node, publisher);
  }

  #ping(): void {
    const { names, network } = this.#site;
    const places = names.map((node) => `${node}=${network.address(node)}`);
    const command = [process.execPath, '--import=tsx', PINGER, ...places];
    const pinger = this.#site.runClient(command, (line) => {
      const [node = '', answer = ''] = line.split(' ');
      if (answer === 'lost') this.#history.add({ kind: 'ping lost', node });
      else this.#history.add({ kind: 'ping', node, ms: Number(answer) });
    });
    this.#pingerPid = pinger.pid;
  }

  async #run(): Promise<void> {
    for (let tick = 0; this.#isRunning; tick++) {
      for (const publisher of this.#publishers) {
        publisher.publish(`local/${publisher.node}/1`, 1);
        publisher.publish(`local/${publisher.node}/2`, 2);
        if (publisher.isConnected) publisher.publish(`cross/${publisher.node}`, 0);
      }
      for (const [node, paho] of this.#pahos) paho.publish(`local/${node}/1`);
      if (tick % MOSQUITTO_TICKS === 0) {
        const qos = tick % 2 === 0 ? 1 : 2;
        for (const [node, one] of this.#mosquittos) one.publish(`local/${node}/${qos}`, qos);
      }
      this.#roam(tick);
      this.#rest(tick);
      await delay(TICK_MS);
    }
  }

  #rest(tick: number): void {
    for (const [i, keeper] of this.#keepers.entries()) {
      const phase = Math.floor((i / this.#keepers.length) * REST_EVERY_TICKS);
      if (tick % REST_EVERY_TICKS !== phase) continue;
      keeper.rest(REST_MS);
      this.#publishers[i]?.cutAfter(this.#random() * CUT_WITHIN_MS);
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
  ): MqttJsClient {
    const dial = (name: string) => this.#site.dial(name);
    const client = new MqttJsClient({ id, node, history: this.#history, dial, ...more });
    this.#clients.push(client);
    return client;
  }
}
