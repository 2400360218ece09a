// Checks the structure of the packets that mqtt-packet decodes. mqtt-packet accepts wrong lengths,
// ill-formed UTF-8, repeated properties and trailing bytes; MQTT does not, so each such frame is
// walked here first. Throws ProtocolError, nothing else.
//
// MQTT 3.1 calls some bits "not used" and lets some announced fields be missing, where 3.1.1 ends
// the connection. Of a packet of level 3 these bits are cleared in place, so that mqtt-packet, which
// judges by 3.1.1, takes it (MQTT V3.1 Protocol Specification, 3.1 CONNECT and 3.8 SUBSCRIBE).

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
  text: 'the server does not speak this protocol name and version',
};

/** Topic Filters in one SUBSCRIBE or UNSUBSCRIBE: each costs far more work than its bytes suggest. */
export const FILTERS_MAX = 16_384;
const TOO_MANY_FILTERS: ProtocolFault = {
  reasonCode: ReasonCode.quotaExceeded,
  text: 'one packet has too many Topic Filters',
};

/** Bit 7 of the protocol version marks a bridge (mosquitto's try_private). */
export const BRIDGE_BIT = 0x80;

/** Bits of the Connect Flags (MQTT 5.0 3.1.2.3). */
const ConnectFlag = {
  reserved: 0x01,
  will: 0x04,
  willQosMask: 0x18,
  willRetain: 0x20,
  password: 0x40,
  userName: 0x80,
} as const;
const WILL_QOS_SHIFT = 3;

/** Bits of the Subscription Options (MQTT 5.0 3.8.3.1). */
const QOS_MASK = 0x03;
const RETAIN_HANDLING_MASK = 0x30;
const RESERVED_OPTIONS_MQTT5 = 0xc0;
const RESERVED_OPTIONS_MQTT3 = 0xfc;

/** Offsets of those parts of a CONNECT that mqtt-packet decodes but does not hand out as bytes. */
export interface ConnectLayout {
  readonly version: ProtocolVersion;
  readonly willPropertiesStart: number;
  readonly willPropertiesEnd: number;
}

/** A cursor over the body of one packet. */
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

  /** Checks the properties and moves behind them. @returns the offset of their first byte */
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

/** The protocol version of a CONNECT that may be malformed elsewhere, for the form of the answer; 0 if there is none. */
export function peekConnectVersion(buffer: Buffer, bodyStart: number, end: number): number {
  const next = lengthPrefixedEnd(buffer, bodyStart, end);
  return next === -1 || next >= end ? 0 : buffer[next]! & ~BRIDGE_BIT;
}

export function checkConnect(buffer: Buffer, bodyStart: number, end: number): ConnectLayout {
  const reader = new Reader(buffer, bodyStart, end);
  const version = checkProtocol(reader);
  const flagsAt = reader.position;
  if (version === 3 && !reader.done) buffer[flagsAt] = withoutUnusedFlags(buffer[flagsAt]!);
  const flags = reader.byte();
  checkConnectFlags(flags, version);
  reader.u16();
  if (version === 5) checkConnectProperties(reader);
  reader.string();
  let willPropertiesStart = 0;
  let willPropertiesEnd = 0;
  if ((flags & ConnectFlag.will) !== 0) {
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
  if (version === 3) {
    buffer[flagsAt] = withoutMissingFields(flags, reader);
  } else {
    if ((flags & ConnectFlag.userName) !== 0) reader.string();
    if ((flags & ConnectFlag.password) !== 0) reader.binary();
    reader.finish();
  }
  return { version, willPropertiesStart, willPropertiesEnd };
}

/** Of MQTT 3.1: the reserved bit, and Will QoS and Will Retain without a will, are disregarded. */
function withoutUnusedFlags(flags: number): number {
  const unused =
    (flags & ConnectFlag.will) === 0
      ? ConnectFlag.reserved | ConnectFlag.willQosMask | ConnectFlag.willRetain
      : ConnectFlag.reserved;
  return flags & ~unused;
}

/**
 * Of MQTT 3.1: the Remaining Length takes precedence over the flags of user name and password. Reads
 * those that are there.
 * @returns the flags without those whose fields are missing
 */
function withoutMissingFields(flags: number, reader: Reader): number {
  if ((flags & ConnectFlag.userName) !== 0) {
    if (reader.done) return flags & ~(ConnectFlag.userName | ConnectFlag.password);
    reader.string();
  }
  if ((flags & ConnectFlag.password) !== 0) {
    if (reader.done) return flags & ~ConnectFlag.password;
    reader.binary();
  }
  return flags;
}

function checkProtocol(reader: Reader): ProtocolVersion {
  const name = reader.string();
  const version = reader.byte() & ~BRIDGE_BIT;
  if (name === 'MQTT' && (version === 4 || version === 5)) return version;
  if (name === 'MQIsdp' && version === 3) return version;
  throw new ProtocolError(UNSUPPORTED_VERSION);
}

function checkConnectFlags(flags: number, version: ProtocolVersion): void {
  const willQos = (flags & ConnectFlag.willQosMask) >> WILL_QOS_SHIFT;
  const hasWill = (flags & ConnectFlag.will) !== 0;
  if ((flags & ConnectFlag.reserved) !== 0) {
    throw new ProtocolError(malformed('a reserved Connect Flag is set'));
  }
  if (willQos === 3) throw new ProtocolError(malformed('Will QoS 3'));
  if (!hasWill && (willQos > 0 || (flags & ConnectFlag.willRetain) !== 0)) {
    throw new ProtocolError(malformed('Will QoS or Will Retain without a Will'));
  }
  const hasPassword = (flags & ConnectFlag.password) !== 0;
  if (version !== 5 && hasPassword && (flags & ConnectFlag.userName) === 0) {
    throw new ProtocolError(malformed('a password without a user name'));
  }
}

function checkConnectProperties(reader: Reader): void {
  let hasMethod = false;
  let hasData = false;
  reader.properties('connect', (id) => {
    if (id === PropertyId.authenticationMethod) hasMethod = true;
    if (id === PropertyId.authenticationData) hasData = true;
  });
  if (hasData && !hasMethod) {
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
  const reserved = version === 5 ? RESERVED_OPTIONS_MQTT5 : RESERVED_OPTIONS_MQTT3;
  checkFilters(reader, 'SUBSCRIBE', () => {
    let options = reader.byte();
    if (version === 3) options = buffer[reader.position - 1] = options & QOS_MASK;
    if ((options & reserved) !== 0) {
      throw new ProtocolError(malformed('a reserved bit of the Subscription Options is set'));
    }
    if ((options & QOS_MASK) === QOS_MASK) {
      throw new ProtocolError(malformed('a subscription with QoS 3'));
    }
    if ((options & RETAIN_HANDLING_MASK) === RETAIN_HANDLING_MASK) {
      throw new ProtocolError(protocolFault('Retain Handling 3'));
    }
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

/** One or more Topic Filters, each followed by what `checkRest` reads. */
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
