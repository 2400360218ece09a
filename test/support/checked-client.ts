// An MQTT client that knows the bytes of every message of its exchange: it publishes, subscribes, stalls and loses
// its connection at random, and compares each PUBLISH that it receives with what was published.
// Invariant: between two connections it keeps its Session State, as MQTT 5.0 4.1 asks of a client.

import assert from 'node:assert/strict';
import { connect as dial } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as dialTls } from 'node:tls';
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet';
import { createWebSocketStream, WebSocket } from 'ws';
import type { Random } from './random.ts';

type QoS = 0 | 1 | 2;
const ID_BYTES = 8;
/** Unacknowledged messages of one publisher. */
const UNACKNOWLEDGED_MAX = 20;
const FILL = Buffer.from(Array.from({ length: 65_536 }, (_, at) => (at * 31 + (at >> 7)) & 0xff));

export interface Ports {
  readonly tcp: number;
  readonly tls: number;
  readonly ws: number;
}

export interface Published {
  readonly key: string;
  readonly topic: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly payload: Buffer;
  /** Of an MQTT 5 publisher: a User Property and a Message Expiry Interval. */
  readonly note: string | undefined;
  readonly expires: boolean;
}

/** What all clients of an exchange share. */
export interface Exchange {
  readonly ports: Ports;
  readonly topics: readonly string[];
  readonly random: Random;
  readonly sent: Map<string, Published>;
  /** The first difference ends the exchange. */
  readonly fail: (error: Error) => void;
}

interface Subscription {
  readonly qos: QoS;
  readonly identifier: number | undefined;
  readonly asPublished: boolean;
}

/** The first bytes name the message; the others follow from them. */
function payloadOf(client: number, number: number, bytes: number): Buffer {
  const payload = Buffer.alloc(Math.max(bytes, ID_BYTES));
  payload.writeUInt16BE(client, 0);
  payload.writeUInt32BE(number, 2);
  for (let at = ID_BYTES; at < payload.length; ) {
    const from = (number * 977 + client * 131) % 32_768;
    at += FILL.copy(payload, at, from, from + 32_768);
  }
  return payload;
}

export class CheckedClient {
  readonly subscriptions = new Map<string, Subscription>();
  readonly version: 4 | 5;
  /** Messages received, by key, with the number of times. */
  readonly received = new Map<string, number>();
  readonly #number: number;
  readonly #exchange: Exchange;
  readonly #transport: keyof Ports;
  readonly #receiveMaximum: number;
  readonly #aliasMaximum: number;
  #stream: Duplex | undefined;
  #connections = 0;
  #lastNumber = 0;
  #lastPacketId = 0;
  /** Own messages without PUBACK or PUBCOMP, by Packet Identifier. */
  readonly #unacknowledged = new Map<number, { packet: IPublishPacket; isReleased: boolean }>();
  /** Messages of the broker that this connection has not answered. */
  readonly #open = new Set<number>();
  /** The message that came last with a Packet Identifier, on any connection. */
  readonly #lastOfId = new Map<number, string>();
  /** QoS 2 messages without PUBREL: a repetition is not another delivery. */
  readonly #unreleased = new Set<number>();
  readonly #aliases = new Map<number, string>();
  #subscribed: (() => void) | undefined;

  constructor(number: number, exchange: Exchange) {
    const { random, topics } = exchange;
    this.#number = number;
    this.#exchange = exchange;
    this.version = random() < 0.5 ? 4 : 5;
    this.#transport = (['tcp', 'tcp', 'tls', 'ws'] as const)[Math.floor(random() * 4)]!;
    this.#receiveMaximum = 1 + Math.floor(random() ** 2 * 40);
    this.#aliasMaximum = random() < 0.25 ? 3 : 0;
    for (const topic of topics) {
      if (random() < 0.3) continue;
      const isFive = this.version === 5;
      this.subscriptions.set(topic, {
        qos: Math.floor(random() * 3) as QoS,
        identifier: isFive && random() < 0.25 ? 1 + Math.floor(random() * 300) : undefined,
        asPublished: isFive && random() < 0.5,
      });
    }
  }

  get isSettled(): boolean {
    return this.#unacknowledged.size === 0 && this.#stream !== undefined;
  }

  get name(): string {
    return `client ${this.#number} (${this.#transport}, MQTT ${this.version})`;
  }

