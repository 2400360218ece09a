// An MQTT 3.1.1 client for benchmarks: a bare connection with packets that are encoded once. Divides the
// received bytes into packets until a load takes the raw bytes (`connection.onBytes`).

import { type Connection, openConnection, type Target } from './handle.ts';
import { connectPacket, subscribePacket } from './packets.ts';

/** Called with the position of each whole packet. */
export type PacketHandler = (buffer: Buffer, start: number, end: number) => void;

export class RawClient {
  readonly connection: Connection;
  #rest: Buffer | undefined;
  #handler: PacketHandler = () => undefined;

  private constructor(connection: Connection) {
    this.connection = connection;
    connection.onBytes = (bytes, length) => this.#receive(bytes, length);
  }

  /** Connects and waits for CONNACK. */
  static async open(target: Target, clientId: string, keepSession = false): Promise<RawClient> {
    const connection = await openConnection(target);
    const client = new RawClient(connection);
    return new Promise((resolve, reject) => {
      connection.onEnd = () => reject(new Error(`the broker closed ${clientId}`));
      client.onPacket((buffer, start) => {
        if (buffer[start] !== 0x20 || buffer[start + 3] !== 0) reject(new Error('refused'));
        else resolve(client);
      });
      connection.write(connectPacket(clientId, keepSession));
    });
  }

  onPacket(handler: PacketHandler): void {
    this.#handler = handler;
  }

  /** Subscribes and waits for SUBACK. */
  subscribe(filters: readonly string[], qos: number): Promise<void> {
    return new Promise((resolve) => {
      this.onPacket((buffer, start) => {
        if (buffer[start] === 0x90) resolve();
      });
      this.connection.write(subscribePacket(filters, qos));
    });
  }

  #receive(bytes: Buffer, count: number): void {
    let buffer = bytes.subarray(0, count);
    if (this.#rest !== undefined) {
      buffer = Buffer.concat([this.#rest, buffer]);
      this.#rest = undefined;
    }
    let position = 0;
    const handler = this.#handler;
    while (position + 2 <= buffer.length) {
      let length = buffer[position + 1]!;
      let head = 2;
      if (length > 127) {
        if (position + 3 > buffer.length) break;
        // Packets of a benchmark are shorter than 16 KB.
        length = (length & 0x7f) | (buffer[position + 2]! << 7);
        head = 3;
      }
      const end = position + head + length;
      if (end > buffer.length) break;
      handler(buffer, position, end);
      position = end;
    }
    if (position < buffer.length) this.#rest = Buffer.from(buffer.subarray(position));
  }
}
