// The MQTT 3.1.1 packets that a load generator sends, encoded once and sent many times.

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

export function subscribePacket(filters: readonly string[], qos: number): Buffer {
  const parts = filters.flatMap((filter) => [utf8(filter), Buffer.from([qos])]);
  return packet(0x82, Buffer.from([0, 1]), ...parts);
}

export const DISCONNECT = Buffer.from([0xe0, 0]);
