// MQTT 5 properties in their wire form (2.2.2): one table of all properties, and a walker that checks
// type, place and repetition without building objects. Callers read a value at its offset.

import { isHops } from './hops-property.ts';
import { malformed, type ProtocolFault, protocolFault } from './protocol-fault.ts';
import { ReasonCode } from './reason-code.ts';
import { isStrictUtf8 } from './utf8.ts';
import { decodeVarint, varintBytes } from './varint.ts';

const NO_PROPERTIES = Buffer.alloc(0);
export const PropertyId = {
  payloadFormatIndicator: 1,
  messageExpiryInterval: 2,
  contentType: 3,
  responseTopic: 8,
  correlationData: 9,
  subscriptionIdentifier: 11,
  sessionExpiryInterval: 17,
  authenticationMethod: 21,
  authenticationData: 22,
  requestProblemInformation: 23,
  willDelayInterval: 24,
  requestResponseInformation: 25,
  serverReference: 28,
  reasonString: 31,
  receiveMaximum: 33,
  topicAliasMaximum: 34,
  topicAlias: 35,
  userProperty: 38,
  maximumPacketSize: 39,
} as const;

/**
 * The packets that have properties and that a client sends; `will` is the part inside CONNECT's payload.
 * `delivery` is a PUBLISH of a server.
 */
export type PropertyPlace =
  | 'connect'
  | 'will'
  | 'publish'
  | 'delivery'
  | 'ack'
  | 'subscribe'
  | 'unsubscribe'
  | 'disconnect'
  | 'auth';

type ValueType = 'flag' | 'u16' | 'u32' | 'varint' | 'string' | 'binary' | 'pair';

interface PropertyRule {
  readonly type: ValueType;
  readonly places: readonly PropertyPlace[];
  readonly nonZero?: boolean;
}

const RULES: (PropertyRule | undefined)[] = [];
function rule(
  id: number,
  type: ValueType,
  places: readonly PropertyPlace[],
  nonZero = false,
): void {
  const isOfPublish = places.includes('publish');
  RULES[id] = { type, places: isOfPublish ? [...places, 'delivery'] : places, nonZero };
}
rule(PropertyId.payloadFormatIndicator, 'flag', ['publish', 'will']);
rule(PropertyId.messageExpiryInterval, 'u32', ['publish', 'will']);
rule(PropertyId.contentType, 'string', ['publish', 'will']);
rule(PropertyId.responseTopic, 'string', ['publish', 'will']);
rule(PropertyId.correlationData, 'binary', ['publish', 'will']);
rule(PropertyId.subscriptionIdentifier, 'varint', ['subscribe', 'delivery'], true);
rule(PropertyId.sessionExpiryInterval, 'u32', ['connect', 'disconnect']);
rule(PropertyId.authenticationMethod, 'string', ['connect', 'auth']);
rule(PropertyId.authenticationData, 'binary', ['connect', 'auth']);
rule(PropertyId.requestProblemInformation, 'flag', ['connect']);
rule(PropertyId.willDelayInterval, 'u32', ['will']);
rule(PropertyId.requestResponseInformation, 'flag', ['connect']);
// Only a server has a use for it, but the specification lists it for every DISCONNECT.
rule(PropertyId.serverReference, 'string', ['disconnect']);
rule(PropertyId.reasonString, 'string', ['ack', 'disconnect', 'auth']);
rule(PropertyId.receiveMaximum, 'u16', ['connect'], true);
rule(PropertyId.topicAliasMaximum, 'u16', ['connect']);
rule(PropertyId.topicAlias, 'u16', ['publish']);
rule(PropertyId.userProperty, 'pair', [
  'connect',
  'will',
  'publish',
  'ack',
  'subscribe',
  'unsubscribe',
  'disconnect',
  'auth',
]);
rule(PropertyId.maximumPacketSize, 'u32', ['connect'], true);

