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
/** In quiet times each node publishes so many to all nodes, of each size. */
const CALLS = 50;
/** More than a datagram takes, and than `-large` is for. */
const LARGE_BYTES = 8000;
const LARGE_TICKS = 10;
const PINGER = join(import.meta.dirname, 'clients/pinger.ts');

export class Workload {
  readonly #site: Site;
  readonly #history: History;
  readonly #random: () => number;
  readonly #clients = new Set<MqttJsClient>();
  readonly #publishers: MqttJsClient[] = [];
  readonly #keepers: MqttJsClient[] = [];
  /** Those of a round: they are gone at its end. */
  readonly #roamers: MqttJsClient[] = [];
  readonly #quietClients: MqttJsClient[] = [];
  #quietReader: MosquittoReader | undefined;
  #round = 0;
  #isLarge = false;
  readonly #pahos = new Map<string, PahoClient>();
  readonly #mosquittos = new Map<string, MosquittoPublisher>();
  #pingerPid = 0;
  #isRunning = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(site: Site, history: History, random: () => number) {
    this.#site = site;
    this.#history = history;
    this.#random = random;
  }

  async begin(): Promise<void> {
    await Promise.all(this.#site.names.map((node) => this.#beginAt(node)));
    await Promise.all(this.#publishers.map((one) => one.untilConnected()));
    this.#ping();
  }

  /** Publishes until stop(). @param isLarge large messages cross as well */
  async resume(round: number, isLarge: boolean): Promise<void> {
    const { names } = this.#site;
    this.#round = round;
    this.#isLarge = isLarge;
    for (let i = 0; i < ROAMERS; i++) {
      const node = names[i % names.length]!;
      this.#roamers.push(this.#client(`roamer-${round}-${i}`, node, { hasWill: true }));
    }
    await Promise.all(this.#roamers.map((one) => one.untilConnected()));
    this.#isRunning = true;
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
    for (const node of others) await this.#quietClient('worker', node).subscribe(filter, 1);
    const id = `worker-${this.#round}-${first}`;
    const worker = { id, node: first, filter, hasSession: false };
    this.#quietReader = new MosquittoReader(this.#site, this.#history, worker);
    await this.#quietReader.untilSubscribed();
    return this.#site.names.length;
  }

  /** In quiet times, when all nodes know the members of the group: it works off jobs. */
  async publishJobs(): Promise<void> {
    const boss = this.#quietClient('boss', this.#site.names[0]!);
    await boss.untilConnected();
    for (let i = 0; i < JOBS; i++) {
      boss.publish('jobs/all', 1);
      if (i % 20 === 19) await delay(TICK_MS);
    }
  }

  /**
   * In quiet times: a client at each node reads what those at all nodes publish.
   * @param until waits until a condition is true
   */
  async callAll(until: (isSo: () => boolean) => Promise<void>): Promise<void> {
    const callers = this.#site.names.map((node) => this.#quietClient('caller', node));
    const heard = new Set<string>();
    for (const caller of callers) {
      caller.onArrival = (topic) => heard.add(`${caller.node} ${topic}`);
      await caller.subscribe('calling/#', 0);
      await caller.subscribe('call/#', 1);
    }
    // With -forward=interest a node learns after a while that there are readers.
    await until(() => {
      for (const caller of callers) caller.publish(`calling/${caller.node}`, 0);
      return heard.size === callers.length ** 2;
    });
    for (let i = 0; i < CALLS; i++) {
      for (const caller of callers) {
        caller.publish(`call/${caller.node}`, 1);
        if (this.#isLarge) caller.publish(`call/${caller.node}/large`, 1, { bytes: LARGE_BYTES });
      }
      await delay(TICK_MS / 5);
    }
  }

  /** In quiet times: each roaming device dies, so that its will is said. */
  async loseRoamers(): Promise<void> {
    await Promise.all(this.#roamers.map((one) => one.untilAnswered()));
    for (const roamer of this.#roamers) roamer.die();
  }

  /** Ends the clients of a round. */
  async endRound(): Promise<void> {
    const all = [...this.#roamers.splice(0), ...this.#quietClients.splice(0)];
    await Promise.all(all.map((client) => client.end()));
    for (const client of all) this.#clients.delete(client);
    await this.#quietReader?.end();
  }

  async end(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.end()));
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
      if (other !== node) await reader.subscribe(`cross/${other}/#`, 0);
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
        if (publisher.isConnected && this.#isLarge && tick % LARGE_TICKS === 0) {
          publisher.publish(`cross/${publisher.node}/large`, 0, { bytes: LARGE_BYTES });
        }
      }
      for (const [node, paho] of this.#pahos) paho.publish(`local/${node}/1`);
      if (tick % MOSQUITTO_TICKS === 0) {
        const qos = tick % 2 === 0 ? 1 : 2;
        for (const [node, one] of this.#mosquittos) one.publish(`local/${node}/${qos}`, qos);
      }
      this.#roam(tick);
      this.#rest(tick);
      await delay(this.#tickMs);
    }
  }

  /** A large site has no more messages in all than one of three nodes: the machine stays the same. */
  get #tickMs(): number {
    return Math.max(TICK_MS, (TICK_MS * this.#site.names.length) / 3);
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
      if (roamer.isConnected) roamer.publish(`state/${roamer.id}/${state}`, 1, { retain: true });
      if ((tick + i * 17) % STAY_TICKS !== STAY_TICKS - 1) continue;
      const { names } = this.#site;
      const node = names[Math.floor(this.#random() * names.length)]!;
      if (node !== roamer.node) roamer.moveTo(node, this.#random() < 0.5);
    }
  }

  #quietClient(role: string, node: string): MqttJsClient {
    const client = this.#client(`${role}-${this.#round}-${node}`, node);
    this.#quietClients.push(client);
    return client;
  }

  #client(
    id: string,
    node: string,
    more: { hasSession?: boolean; hasWill?: boolean } = {},
  ): MqttJsClient {
    const dial = (name: string) => this.#site.dial(name);
    const client = new MqttJsClient({ id, node, history: this.#history, dial, ...more });
    this.#clients.add(client);
    return client;
  }
}
