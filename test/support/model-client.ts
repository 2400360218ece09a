// An MQTT client that follows the specification exactly: it remembers exchanges across connections,
// repeats unacknowledged packets, and answers late or in part. For tests of delivery guarantees.

import assert from 'node:assert/strict';
import * as wire from './wire.ts';

type Random = () => number;

/** An exchange that the client remembers across connections. */
interface Outgoing {
  readonly payload: string;
  readonly qos: 1 | 2;
  readonly id: number;
  readonly retain: boolean;
  state: 'publish' | 'pubrel';
}

/** The broker of the client: a core, or a port. */
export interface Server {
  connect(clientId: string, fields: wire.ConnectFields): Link;
}

export interface Link {
  /** Packets that arrived. */
  readonly inbox: wire.Packet[];
  send(bytes: Buffer): void;
  lose(): void;
}

export class ModelClient {
  readonly name: string;
  /** QoS 1 payloads with repetitions, QoS 2 payloads as the application gets them. */
  readonly received: string[] = [];
  /** Payloads that the broker refused with a Reason Code (MQTT 5). */
  readonly refused = new Set<string>();
  /** SUBACK has arrived. */
  isSubscribed = false;
  #server: Server;
  readonly #random: Random;
  readonly #version: 4 | 5;
  #link: Link | undefined;
  #nextId = 1;
  #mayForgetDup = false;
  readonly #outgoing = new Map<number, Outgoing>();
  /** Packet ids of QoS 2 messages between PUBLISH and PUBREL. */
  readonly #incoming = new Set<number>();
  readonly #sentBefore = new Set<number>();
  readonly #unanswered: wire.Packet[] = [];

  constructor(server: Server, name: string, version: 4 | 5, random: Random) {
    this.#server = server;
    this.name = name;
    this.#version = version;
    this.#random = random;
  }

  /** Number of published messages without acknowledgement. */
  get outstanding(): number {
    return this.#outgoing.size;
  }

  get settled(): boolean {
    return this.#outgoing.size === 0 && this.#unanswered.length === 0;
  }

  /** The broker crashed and restarted: packets that it sent last may come again without DUP. */
  moveTo(server: Server): void {
    this.lose();
    this.#server = server;
    this.#mayForgetDup = true;
  }

