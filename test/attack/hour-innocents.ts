// Clients that behave, for hour.ts: they log in with a password from an address of their own, publish,
// subscribe, leave and come back. Everything that they do must succeed; how long it takes is measured.

import * as wire from '../support/wire.ts';
import { AttackClient, type Target } from './attack-client.ts';

const ADDRESS = '127.0.0.9';
const PUBLISH_EVERY_MS = 200;
const RETURN_EVERY_MS = 10_000;
const FOR_AN_HOUR = { sessionExpiryInterval: 3600 };
/** A message that has not arrived after this time is missing. */
const PATIENCE_MS = 30_000;

export interface Served {
  readonly latenciesMs: number[];
  readonly connectsMs: number[];
  refused: number;
  missing: number;
}

interface Login {
  readonly client: AttackClient;
  /** Takes all packets that have arrived. */
  read(): wire.Packet[];
  /** Takes the first packet of this type, if it has arrived. */
  first(type: string): wire.Packet | undefined;
}

/** The innocents of one node. */
export class HourInnocents {
  readonly served: Served = { latenciesMs: [], connectsMs: [], refused: 0, missing: 0 };
  /** Reasons of what failed. */
  readonly faults: string[] = [];
  readonly #target: Target;
  readonly #name: string;
  #isStopped = false;
  readonly #work: Promise<void>[] = [];

  constructor(target: Target, name: string) {
    this.#target = target;
    this.#name = name;
  }

  start(): void {
    this.#work.push(this.#publishAlways(), this.#comeAndGo());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#work);
  }

  async #login(role: string, fields: wire.ConnectFields = {}): Promise<Login | undefined> {
    const startedAt = performance.now();
    const client = new AttackClient(this.#target, ADDRESS);
    let bytes: Buffer = Buffer.alloc(0);
    client.socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
    const inbox: wire.Packet[] = [];
    const receive = (): void => {
      const { packets, rest } = wire.decode(5, bytes);
      bytes = rest;
      inbox.push(...packets);
    };
    const read = (): wire.Packet[] => {
      receive();
      return inbox.splice(0);
    };
    const first = (type: string): wire.Packet | undefined => {
      receive();
      const found = inbox.findIndex((packet) => packet.type === type);
      return found < 0 ? undefined : inbox.splice(found, 1)[0];
    };
    const credentials = { username: 'innocent', password: 'innocent' };
    const clientId = `${this.#name}-${role}`;
    client.socket.write(wire.connect({ clientId, ...credentials, ...fields }));
    const connack = await this.#first(first, 'connack');
    if (connack?.reason === 0) {
      this.served.connectsMs.push(performance.now() - startedAt);
      return { client, read, first };
    }
    this.served.refused += 1;
    this.#fault(`${role}: CONNACK ${connack?.reason ?? 'does not come'}`);
    client.destroy();
    return undefined;
  }

  #fault(text: string): void {
    if (this.faults.length < 50) this.faults.push(`${this.#name} ${text}`);
  }

  async #first(first: Login['first'], type: string): Promise<wire.Packet | undefined> {
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
      const found = first(type);
      if (found !== undefined) return found;
      await sleep(1);
    }
    return undefined;
  }

  /** A pair that is always connected: a message every moment, with QoS 1. */
  async #publishAlways(): Promise<void> {
    const topic = `innocent/${this.#name}`;
    const subscriber = await this.#login('subscriber');
    const publisher = await this.#login('publisher');
    if (subscriber === undefined || publisher === undefined) return;
    subscriber.client.socket.write(wire.subscribe(5, 1, [{ filter: topic, qos: 1 }]));
    await this.#first(subscriber.first, 'suback');
    const waiting = new Map<string, number>();
    let number = 0;
    const take = (): void => {
      publisher.read();
      for (const packet of subscriber.read()) {
        if (packet.type !== 'publish') continue;
        subscriber.client.socket.write(wire.ack('puback', packet.id));
        const at = waiting.get(packet.payload);
        if (at !== undefined) this.served.latenciesMs.push(performance.now() - at);
        waiting.delete(packet.payload);
      }
    };
    while (!this.#isStopped) {
      const next = performance.now() + PUBLISH_EVERY_MS;
      number += 1;
      waiting.set(String(number), performance.now());
      const fields = { topic, payload: String(number), qos: 1, id: (number % 60_000) + 1 };
      publisher.client.socket.write(wire.publish(5, fields));
      while (performance.now() < next) {
        take();
        await sleep(1);
      }
    }
    for (
      const end = performance.now() + PATIENCE_MS;
      waiting.size > 0 && performance.now() < end;
    ) {
      take();
      await sleep(5);
    }
    if (waiting.size > 0) this.#fault(`${waiting.size} of ${number} messages did not arrive`);
    if (subscriber.client.isClosed || publisher.client.isClosed) this.#fault('was disconnected');
    this.served.missing += waiting.size;
    subscriber.client.destroy();
    publisher.client.destroy();
  }

  /** A client that is absent most of the time: what was published meanwhile waits for it. */
  async #comeAndGo(): Promise<void> {
    const topic = `absent/${this.#name}`;
    const session = { clean: false, properties: FOR_AN_HOUR };
    let expected: string[] = [];
    for (let round = 0; !this.#isStopped; round++) {
      const absent = await this.#login('absent', session);
      if (absent !== undefined) {
        await this.#takeAll(absent, expected);
        absent.client.socket.write(wire.subscribe(5, 1, [{ filter: topic, qos: 1 }]));
        await this.#first(absent.first, 'suback');
        absent.client.destroy();
        await sleep(100);
        expected = await this.#leaveMessages(topic, round);
      }
      for (let i = 0; i < RETURN_EVERY_MS / 100 && !this.#isStopped; i++) await sleep(100);
    }
  }

  async #leaveMessages(topic: string, round: number): Promise<string[]> {
    const publisher = await this.#login('visitor');
    if (publisher === undefined) return [];
    const sent: string[] = [];
    for (let i = 1; i <= 10; i++) {
      const payload = `${round}-${i}`;
      publisher.client.socket.write(wire.publish(5, { topic, payload, qos: 1, id: i }));
      const puback = await this.#first(publisher.first, 'puback');
      if (puback?.reason === 0) sent.push(payload);
      else this.#fault(`PUBACK ${puback?.reason ?? 'does not come'} for an absent client`);
    }
    publisher.client.destroy();
    return sent;
  }

  async #takeAll({ client, read }: Login, expected: readonly string[]): Promise<void> {
    const missing = new Set(expected);
    for (
      const end = performance.now() + PATIENCE_MS;
      missing.size > 0 && performance.now() < end;
    ) {
      for (const { type, id, payload } of read()) {
        if (type !== 'publish') continue;
        client.socket.write(wire.ack('puback', id));
        missing.delete(payload);
      }
      await sleep(2);
    }
    if (missing.size > 0) this.#fault(`${missing.size} messages for the absent client are missing`);
    this.served.missing += missing.size;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
