// An MQTT encoder and decoder for tests, for 3.1, 3.1.1 and 5.0. It must not import the codec of the
// broker, which would hide that codec's faults. The encoder also writes packets that no client should
// send; the decoder throws on every packet that a server must not send.
// Source: MQTT 5.0 and 3.1.1, chapters 2 and 3.

export type Version = 3 | 4 | 5;
type PropertyKind = 'byte' | 'two' | 'four' | 'varint' | 'string' | 'binary' | 'pair';

const PROPERTIES: Record<string, [number, PropertyKind]> = {
  payloadFormatIndicator: [0x01, 'byte'],
  messageExpiryInterval: [0x02, 'four'],
  contentType: [0x03, 'string'],
  responseTopic: [0x08, 'string'],
  correlationData: [0x09, 'binary'],
  subscriptionIdentifier: [0x0b, 'varint'],
  sessionExpiryInterval: [0x11, 'four'],
  assignedClientIdentifier: [0x12, 'string'],
  serverKeepAlive: [0x13, 'two'],
  authenticationMethod: [0x15, 'string'],
  authenticationData: [0x16, 'binary'],
  requestProblemInformation: [0x17, 'byte'],
  willDelayInterval: [0x18, 'four'],
  requestResponseInformation: [0x19, 'byte'],
  responseInformation: [0x1a, 'string'],
  serverReference: [0x1c, 'string'],
  reasonString: [0x1f, 'string'],
  receiveMaximum: [0x21, 'two'],
  topicAliasMaximum: [0x22, 'two'],
  topicAlias: [0x23, 'two'],
  maximumQoS: [0x24, 'byte'],
  retainAvailable: [0x25, 'byte'],
  userProperty: [0x26, 'pair'],
  maximumPacketSize: [0x27, 'four'],
  wildcardSubscriptionAvailable: [0x28, 'byte'],
  subscriptionIdentifierAvailable: [0x29, 'byte'],
  sharedSubscriptionAvailable: [0x2a, 'byte'],
};
const PROPERTY_NAMES = new Map(
  Object.entries(PROPERTIES).map(([name, [id, kind]]) => [id, [name, kind] as const]),
);

/** A list in userProperty and subscriptionIdentifier is one value; elsewhere it repeats the property. */
export type PropertyValue = number | string | Buffer | [string, string][] | number[];
export type Properties = Record<string, PropertyValue>;

export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit | 128 : digit);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** A length-prefixed string, or bytes that only claim to be one. */
export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([u16(bytes.length), bytes]);
}

function encodeProperty(name: string, value: PropertyValue): Buffer {
  const entry = PROPERTIES[name];
  if (!entry) throw new Error(`no property ${name}`);
  const [id, kind] = entry;
  if (Array.isArray(value)) {
    return Buffer.concat(
      value.map((item) =>
        Array.isArray(item)
          ? Buffer.concat([Buffer.from([id]), text(item[0]), text(item[1])])
          : encodeProperty(name, item),
      ),
    );
  }
  if (typeof value !== 'number') return Buffer.concat([Buffer.from([id]), text(value)]);
  if (kind === 'byte') return Buffer.from([id, value]);
  if (kind === 'two') return Buffer.concat([Buffer.from([id]), u16(value)]);
  if (kind === 'varint') return Buffer.concat([Buffer.from([id]), varint(value)]);
  const bytes = Buffer.from([id, 0, 0, 0, 0]);
  bytes.writeUInt32BE(value, 1);
  return bytes;
}

/** The property block with its length; nothing before MQTT 5. */
export function properties(version: Version, values: Properties = {}): Buffer {
  if (version !== 5) return Buffer.alloc(0);
  const body = Buffer.concat(Object.entries(values).map(([name, v]) => encodeProperty(name, v)));
  return Buffer.concat([varint(body.length), body]);
}

/** Any packet from its first byte and the parts of its body. */
export function packet(firstByte: number, ...parts: (Buffer | number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([firstByte]), varint(body.length), body]);
}

export interface WillFields {
  topic: string | Buffer;
  payload?: string | Buffer;
  qos?: number;
  retain?: boolean;
  properties?: Properties;
}

export interface ConnectFields {
  version?: Version;
  clientId?: string | Buffer;
  clean?: boolean;
  keepAlive?: number;
  will?: WillFields;
  username?: string | Buffer;
  password?: string;
  properties?: Properties;
  /** Overrides, to make a packet that is wrong. */
  protocolName?: string;
  protocolLevel?: number;
  flags?: number;
  tail?: Buffer;
}

