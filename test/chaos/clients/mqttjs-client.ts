// A client of a run by MQTT.js. It connects again by itself, may move to another node, and loses its connection
// when the run wants it to.

import type { Duplex } from 'node:stream';
import mqtt, { type IClientOptions } from 'mqtt';
import type { History } from '../history.ts';
import { ClientRecord, payloadOf } from './client-record.ts';

export interface MqttJsOptions {
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

export class MqttJsClient {
  readonly id: string;
  node: string;
  readonly #options: MqttJsOptions;
  #mqtt: mqtt.MqttClient;
  /** Of earlier nodes, if their connections were left as they were. */
  readonly #former: mqtt.MqttClient[] = [];
  readonly #record: ClientRecord;
  #stream: Duplex | undefined;
  readonly #filters = new Set<string>();
  /** Called with the topic of each message. */
  onArrival: (topic: string) => void = () => undefined;

  constructor(options: MqttJsOptions) {
    this.id = options.id;
    this.node = options.node;
    this.#options = options;
    this.#record = new ClientRecord(options.id, options.history);
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
    client.on('message', (topic, payload, packet) => {
      this.#record.arrived(this.node, topic, payload.toString(), packet);
      this.onArrival(topic);
    });
    // MQTT.js subscribes again by itself where its node has forgotten the session, and subscribe() does nothing then.
    if (hasSession) {
      client.on('packetreceive', ({ cmd }) => {
        if (cmd !== 'suback') return;
        for (const filter of this.#filters) this.#record.subscribed(this.node, filter);
      });
    }
    return client;
  }

  get isConnected(): boolean {
    return this.#mqtt.connected;
  }

  /** Resolves with the first SUBACK, however often the connection is lost before. */
  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    this.#filters.add(filter);
    await this.untilConnected();
    const granted = await this.#mqtt.subscribeAsync(filter, { qos }).catch(() => undefined);
    if (granted === undefined) await this.subscribe(filter, qos);
    else this.#record.subscribed(this.node, filter);
  }

  async untilConnected(): Promise<void> {
    if (this.#mqtt.connected) return;
    await new Promise<void>((done) => this.#mqtt.once('connect', () => done()));
  }

  /** Its node serves the connection that it has now: a node may have ended it without the client's knowledge. */
  async untilAnswered(): Promise<void> {
    await this.untilConnected();
    await this.#mqtt.publishAsync(`alive/${this.id}`, '', { qos: 1 });
  }

  /** Publishes the next message of this topic. MQTT.js sends it again until it is acknowledged. */
  publish(topic: string, qos: 0 | 1 | 2, { retain = false, bytes = 0 } = {}): void {
    const id = this.#record.published(this.node, topic, qos, retain);
    this.#mqtt.publish(topic, payloadOf(id, bytes), { qos, retain }, (error) => {
      if (!error && qos > 0) this.#record.acknowledged(id);
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
}