const TRUNCATED = malformed('a property runs past the end of the properties');
const UNKNOWN = malformed('a property that this packet type does not have');
const REPEATED = protocolFault('a property is repeated');
const BAD_STRING = malformed('a property holds ill-formed UTF-8');
const ZERO = protocolFault('a property is 0 and must not be');
const NOT_A_FLAG = protocolFault('a property is neither 0 nor 1');

/** @param start offset of the value: behind the identifier and, for text, before its length */
export type PropertyVisitor = (id: number, start: number, end: number) => void;

/**
 * Checks the properties in `[start, end)` and calls `visit` with each.
 * @returns the client's fault, or undefined if all are well-formed, allowed in this place and, apart
 *   from User Property, not repeated
 */
export function walkProperties(
  buffer: Buffer,
  start: number,
  end: number,
  place: PropertyPlace,
  visit?: PropertyVisitor,
): ProtocolFault | undefined {
  let seenLow = 0;
  let seenHigh = 0;
  let position = start;
  while (position < end) {
    const id = buffer[position]!;
    const rules = RULES[id];
    if (rules === undefined || !rules.places.includes(place)) return UNKNOWN;
    if (!isRepeatable(id, place)) {
      const bit = 1 << (id % 32);
      if (((id < 32 ? seenLow : seenHigh) & bit) !== 0) return REPEATED;
      if (id < 32) seenLow |= bit;
      else seenHigh |= bit;
    }
    const valueStart = position + 1;
    const valueEnd = propertyEnd(buffer, valueStart, end, rules.type);
    if (valueEnd === -1) return TRUNCATED;
    const fault = checkValue(buffer, valueStart, valueEnd, rules);
    if (fault !== undefined) return fault;
    visit?.(id, valueStart, valueEnd);
    position = valueEnd;
  }
  return undefined;
}

/** A server writes one Subscription Identifier for each matching subscription (MQTT 5.0 3.3.2.3.8). */
function isRepeatable(id: number, place: PropertyPlace): boolean {
  if (id === PropertyId.userProperty) return true;
  return id === PropertyId.subscriptionIdentifier && place === 'delivery';
}

function propertyEnd(buffer: Buffer, start: number, end: number, type: ValueType): number {
  let next: number;
  switch (type) {
    case 'flag':
      next = start + 1;
      break;
    case 'u16':
      next = start + 2;
      break;
    case 'u32':
      next = start + 4;
      break;
    case 'varint': {
      const value = decodeVarint(buffer, start, end);
      if (value < 0) return -1;
      next = start + varintBytes(value);
      break;
    }
    case 'string':
    case 'binary':
      next = lengthPrefixedEnd(buffer, start, end);
      break;
    case 'pair': {
      const nameEnd = lengthPrefixedEnd(buffer, start, end);
      next = nameEnd === -1 ? -1 : lengthPrefixedEnd(buffer, nameEnd, end);
      break;
    }
  }
  return next > end ? -1 : next;
}

/** Offset behind a two-byte length and its bytes, or -1 if they run past `end`. */
export function lengthPrefixedEnd(buffer: Buffer, start: number, end: number): number {
  if (start + 2 > end) return -1;
  const next = start + 2 + buffer.readUInt16BE(start);
  return next > end ? -1 : next;
}

function checkValue(
  buffer: Buffer,
  start: number,
  end: number,
  rules: PropertyRule,
): ProtocolFault | undefined {
  switch (rules.type) {
    case 'flag':
      return buffer[start]! > 1 ? NOT_A_FLAG : undefined;
    case 'string':
      return isStrictUtf8(buffer, start + 2, end) ? undefined : BAD_STRING;
    case 'pair': {
      const nameEnd = start + 2 + buffer.readUInt16BE(start);
      const good =
        isStrictUtf8(buffer, start + 2, nameEnd) && isStrictUtf8(buffer, nameEnd + 2, end);
      return good ? undefined : BAD_STRING;
    }
    default:
      return rules.nonZero && isZero(buffer, start, end) ? ZERO : undefined;
  }
}

