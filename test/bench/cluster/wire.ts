// The MQTT that a load generator needs, written for speed. It trusts the broker and checks nothing.

export function connectPacket(clientId: string, version: 4 | 5): Buffer {
  const id = Buffer.from(clientId);
  const head = [0, 4, 0x4d, 0x51, 0x54, 0x54, version, 2, 0, 0, ...(version === 5 ? [0] : [])];
  return Buffer.concat([
    Buffer.from([0x10, head.length + 2 + id.length, ...head, 0, id.length]),
    id,
  ]);
}

export function subscribePacket(filter: string, qos: 0 | 1, version: 4 | 5): Buffer {
  const name = Buffer.from(filter);
  const head = [0, 1, ...(version === 5 ? [0] : []), 0, name.length];
  return Buffer.concat([
    Buffer.from([0x82, head.length + name.length + 1, ...head]),
    name,
    Buffer.from([qos]),
  ]);
}

/** A PUBLISH that is copied many times, with the offsets of the fields that change. */
export interface Template {
  readonly packet: Buffer;
  /** 0 at QoS 0. */
  readonly packetIdAt: number;
  readonly payloadAt: number;
}

export function publishTemplate(
  topic: string,
  payloadBytes: number,
  qos: 0 | 1,
  version: 4 | 5,
): Template {
  const name = Buffer.from(topic);
  const remaining = 2 + name.length + 2 * qos + (version === 5 ? 1 : 0) + payloadBytes;
  const length = remaining < 128 ? [remaining] : [(remaining & 127) | 128, remaining >> 7];
  const packet = Buffer.alloc(1 + length.length + remaining, 0x78);
  packet[0] = 0x30 | (qos << 1);
  packet.set(length, 1);
  let at = packet.writeUInt16BE(name.length, 1 + length.length);
  at += name.copy(packet, at);
  const packetIdAt = qos === 0 ? 0 : at;
  at += 2 * qos;
  if (version === 5) packet[at++] = 0;
  return { packet, packetIdAt, payloadAt: at };
}

export interface Handlers {
  onConnack(): void;
  onSuback(): void;
  onPublish(buffer: Buffer, payloadAt: number, packetIdAt: number): void;
}

/** Divides a stream of bytes into packets. */
export class Scanner {
  readonly #version: 4 | 5;
  readonly #handlers: Handlers;
  #rest: Buffer | undefined;

  constructor(version: 4 | 5, handlers: Handlers) {
    this.#version = version;
    this.#handlers = handlers;
  }

  push(chunk: Buffer): void {
    const buffer = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let position = 0;
    while (position + 2 <= buffer.length) {
      let remaining = 0;
      let at = position + 1;
      let shift = 0;
      let byte = 0x80;
      while (byte >= 0x80 && at < buffer.length) {
        byte = buffer[at++]!;
        remaining |= (byte & 0x7f) << shift;
        shift += 7;
      }
      const end = at + remaining;
      if (byte >= 0x80 || end > buffer.length) break;
      this.#take(buffer, buffer[position]!, at);
      position = end;
    }
    this.#rest = position < buffer.length ? buffer.subarray(position) : undefined;
  }

  #take(buffer: Buffer, first: number, at: number): void {
    const type = first >> 4;
    if (type === 3) {
      let position = at + 2 + ((buffer[at]! << 8) | buffer[at + 1]!);
      const packetIdAt = (first & 0x06) === 0 ? 0 : position;
      if (packetIdAt > 0) position += 2;
      // The properties in this benchmark are shorter than 128 bytes.
      if (this.#version === 5) position += 1 + buffer[position]!;
      this.#handlers.onPublish(buffer, position, packetIdAt);
    } else if (type === 2) {
      if (buffer[at + 1] !== 0) throw new Error(`CONNACK ${buffer[at + 1]}`);
      this.#handlers.onConnack();
    } else if (type === 9) {
      this.#handlers.onSuback();
    }
  }
}
