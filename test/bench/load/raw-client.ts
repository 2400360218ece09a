// An MQTT 3.1.1 client for benchmarks: raw sockets, packets encoded once, incoming ones counted by
// their fixed size. It does as little as possible for each message, so that the broker is what is
// measured.

import { connect, type Socket } from 'node:net';

export interface LoadTarget {
  readonly host: string;
  readonly port: number;
}

/** Called with each whole packet's place; PUBLISH packets of one subscription all have one size. */
export type PacketHandler = (buffer: Buffer, start: number, end: number) => void;

function utf8(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

export function packet(first: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  let rest = body.length;
  do {
    const more = rest > 127 ? 0x80 : 0;
    length.push((rest & 0x7f) | more);
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([first, ...length]), body]);
}

export function connectPacket(clientId: string, keepSession = false): Buffer {
  const flags = keepSession ? 0 : 2;
  return packet(0x10, utf8('MQTT'), Buffer.from([4, flags, 0, 0]), utf8(clientId));
}

export function publishPacket(topic: string, qos: number, payload: Buffer): Buffer {
  const id = qos === 0 ? Buffer.alloc(0) : Buffer.from([0, 1]);
  return packet(0x30 | (qos << 1), utf8(topic), id, payload);
}

function subscribePacket(filters: readonly string[], qos: number): Buffer {
  const parts = filters.flatMap((filter) => [utf8(filter), Buffer.from([qos])]);
  return packet(0x82, Buffer.from([0, 1]), ...parts);
}

export class RawClient {
  readonly socket: Socket;
  #rest: Buffer | undefined;
  #handler: PacketHandler = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Connects and waits for CONNACK. */
  static open(target: LoadTarget, clientId: string, keepSession = false): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: target.host, port: target.port, noDelay: true });
      const client = new RawClient(socket);
      socket.on('error', reject);
      socket.on('connect', () => socket.write(connectPacket(clientId, keepSession)));
      client.onPacket((buffer, start) => {
        if (buffer[start] !== 0x20 || buffer[start + 3] !== 0) reject(new Error('refused'));
        else resolve(client);
      });
      socket.on('data', (chunk: Buffer) => client.#receive(chunk));
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
      this.socket.write(subscribePacket(filters, qos));
    });
  }

  #receive(chunk: Buffer): void {
    let buffer = chunk;
    if (this.#rest !== undefined) {
      buffer = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    let position = 0;
    const handler = this.#handler;
    while (position + 2 <= buffer.length) {
      let length = buffer[position + 1]!;
      let head = 2;
      if (length > 127) {
        if (position + 3 > buffer.length) break;
        // Benchmarks stay below 16 KB.
        length = (length & 0x7f) | (buffer[position + 2]! << 7);
        head = 3;
      }
      const end = position + head + length;
      if (end > buffer.length) break;
      handler(buffer, position, end);
      position = end;
    }
    if (position < buffer.length) this.#rest = buffer.subarray(position);
  }
}