  connect(): void {
    if (this.#link !== undefined) return;
    const properties = this.#version === 5 ? { sessionExpiryInterval: 0xffffffff } : {};
    const fields = { version: this.#version, clean: false, properties } as const;
    this.#link = this.#server.connect(this.name, fields);
    for (const outgoing of this.#outgoing.values()) {
      if (outgoing.state === 'pubrel') this.#send(wire.ack('pubrel', outgoing.id));
      else this.#send(this.#publishBytes(outgoing, true));
    }
    this.#read();
  }

  lose(): void {
    // Sent and lost: it must come again with DUP.
    for (const { type, id } of this.#link?.inbox ?? []) {
      if (type === 'publish') this.#sentBefore.add(id);
    }
    this.#link?.lose();
    this.#link = undefined;
    // The broker sends unanswered packets again.
    this.#unanswered.length = 0;
  }

  subscribe(): void {
    this.connect();
    const id = this.#id();
    this.#send(wire.subscribe(this.#version, id, [{ filter: 'm/#', qos: 2 }]));
    this.#read();
  }

  /** To `m/{name}`, or retained to `r/{name}`, which has no subscribers. */
  publish(payload: string, qos: 1 | 2, retain = false): void {
    this.connect();
    const id = this.#id();
    const outgoing: Outgoing = { payload, qos, id, retain, state: 'publish' };
    this.#outgoing.set(id, outgoing);
    this.#send(this.#publishBytes(outgoing, false));
    if (this.#random() < 0.8) this.#read();
  }

  /** Answers some or all packets that wait. */
  answer(all: boolean): void {
    if (this.#link === undefined) return;
    this.#read();
    while (this.#unanswered.length > 0 && (all || this.#random() < 0.6)) {
      this.#reply(this.#unanswered.shift()!);
      this.#read();
    }
  }

  #reply(packet: wire.Packet): void {
    const { id } = packet;
    if (packet.type === 'pubrel') {
      this.#incoming.delete(id);
      this.#sentBefore.delete(id);
      this.#send(wire.ack('pubcomp', id));
    } else if (packet.qos === 1) {
      this.received.push(packet.payload);
      this.#sentBefore.delete(id);
      this.#send(wire.ack('puback', id));
    } else {
      if (!this.#incoming.has(id)) this.received.push(packet.payload);
      this.#incoming.add(id);
      this.#send(wire.ack('pubrec', id));
    }
  }

  #read(): void {
    const inbox = this.#link?.inbox ?? [];
    for (let packet = inbox.shift(); packet !== undefined; packet = inbox.shift()) {
      this.#handle(packet);
    }
  }

  #handle(packet: wire.Packet): void {
    switch (packet.type) {
      case 'publish':
        if (!this.#mayForgetDup) {
          assert.equal(
            packet.dup,
            this.#sentBefore.has(packet.id),
            'DUP marks a packet that was sent before',
          );
        }
        this.#sentBefore.add(packet.id);
        this.#unanswered.push(packet);
        break;
      case 'pubrel':
        this.#unanswered.push(packet);
        break;
      case 'suback':
        this.isSubscribed = true;
        break;
      case 'puback':
        if (packet.reason >= 0x80) this.#refuse(packet.id);
        this.#outgoing.delete(packet.id);
        break;
      case 'pubrec':
        if (packet.reason >= 0x80) {
          this.#refuse(packet.id);
          this.#outgoing.delete(packet.id);
          break;
        }
        this.#outgoing.get(packet.id)!.state = 'pubrel';
        this.#send(wire.ack('pubrel', packet.id));
        break;
      case 'pubcomp':
        this.#outgoing.delete(packet.id);
        break;
    }
  }

  #refuse(id: number): void {
    const { payload } = this.#outgoing.get(id)!;
    this.refused.add(payload);
  }

  #publishBytes({ id, payload, qos, retain }: Outgoing, dup: boolean): Buffer {
    const topic = `${retain ? 'r' : 'm'}/${this.name}`;
    return wire.publish(this.#version, { topic, payload, qos, id, dup, retain });
  }

  #id(): number {
    do this.#nextId = (this.#nextId % 65_535) + 1;
    while (this.#outgoing.has(this.#nextId));
    return this.#nextId;
  }

  #send(bytes: Buffer): void {
    this.#link?.send(bytes);
  }
}

/**
 * Throws unless the client received all of `published`, QoS 2 once, in the order of each sender.
 * Refused messages may have arrived.
 */
export function checkReceived(
  receiver: ModelClient,
  published: readonly Published[],
  refused: ReadonlySet<string> = new Set(),
): void {
  for (const sender of new Set(published.map(({ by }) => by))) {
    const wanted = published.filter(({ by }) => by === sender);
    const got = receiver.received.filter((payload) => payload.startsWith(`${sender}:`));
    const counts = new Map<string, number>();
    for (const payload of got) counts.set(payload, (counts.get(payload) ?? 0) + 1);
    for (const { payload, qos } of wanted) {
      const copies = counts.get(payload) ?? 0;
      if (refused.has(payload) && copies === 0) continue;
      if (qos === 2) assert.equal(copies, 1, `${payload} at ${receiver.name}: exactly once`);
      else assert.ok(copies >= 1, `${payload} at ${receiver.name}: at least once`);
    }
    for (const qos of ['q1', 'q2']) {
      const isTaken = (payload: string): boolean => payload.endsWith(qos) && !refused.has(payload);
      const order = firsts(got.filter(isTaken));
      const sent = wanted.map(({ payload }) => payload).filter(isTaken);
      assert.deepEqual(order, sent, `${qos} of ${sender} at ${receiver.name}: in order`);
    }
  }
}

/** The payload begins with the sender's name and a colon, and ends with q1 or q2. */
export interface Published {
  readonly payload: string;
  readonly qos: 1 | 2;
  readonly by: string;
}

function firsts(payloads: readonly string[]): string[] {
  return [...new Set(payloads)];
}