export function connect(fields: ConnectFields): Buffer {
  const { version = 5, will } = fields;
  let flags = (fields.clean ?? true) ? 2 : 0;
  if (will) flags |= 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0);
  if (fields.password !== undefined) flags |= 64;
  if (fields.username !== undefined) flags |= 128;
  const parts = [text(fields.clientId ?? '')];
  if (will) {
    parts.push(properties(version, will.properties), text(will.topic), text(will.payload ?? ''));
  }
  if (fields.username !== undefined) parts.push(text(fields.username));
  if (fields.password !== undefined) parts.push(text(fields.password));
  return packet(
    0x10,
    text(fields.protocolName ?? (version === 3 ? 'MQIsdp' : 'MQTT')),
    [fields.protocolLevel ?? version, fields.flags ?? flags],
    u16(fields.keepAlive ?? 0),
    properties(version, fields.properties),
    ...parts,
    fields.tail ?? Buffer.alloc(0),
  );
}

export interface PublishFields {
  topic: string | Buffer;
  payload?: string | Buffer;
  qos?: number;
  retain?: boolean;
  dup?: boolean;
  id?: number;
  properties?: Properties;
}

export function publish(version: Version, fields: PublishFields): Buffer {
  const qos = fields.qos ?? 0;
  return packet(
    0x30 | (fields.dup ? 8 : 0) | (qos << 1) | (fields.retain ? 1 : 0),
    text(fields.topic),
    qos > 0 ? u16(fields.id ?? 1) : [],
    properties(version, fields.properties),
    Buffer.from(fields.payload ?? ''),
  );
}

export const ACK_FIRST_BYTES = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };

/** Uses the short form without reason and properties. */
export function ack(
  type: keyof typeof ACK_FIRST_BYTES,
  id: number,
  reason?: number,
  values?: Properties,
): Buffer {
  const tail = reason === undefined ? [] : [reason];
  return packet(ACK_FIRST_BYTES[type], u16(id), tail, values ? properties(5, values) : []);
}

export interface SubscriptionFields {
  filter: string | Buffer;
  qos?: number;
  noLocal?: boolean;
  retainAsPublished?: boolean;
  retainHandling?: number;
  /** The raw options byte instead of the fields above. */
  options?: number;
}

export function subscribe(
  version: Version,
  id: number,
  filters: (string | SubscriptionFields)[],
  values?: Properties,
): Buffer {
  const entries = filters.map((entry) => {
    const fields = typeof entry === 'string' ? { filter: entry, qos: 2 } : entry;
    const options =
      (fields.qos ?? 0) |
      (fields.noLocal ? 4 : 0) |
      (fields.retainAsPublished ? 8 : 0) |
      ((fields.retainHandling ?? 0) << 4);
    return Buffer.concat([text(fields.filter), Buffer.from([fields.options ?? options])]);
  });
  return packet(0x82, u16(id), properties(version, values), ...entries);
}

export function unsubscribe(
  version: Version,
  id: number,
  filters: (string | Buffer)[],
  values?: Properties,
): Buffer {
  return packet(0xa2, u16(id), properties(version, values), ...filters.map(text));
}

/** Without a reason it has the two bytes of every version. */
export function disconnect(reason?: number, values?: Properties): Buffer {
  if (reason === undefined) return packet(0xe0);
  return packet(0xe0, [reason], values ? properties(5, values) : []);
}

export function auth(reason: number, values: Properties): Buffer {
  return packet(0xf0, [reason], properties(5, values));
}

export const PINGREQ = packet(0xc0);

/** A packet from the server; fields that its type lacks are zero or empty. */
export interface Packet {
  type: string;
  bytes: Buffer;
  id: number;
  topic: string;
  payload: string;
  qos: number;
  retain: boolean;
  dup: boolean;
  reason: number;
  reasons: number[];
  sessionPresent: boolean;
  properties: Properties;
}

