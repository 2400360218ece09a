// An MQTT.js client that remembers what arrived and can be waited on. Knows no node: it is given
// streams. Invariant: nothing is waited for without a limit.

import type { Duplex } from 'node:stream';
import mqtt, { type IClientOptions, type IClientPublishOptions, type IPublishPacket } from 'mqtt';

const WAIT_MS_MAX = 60_000;

export interface Arrival {
  readonly topic: string;
  readonly text: string;
  readonly packet: IPublishPacket;
}

export class TestClient {
  readonly mqtt: mqtt.MqttClient;
  readonly arrivals: Arrival[] = [];
  /** Of the last CONNACK. */
  sessionPresent = false;
  readonly #watchers = new Set<() => void>();
  readonly #stream: () => Duplex | undefined;

  private constructor(dial: () => Duplex, options: IClientOptions) {
    let last: Duplex | undefined;
    this.#stream = () => last;
    const build = (): Duplex => {
      last = dial();
      return last;
    };
    // The types require its own stream class; at run time any stream works.
    this.mqtt = new mqtt.MqttClient(build as never, {
      reconnectPeriod: 0,
      protocolVersion: 5,
      ...options,
    });
    this.mqtt.on('connect', (packet) => {
      this.sessionPresent = packet.sessionPresent;
    });
    // The promises of the calls report errors.
    this.mqtt.on('error', () => undefined);
    this.mqtt.on('message', (topic, payload, packet) => {
      this.arrivals.push({ topic, text: payload.toString(), packet });
      for (const look of [...this.#watchers]) look();
    });
  }

  static async connect(dial: () => Duplex, options: IClientOptions = {}): Promise<TestClient> {
    const client = new TestClient(dial, options);
    await client.connected();
    return client;
  }

  /**
   * Resolves at the next CONNACK.
   * @param retrying a connection that ends before it is not the end: the client tries again
   */
  connected({ retrying = false, msMax = WAIT_MS_MAX } = {}): Promise<void> {
    return new Promise((done, fail) => {
      const end = (): void => {
        clearTimeout(timer);
        this.mqtt.off('connect', succeed).off('error', failed).off('close', closed);
      };
      const succeed = (): void => {
        end();
        done();
      };
      const failed = (error: Error): void => {
        end();
        fail(error);
      };
      const closed = (): void => failed(new Error('closed before CONNACK'));
      const timer = setTimeout(() => failed(new Error(`no CONNACK within ${msMax} ms`)), msMax);
      this.mqtt.on('connect', succeed);
      if (!retrying) this.mqtt.on('error', failed).on('close', closed);
    });
  }

  async subscribe(filter: string | string[], qos: 0 | 1 | 2 = 0): Promise<void> {
    await this.mqtt.subscribeAsync(filter, { qos });
  }

  async publish(
    topic: string,
    payload: string | Buffer,
    options: IClientPublishOptions = {},
  ): Promise<void> {
    await this.mqtt.publishAsync(topic, payload, options);
  }

  on(topic: string): readonly Arrival[] {
    return this.arrivals.filter((arrival) => arrival.topic === topic);
  }

  texts(topic: string): string[] {
    return this.on(topic).map((arrival) => arrival.text);
  }

  /** The first arrival that fits, before or after the call. */
  async arrival(
    topic: string,
    fits: (arrival: Arrival) => boolean = () => true,
    msMax = WAIT_MS_MAX,
  ): Promise<Arrival> {
    const find = () => this.on(topic).find(fits);
    await this.until(() => find() !== undefined, `a message on ${topic}`, msMax);
    const found = find();
    if (found === undefined) throw new Error('unreachable');
    return found;
  }

  /** Waits until `holds`, asked at each arrival. */
  until(holds: () => boolean, what: string, msMax = WAIT_MS_MAX): Promise<void> {
    return new Promise((done, fail) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const look = (): void => {
        if (!holds()) return;
        end();
        done();
      };
      const timer = setTimeout(() => {
        end();
        const seen = this.arrivals.map(({ topic, text }) => `${topic} ${text.slice(0, 60)}\n`);
        fail(new Error(`${what}: not within ${msMax} ms; arrived:\n${seen.slice(-50).join('')}`));
      }, msMax);
      this.#watchers.add(look);
      look();
    });
  }

  /** The connection breaks without a DISCONNECT. */
  async cut(): Promise<void> {
    const closed = new Promise<void>((done) => this.mqtt.once('close', () => done()));
    this.#stream()?.destroy();
    await closed;
  }

  async reconnect(): Promise<void> {
    const connected = this.connected();
    this.mqtt.reconnect();
    await connected;
  }

  async end(): Promise<void> {
    await this.mqtt.endAsync(true);
  }
}