  async connect(): Promise<void> {
    this.#connections += 1;
    this.#open.clear();
    this.#aliases.clear();
    const stream = await this.#dial();
    const parser = mqttPacket.parser({ protocolVersion: this.version });
    this.#stream = stream;
    const connected = new Promise<void>((resolve, reject) => {
      parser.on('packet', (packet) => {
        if (this.#stream !== stream) return;
        if (packet.cmd === 'connack') resolve();
        else this.#checked(() => this.#take(packet));
      });
      stream.on('close', () => reject(new Error(`${this.name}: the connection has ended`)));
    });
    parser.on('error', (error) => this.#exchange.fail(error));
    stream.on('data', (chunk: Buffer) => {
      if (this.#stream === stream) parser.parse(chunk);
    });
    stream.on('close', () => {
      if (this.#stream === stream)
        this.#exchange.fail(new Error(`${this.name}: closed by the broker`));
    });
    this.#send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.version,
      clientId: `checked-${this.#number}`,
      clean: false,
      keepalive: 0,
      ...(this.version === 5 && {
        properties: {
          sessionExpiryInterval: 600,
          receiveMaximum: this.#receiveMaximum,
          topicAliasMaximum: this.#aliasMaximum,
        },
      }),
    });
    await connected;
    for (const [messageId, { packet, isReleased }] of this.#unacknowledged) {
      if (isReleased) this.#send({ cmd: 'pubrel', messageId });
      else this.#send({ ...packet, dup: true });
    }
  }

  async subscribe(): Promise<void> {
    let missing = this.subscriptions.size;
    const done = new Promise<void>((resolve) => {
      this.#subscribed = () => {
        missing -= 1;
        if (missing === 0) resolve();
      };
    });
    for (const [topic, { qos, identifier, asPublished }] of this.subscriptions) {
      this.#send({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [{ topic, qos, rap: asPublished, nl: false, rh: 2 }],
        ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
      });
    }
    if (this.subscriptions.size > 0) await done;
  }

  /** Publishes some messages in one write, or in pieces. */
  publish(count: number, bytesMax: number): void {
    const { random, topics, sent } = this.#exchange;
    const packets: Buffer[] = [];
    for (let i = 0; i < count && this.#unacknowledged.size < UNACKNOWLEDGED_MAX; i++) {
      const number = ++this.#lastNumber;
      const isFive = this.version === 5;
      const message: Published = {
        key: `${this.#number}:${number}`,
        topic: topics[Math.floor(random() * topics.length)]!,
        qos: ([0, 1, 1, 1, 2] as const)[Math.floor(random() * 5)]!,
        retain: random() < 0.1,
        payload: payloadOf(this.#number, number, Math.floor(bytesMax ** random())),
        note: isFive && random() < 0.3 ? `note ${number}` : undefined,
        expires: isFive && random() < 0.1,
      };
      sent.set(message.key, message);
      packets.push(this.#packetOf(message));
    }
    const bytes = Buffer.concat(packets);
    for (let from = 0; from < bytes.length; ) {
      const to =
        random() < 0.6 ? bytes.length : from + 1 + Math.floor(random() * (bytes.length - from));
      this.#stream?.write(bytes.subarray(from, to));
      from = to;
    }
  }

  /** Reads nothing for a while, so that the broker's bytes wait in buffers. */
  async stall(ms: number): Promise<void> {
    this.#stream?.pause();
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#stream?.resume();
  }

  /** Ends the connection without a DISCONNECT, with bytes under way. */
  lose(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.destroy();
  }

  async #dial(): Promise<Duplex> {
    const { ports } = this.#exchange;
    const port = ports[this.#transport];
    const host = '127.0.0.1';
    let stream: Duplex;
    let ready = 'connect';
    if (this.#transport === 'tcp') stream = dial({ port, host, noDelay: true });
    else if (this.#transport === 'tls') {
      stream = dialTls({ port, host, rejectUnauthorized: false });
      ready = 'secureConnect';
    } else {
      const webSocket = new WebSocket(`ws://${host}:${port}/mqtt`, 'mqtt');
      stream = createWebSocketStream(webSocket);
      stream.on('error', () => undefined);
      await new Promise((resolve, reject) => {
        webSocket.once('open', resolve);
        webSocket.once('error', reject);
      });
      return stream;
    }
    await new Promise((resolve, reject) => {
      stream.once(ready, resolve);
      stream.once('error', reject);
    });
    // 'close' follows.
    stream.on('error', () => undefined);
    return stream;
  }

  #send(packet: Packet): void {
    this.#stream?.write(mqttPacket.generate(packet, { protocolVersion: this.version }));
  }

  #packetOf({ topic, qos, retain, payload, note, expires }: Published): Buffer {
    const packet: IPublishPacket = {
      cmd: 'publish',
      topic,
      qos,
      retain,
      dup: false,
      payload,
      ...(qos > 0 && { messageId: this.#freeId() }),
      ...(this.version === 5 && {
        properties: {
          ...(note !== undefined && { userProperties: { note } }),
          ...(expires && { messageExpiryInterval: 3600 }),
        },
      }),
    };
    if (qos > 0) this.#unacknowledged.set(packet.messageId!, { packet, isReleased: false });
    return mqttPacket.generate(packet, { protocolVersion: this.version });
  }

  #freeId(): number {
    do this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    while (this.#unacknowledged.has(this.#lastPacketId));
    return this.#lastPacketId;
  }

  #checked(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#exchange.fail(error as Error);
    }
  }

  #take(packet: Packet): void {
    const messageId = packet.messageId ?? 0;
    switch (packet.cmd) {
      case 'publish':
        this.#takeMessage(packet);
        break;
      case 'suback':
        this.#subscribed?.();
        break;
      case 'puback':
      case 'pubcomp':
        assert.ok(this.#unacknowledged.delete(messageId), `${this.name}: ${packet.cmd} of none`);
        break;
      case 'pubrec': {
        const own = this.#unacknowledged.get(messageId);
        assert.ok(own, `${this.name}: PUBREC of none`);
        own.isReleased = true;
        this.#send({ cmd: 'pubrel', messageId });
        break;
      }
      case 'pubrel':
        this.#unreleased.delete(messageId);
        this.#open.delete(messageId);
        this.#send({ cmd: 'pubcomp', messageId });
        break;
      default:
        assert.fail(`${this.name}: ${JSON.stringify(packet)}`);
    }
  }

  #takeMessage(packet: IPublishPacket): void {
    const payload = packet.payload as Buffer;
    const where = `${this.name}: ${packet.topic}, QoS ${packet.qos}, id ${packet.messageId}, ${payload.length} bytes`;
    assert.ok(payload.length >= ID_BYTES, where);
    const key = `${payload.readUInt16BE(0)}:${payload.readUInt32BE(2)}`;
    const message = this.#exchange.sent.get(key);
    assert.ok(message, `${where}: an unknown message ${key}`);
    assert.ok(message.payload.equals(payload), `${where}: the payload of ${key} is another`);
    this.#checkHead(packet, message, `${where}, message ${key}`);
    if (packet.qos === 0) {
      assert.ok(!packet.dup, where);
      this.#count(key);
    } else this.#answer(packet, key, where);
  }

  #checkHead(packet: IPublishPacket, message: Published, where: string): void {
    const { properties } = packet;
    const alias = properties?.topicAlias ?? 0;
    if (alias > 0 && packet.topic !== '') this.#aliases.set(alias, packet.topic);
    const topic = packet.topic === '' ? this.#aliases.get(alias) : packet.topic;
    assert.equal(topic, message.topic, where);
    const subscription = this.subscriptions.get(message.topic);
    assert.ok(subscription, `${where}: no subscription`);
    assert.equal(packet.qos, Math.min(message.qos, subscription.qos), where);
    assert.equal(packet.retain, message.retain && subscription.asPublished, where);
    if (this.version !== 5) return;
    assert.equal(properties?.subscriptionIdentifier, subscription.identifier, where);
    assert.equal(properties?.userProperties?.note, message.note, where);
    assert.equal(properties?.messageExpiryInterval !== undefined, message.expires, where);
  }

  #answer({ messageId = 0, dup, qos }: IPublishPacket, key: string, where: string): void {
    assert.ok(!this.#open.has(messageId), `${where}: its Packet Identifier is in use`);
    assert.ok(!dup || this.#connections > 1, `${where}: DUP on the first connection`);
    const last = this.#lastOfId.get(messageId);
    if (dup && last !== undefined)
      assert.equal(key, last, `${where}: a repetition of another message`);
    this.#lastOfId.set(messageId, key);
    this.#open.add(messageId);
    const isRepeated = this.#unreleased.has(messageId);
    assert.ok(!isRepeated || dup, `${where}: its QoS 2 exchange is not over`);
    if (!isRepeated) this.#count(key);
    if (qos === 2) this.#unreleased.add(messageId);
    const stream = this.#stream;
    const answer = (): void => {
      if (this.#stream !== stream) return;
      if (qos === 1) this.#open.delete(messageId);
      this.#send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId });
    };
    if (this.#exchange.random() < 0.7) answer();
    else setTimeout(answer, this.#exchange.random() * 10);
  }

  #count(key: string): void {
    this.received.set(key, (this.received.get(key) ?? 0) + 1);
  }
}