const SERVER_TYPES: Record<number, string> = {
  2: 'connack',
  3: 'publish',
  4: 'puback',
  5: 'pubrec',
  6: 'pubrel',
  7: 'pubcomp',
  9: 'suback',
  11: 'unsuback',
  13: 'pingresp',
  14: 'disconnect',
  15: 'auth',
};

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(count: number): Buffer {
    if (count > this.left) throw new Error('the packet ends too early');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  two(): number {
    return this.take(2).readUInt16BE();
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) {
        if (byte === 0 && shift > 0) throw new Error('a variable byte integer is too long');
        return value;
      }
    }
    throw new Error('a variable byte integer does not end');
  }

  binary(): Buffer {
    return Buffer.from(this.take(this.two()));
  }

  /** Keeps a BOM: ignoreBOM means "do not remove it". */
  string(): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.binary());
  }

  properties(): Properties {
    const body = new Reader(this.take(this.varint()));
    const values: Properties = {};
    const users: [string, string][] = [];
    const subscriptions: number[] = [];
    while (body.left > 0) {
      const id = body.byte();
      const known = PROPERTY_NAMES.get(id);
      if (!known) throw new Error(`unknown property ${id}`);
      const [name, kind] = known;
      if (kind === 'pair') users.push([body.string(), body.string()]);
      else if (kind === 'varint') subscriptions.push(body.varint());
      else if (name in values) throw new Error(`property ${name} comes twice`);
      else if (kind === 'byte') values[name] = body.byte();
      else if (kind === 'two') values[name] = body.two();
      else if (kind === 'four') values[name] = body.take(4).readUInt32BE();
      else values[name] = kind === 'string' ? body.string() : body.binary();
    }
    if (users.length > 0) values.userProperty = users;
    if (subscriptions.length > 0) values.subscriptionIdentifier = subscriptions;
    return values;
  }
}

function readBody(version: Version, packet: Packet, firstByte: number, body: Reader): void {
  const v5 = version === 5;
  if (packet.type === 'publish') {
    packet.dup = (firstByte & 8) > 0;
    packet.qos = (firstByte >> 1) & 3;
    packet.retain = (firstByte & 1) > 0;
    packet.topic = body.string();
    if (packet.qos > 0) packet.id = body.two();
    if (v5) packet.properties = body.properties();
    packet.payload = body.take(body.left).toString();
    return;
  }
  if ((firstByte & 15) !== (packet.type === 'pubrel' ? 2 : 0)) throw new Error('wrong flags');
  if (packet.type === 'pingresp') return;
  if (packet.type === 'connack') {
    const flags = body.byte();
    if (flags > 1) throw new Error('reserved CONNACK flags');
    packet.sessionPresent = flags === 1;
    packet.reason = body.byte();
    if (v5) packet.properties = body.properties();
  } else if (packet.type === 'suback' || packet.type === 'unsuback') {
    packet.id = body.two();
    if (v5) packet.properties = body.properties();
    packet.reasons = [...body.take(body.left)];
  } else if (packet.type === 'disconnect' || packet.type === 'auth') {
    if (!v5) throw new Error(`before MQTT 5 a server must not send ${packet.type}`);
    if (body.left > 0) packet.reason = body.byte();
    if (body.left > 0) packet.properties = body.properties();
  } else {
    packet.id = body.two();
    if (v5 && body.left > 0) packet.reason = body.byte();
    if (v5 && body.left > 0) packet.properties = body.properties();
  }
}

/** Decodes the complete packets at the front of `stream`; `rest` begins the next one. */
export function decode(version: Version, stream: Buffer): { packets: Packet[]; rest: Buffer } {
  const packets: Packet[] = [];
  let rest = stream;
  while (rest.length >= 2) {
    let lengthBytes = 1;
    while (lengthBytes < 4 && (rest[lengthBytes] ?? 0) > 127) lengthBytes += 1;
    if (rest.length < 1 + lengthBytes) break;
    const bodyBytes = new Reader(rest.subarray(1, 1 + lengthBytes)).varint();
    const end = 1 + lengthBytes + bodyBytes;
    if (rest.length < end) break;
    const firstByte = rest.readUInt8(0);
    const type = SERVER_TYPES[firstByte >> 4];
    if (!type) throw new Error(`a server must not send a packet of type ${firstByte >> 4}`);
    const packet: Packet = {
      type,
      bytes: rest.subarray(0, end),
      id: 0,
      topic: '',
      payload: '',
      qos: 0,
      retain: false,
      dup: false,
      reason: 0,
      reasons: [],
      sessionPresent: false,
      properties: {},
    };
    const body = new Reader(rest.subarray(1 + lengthBytes, end));
    readBody(version, packet, firstByte, body);
    if (body.left > 0) throw new Error(`${type} has ${body.left} bytes too many`);
    packets.push(packet);
    rest = rest.subarray(end);
  }
  return { packets, rest };
}
