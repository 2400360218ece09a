// Strict structure of the packets that mqtt-packet decodes for us. mqtt-packet takes lengths,
// UTF-8, repeated properties and trailing bytes as they come; the text does not, so each such
// frame is walked here first. Throws ProtocolError, nothing else.

import {
  lengthPrefixedEnd,
  PropertyId,
  type PropertyPlace,
  type PropertyVisitor,
  walkProperties,
} from './properties.ts';
import { malformed, ProtocolError, type ProtocolFault, protocolFault } from './protocol-fault.ts';
import type { ProtocolVersion } from './publish-view.ts';
import { ReasonCode } from './reason-code.ts';
import { isTopicName } from './topic.ts';
import { isStrictUtf8 } from './utf8.ts';
import { decodeVarint, varintBytes } from './varint.ts';

const UNSUPPORTED_VERSION: ProtocolFault = {
  reasonCode: ReasonCode.unsupportedProtocolVersion,
  text: 'the protocol name and version are none that this server speaks',
};

/** Topic Filters in one SUBSCRIBE or UNSUBSCRIBE: each costs far more than the bytes it came in. */
export const FILTERS_MAX = 16_384;
const TOO_MANY_FILTERS: ProtocolFault = {
  reasonCode: ReasonCode.quotaExceeded,
  text: 'more Topic Filters than one packet may have',
};

/** Bit 7 of the protocol version marks a bridge (mosquitto's try_private). */
export const BRIDGE_BIT = 0x80;

/** Where the parts of a CONNECT lie that mqtt-packet does not hand out as they came. */
export interface ConnectLayout {
  readonly version: ProtocolVersion;
  readonly willPropertiesStart: number;
  readonly willPropertiesEnd: number;
}

