// An MQTT.js client of a run. It connects again by itself, publishes numbered messages, and writes what
// it sends, what is acknowledged and what arrives into the history.

import type { Duplex } from 'node:stream';
import mqtt, { type IClientOptions } from 'mqtt';
import type { History, MessageId } from './history.ts';

export interface ChaosClientOptions {
  readonly id: string;
  readonly history: History;
  readonly dial: (node: string) => Duplex;
  readonly node: string;
  /** The session outlives connections. */
  readonly hasSession?: boolean;
  readonly hasWill?: boolean;
}

const RECONNECT_MS = 300;
const SESSION_SECONDS = 3600;

export class ChaosClient {
  readonly id: string;
  node: string;
  readonly #options: ChaosClientOptions;
  #mqtt: mqtt.MqttClient;
  /** Of earlier nodes, if their connections were left as they were. */
  readonly #former: mqtt.MqttClient[] = [];
  readonly #numbers = new Map<string, number>();
  #connection = 0;
  #stream: Duplex | undefined;

  constructor(options: ChaosClientOptions) {
    this.id = options.id;
    this.node = options.node;
    this.#options = options;
    this.#mqtt = this.#connect();
  }

  #connect(): mqtt.MqttClient {
    const { id, hasSession = false, hasWill = false } = this.#options;
    const settings: IClientOptions = {
      clientId: id,
      protocolVersion: 5,
      clean: !hasSession,
      reconnectPeriod: RECONNECT_MS,
      connectTimeout: 5000,
      keepalive: 10,
      ...(hasSession && { properties: { sessionExpiryInterval: SESSION_SECONDS } }),
      ...(hasWill && { will: { topic: `will/${id}`, payload: Buffer.from(id), qos: 1 } }),
    };
    // The types require its own stream class; at run time any stream works.
    const build = (): Duplex => {
      this.#stream = this.#options.dial(this.node);
      return this.#stream;
    };
    const client = new mqtt.MqttClient(build as never, settings);
    client.on('error', () => undefined);
    client.on('connect', () => {
      this.#connection += 1;
    });
    client.on('message', (topic, payload, packet) => this.#arrived(topic, payload, packet));
    return client;
  }

  get isConnected(): boolean {
    return this.#mqtt.connected;
  }

  /** Resolves with the first SUBACK, however often the connection is lost before. */
  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    await this.untilConnected();
    await this.#mqtt.subscribeAsync(filter, { qos }).catch(() => this.subscribe(filter, qos));
  }

  async untilConnected(): Promise<void> {
    if (this.#mqtt.connected) return;
    await new Promise<void>((done) => this.#mqtt.once('connect', () => done()));
  }

  /** Publishes the next message of this topic. MQTT.js sends it again until it is acknowledged. */
  publish(topic: string, qos: 0 | 1 | 2, retain = false): void {
    const number = (this.#numbers.get(topic) ?? -1) + 1;
    this.#numbers.set(topic, number);
    const id: MessageId = { publisher: this.id, topic, number };
    const { history } = this.#options;
    history.add({ kind: 'publish', node: this.node, qos, retain, ...id });
    this.#mqtt.publish(topic, `${this.id} ${number}`, { qos, retain }, (error) => {
      if (!error && qos > 0) history.add({ kind: 'acknowledged', ...id });
    });
  }

  /**
   * Connects to another node from now on.
   * @param leavesConnection the old connection is left as it is, for the node to end
   */
  moveTo(node: string, leavesConnection: boolean): void {
    this.node = node;
    if (!leavesConnection) {
      this.cut();
      return;
    }
    this.#mqtt.options.reconnectPeriod = 0;
    this.#former.push(this.#mqtt);
    this.#mqtt = this.#connect();
  }

  /** The connection breaks, perhaps while the last messages are under way. */
  cutAfter(ms: number): void {
    setTimeout(() => this.cut(), ms);
  }

  /** The connection breaks without a DISCONNECT. */
  cut(): void {
    this.#stream?.destroy();
  }

  /** The connection breaks, and the client comes back after some time. */
  rest(ms: number): void {
    this.#mqtt.options.reconnectPeriod = ms;
    this.#mqtt.once('connect', () => {
      this.#mqtt.options.reconnectPeriod = RECONNECT_MS;
    });
    this.cut();
  }

  /** The connection breaks, and the client does not come back. */
  die(): void {
    this.#mqtt.options.reconnectPeriod = 0;
    this.#options.history.add({ kind: 'died', client: this.id });
    this.cut();
  }

  async end(): Promise<void> {
    const all = [this.#mqtt, ...this.#former];
    await Promise.all(all.map((one) => one.endAsync(true).catch(() => undefined)));
  }

  #arrived(topic: string, payload: Buffer, packet: mqtt.IPublishPacket): void {
    const { history } = this.#options;
    const [publisher = '', number = ''] = payload.toString().split(' ');
    if (topic.startsWith('will/')) {
      history.add({ kind: 'will', client: this.id, node: this.node, of: publisher });
      return;
    }
    history.add({
      kind: 'delivery',
      client: this.id,
      node: this.node,
      connection: this.#connection,
      publisher,
      topic,
      number: Number(number),
      dup: packet.dup,
      retain: packet.retain,
    });
  }
}