function isZero(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buffer[i] !== 0) return false;
  return true;
}

/** The properties of a PUBLISH that the broker itself acts on. One instance is reused. */
export class PublishProperties {
  /** 0 where there is none. */
  topicAlias = 0;
  /** -1 where there is none. */
  expirySeconds = -1;
  payloadIsText = false;
  /** True if all properties may go to a subscriber unchanged. */
  forwardable = true;
  /** Bytes of the value of its hops over bridges; both 0 where there are none. */
  hopsStart = 0;
  hopsEnd = 0;

  /** Sets all fields as for a packet without properties. */
  reset(): void {
    this.topicAlias = 0;
    this.expirySeconds = -1;
    this.payloadIsText = false;
    this.forwardable = true;
    this.hopsStart = this.hopsEnd = 0;
  }
}

const ALIAS_ZERO: ProtocolFault = {
  reasonCode: ReasonCode.topicAliasInvalid,
  text: 'Topic Alias 0',
};

const BAD_RESPONSE_TOPIC = protocolFault('the Response Topic is not a Topic Name');

/** Checks the properties of a client's PUBLISH and fills `out`. Allocates nothing that outlives the call. */
export function readPublishProperties(
  buffer: Buffer,
  start: number,
  end: number,
  out: PublishProperties,
  place: 'publish' | 'will' = 'publish',
): ProtocolFault | undefined {
  out.reset();
  let wrongValue: ProtocolFault | undefined;
  const fault = walkProperties(buffer, start, end, place, (id, valueStart, valueEnd) => {
    switch (id) {
      case PropertyId.payloadFormatIndicator:
        out.payloadIsText = buffer[valueStart] === 1;
        break;
      case PropertyId.messageExpiryInterval:
        out.expirySeconds = buffer.readUInt32BE(valueStart);
        out.forwardable = false;
        break;
      case PropertyId.topicAlias:
        out.topicAlias = buffer.readUInt16BE(valueStart);
        if (out.topicAlias === 0) wrongValue = ALIAS_ZERO;
        out.forwardable = false;
        break;
      case PropertyId.willDelayInterval:
        out.forwardable = false;
        break;
      case PropertyId.userProperty:
        if (isHops(buffer, valueStart)) {
          out.hopsStart = valueStart;
          out.hopsEnd = valueEnd;
        }
        break;
      case PropertyId.responseTopic:
        if (!isTopicNameBytes(buffer, valueStart + 2, valueEnd)) wrongValue = BAD_RESPONSE_TOPIC;
        break;
    }
  });
  return fault ?? wrongValue;
}

const NUMBER_SIGN = 0x23;
const PLUS_SIGN = 0x2b;

/** At least one character and no wildcard [MQTT5-3.3.2-14]. */
function isTopicNameBytes(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (buffer[i] === NUMBER_SIGN || buffer[i] === PLUS_SIGN) return false;
  }
  return end > start;
}

/**
 * Copies the properties without those that apply to one connection only or that the broker computes
 * anew: Topic Alias, Message Expiry Interval, Will Delay Interval. Keeps the order [MQTT5-3.3.2-18].
 */
export function copyForwardableProperties(
  buffer: Buffer,
  start: number,
  end: number,
  place: 'publish' | 'will' = 'publish',
): Buffer {
  const parts: Buffer[] = [];
  walkProperties(buffer, start, end, place, (id, valueStart, valueEnd) => {
    if (
      id !== PropertyId.topicAlias &&
      id !== PropertyId.messageExpiryInterval &&
      id !== PropertyId.willDelayInterval
    ) {
      parts.push(buffer.subarray(valueStart - 1, valueEnd));
    }
  });
  return parts.length === 0 ? NO_PROPERTIES : Buffer.concat(parts);
}