/** A cursor over one packet's body. */
class Reader {
  readonly #buffer: Buffer;
  readonly #end: number;
  position: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.#buffer = buffer;
    this.position = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.position >= this.#end;
  }

  byte(): number {
    if (this.done) throw new ProtocolError(malformed('the packet is too short'));
    return this.#buffer[this.position++]!;
  }

  u16(): number {
    return this.byte() * 256 + this.byte();
  }

  /** Skips a two-byte length and its bytes. */
  binary(): void {
    const next = lengthPrefixedEnd(this.#buffer, this.position, this.#end);
    if (next === -1) throw new ProtocolError(malformed('the packet is too short'));
    this.position = next;
  }

  string(): string {
    const start = this.position + 2;
    this.binary();
    if (!isStrictUtf8(this.#buffer, start, this.position)) {
      throw new ProtocolError(malformed('a string is not well-formed UTF-8 without U+0000'));
    }
    return this.#buffer.toString('utf8', start, this.position);
  }

  /** Checks the properties and returns the offset of their first byte; the cursor is then behind them. */
  properties(place: PropertyPlace, visit?: PropertyVisitor): number {
    const length = decodeVarint(this.#buffer, this.position, this.#end);
    if (length < 0) throw new ProtocolError(malformed('the Property Length is wrong'));
    const start = this.position + varintBytes(length);
    const end = start + length;
    if (end > this.#end) throw new ProtocolError(malformed('the Property Length is wrong'));
    const fault = walkProperties(this.#buffer, start, end, place, visit);
    if (fault !== undefined) throw new ProtocolError(fault);
    this.position = end;
    return start;
  }

  finish(): void {
    if (!this.done) throw new ProtocolError(malformed('bytes follow the end of the packet'));
  }
}

/** The protocol version of a CONNECT that may be wrong elsewhere, so that it can be answered. */
export function peekConnectVersion(buffer: Buffer, bodyStart: number, end: number): number {
  const next = lengthPrefixedEnd(buffer, bodyStart, end);
  return next === -1 || next >= end ? 0 : buffer[next]! & ~BRIDGE_BIT;
}

export function checkConnect(buffer: Buffer, bodyStart: number, end: number): ConnectLayout {
  const reader = new Reader(buffer, bodyStart, end);
  const version = checkProtocol(reader);
  const flags = reader.byte();
  checkConnectFlags(flags, version);
  reader.u16();
  if (version === 5) checkConnectProperties(reader);
  reader.string();
  let willPropertiesStart = 0;
  let willPropertiesEnd = 0;
  if ((flags & 0x04) !== 0) {
    if (version === 5) {
      willPropertiesStart = reader.properties('will');
      willPropertiesEnd = reader.position;
    }
    if (!isTopicName(reader.string())) {
      throw new ProtocolError({
        reasonCode: ReasonCode.topicNameInvalid,
        text: 'the Will Topic is not a Topic Name',
      });
    }
    reader.binary();
  }
  if ((flags & 0x80) !== 0) reader.string();
  if ((flags & 0x40) !== 0) reader.binary();
  reader.finish();
  return { version, willPropertiesStart, willPropertiesEnd };
}

function checkProtocol(reader: Reader): ProtocolVersion {
  const name = reader.string();
  const version = reader.byte() & ~BRIDGE_BIT;
  if (name === 'MQTT' && (version === 4 || version === 5)) return version;
  if (name === 'MQIsdp' && version === 3) return version;
  throw new ProtocolError(UNSUPPORTED_VERSION);
}

function checkConnectFlags(flags: number, version: ProtocolVersion): void {
  const willQos = (flags >> 3) & 3;
  const will = (flags & 0x04) !== 0;
  if ((flags & 0x01) !== 0) throw new ProtocolError(malformed('a reserved Connect Flag is set'));
  if (willQos === 3) throw new ProtocolError(malformed('Will QoS 3'));
  if (!will && (flags & 0x38) !== 0) {
    throw new ProtocolError(malformed('Will QoS or Will Retain without a Will'));
  }
  if (version !== 5 && (flags & 0xc0) === 0x40) {
    throw new ProtocolError(malformed('a password without a user name'));
  }
}

function checkConnectProperties(reader: Reader): void {
  let method = false;
  let data = false;
  reader.properties('connect', (id) => {
    if (id === PropertyId.authenticationMethod) method = true;
    if (id === PropertyId.authenticationData) data = true;
  });
  if (data && !method) {
    throw new ProtocolError(protocolFault('Authentication Data without a method'));
  }
}

export function checkSubscribe(
  buffer: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): void {
  const reader = packetWithId(buffer, bodyStart, end);
  if (version === 5) reader.properties('subscribe');
  const reserved = version === 5 ? 0xc0 : 0xfc;
  checkFilters(reader, 'SUBSCRIBE', () => {
    const options = reader.byte();
    if ((options & reserved) !== 0) {
      throw new ProtocolError(malformed('a reserved bit of the Subscription Options is set'));
    }
    if ((options & 0x03) === 3) throw new ProtocolError(malformed('a subscription with QoS 3'));
    if ((options & 0x30) === 0x30) throw new ProtocolError(protocolFault('Retain Handling 3'));
  });
}

export function checkUnsubscribe(
  buffer: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): void {
  const reader = packetWithId(buffer, bodyStart, end);
  if (version === 5) reader.properties('unsubscribe');
  checkFilters(reader, 'UNSUBSCRIBE', () => undefined);
}

/** One Topic Filter or more, each with what `checkRest` reads behind it. */
function checkFilters(reader: Reader, packet: string, checkRest: () => void): void {
  if (reader.done) throw new ProtocolError(protocolFault(`${packet} without a Topic Filter`));
  for (let filters = 1; !reader.done; filters++) {
    if (filters > FILTERS_MAX) throw new ProtocolError(TOO_MANY_FILTERS);
    reader.string();
    checkRest();
  }
}

/** DISCONNECT and AUTH: an optional Reason Code, then optional properties. */
export function checkReasonPacket(
  buffer: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  place: 'disconnect' | 'auth',
): void {
  const reader = new Reader(buffer, bodyStart, end);
  if (version === 5 && !reader.done) {
    reader.byte();
    if (!reader.done) reader.properties(place);
  }
  reader.finish();
}

function packetWithId(buffer: Buffer, bodyStart: number, end: number): Reader {
  const reader = new Reader(buffer, bodyStart, end);
  if (reader.u16() === 0) throw new ProtocolError(protocolFault('Packet Identifier 0'));
  return reader;
}
