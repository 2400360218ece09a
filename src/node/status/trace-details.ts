// What a trace says of a packet beyond its type: the wishes of a CONNECT, the filters of a SUBSCRIBE, the
// answer for each of them. Bounded: a packet may name thousands of filters. Pure.

import { formatVersion } from '../../broker/log-fields.ts';
import { reasonOfReturnCode } from '../../mqtt/client-packets.ts';
import {
  type ConnectPacket,
  decodeSubscribe,
  decodeUnsubscribe,
  type SubscriptionRequest,
} from '../../mqtt/control-decoder.ts';
import type { Framer } from '../../mqtt/framer.ts';
import { PacketType } from '../../mqtt/packet-type.ts';
import type { ProtocolVersion } from '../../mqtt/publish-view.ts';
import { describeReasonCode } from '../../mqtt/reason-code.ts';
import { decodeVarint, varintBytes } from '../../mqtt/varint.ts';

/** Filters, or answers, of one packet that a line shows. */
const SHOWN_MAX = 8;

/** `MQTT 5.0 as ann, clean start, keep alive 60 s`. */
export function connectDetail(packet: ConnectPacket): string {
  const { version, username, cleanStart, keepAliveSeconds, will, sessionExpirySeconds } = packet;
  const parts = [
    `MQTT ${formatVersion(version)}${username === undefined ? '' : ` as ${username}`}`,
    cleanStart ? 'clean start' : 'resumes its session',
    ...(sessionExpirySeconds === undefined ? [] : [`session expiry ${sessionExpirySeconds} s`]),
    keepAliveSeconds === 0 ? 'no keep alive' : `keep alive ${keepAliveSeconds} s`,
    ...(will === undefined ? [] : [`will ${will.topic}`]),
  ];
  return parts.join(', ');
}

/** The filters of a SUBSCRIBE or UNSUBSCRIBE; undefined for other packets, and for an ill-formed one. */
export function filtersDetail(
  type: number,
  { buffer, start, bodyStart, end }: Framer,
  version: ProtocolVersion,
): string | undefined {
  try {
    if (type === PacketType.subscribe) {
      const { subscriptions } = decodeSubscribe(buffer, start, bodyStart, end, version);
      return listed(subscriptions.map(describeSubscription));
    }
    if (type !== PacketType.unsubscribe) return undefined;
    return listed(decodeUnsubscribe(buffer, start, bodyStart, end, version).filters);
  } catch {
    // The broker refuses it: the packet after it says so.
    return undefined;
  }
}

/** `home/# q1, retained messages never`. */
function describeSubscription(subscription: SubscriptionRequest): string {
  const { filter, qos, noLocal, retainHandling } = subscription;
  return `${filter} q${qos}${noLocal ? ' no local' : ''}${RETAINED_SENT[retainHandling]}`;
}

/** By Retain Handling (MQTT 5.0 3.8.3.1). */
const RETAINED_SENT = ['', ' retained only if new', ' nothing retained'] as const;

/** The Reason Code of a packet that has one, or those of its filters, of the forms before MQTT 5 too. */
export function reasonOf(
  type: number,
  { buffer, bodyStart, end }: Framer,
  version: ProtocolVersion,
): string | undefined {
  const body = buffer.subarray(bodyStart, end);
  if (type === PacketType.suback || type === PacketType.unsuback) {
    return listed([...codesOf(body, version)].map((code) => describeAnswer(type, code)));
  }
  const code = codeOf(type, body, version);
  return code === undefined ? undefined : describeReasonCode(code);
}

function codeOf(type: number, body: Buffer, version: ProtocolVersion): number | undefined {
  if (REASONED.has(type)) return body[2];
  if (type === PacketType.disconnect) return body[0];
  if (type !== PacketType.connack) return undefined;
  const code = body[1];
  return version === 5 || code === undefined ? code : reasonOfReturnCode(code);
}

/** Packets where a Reason Code may follow the Packet Identifier at once. */
const REASONED: ReadonlySet<number> = new Set<number>([
  PacketType.puback,
  PacketType.pubrec,
  PacketType.pubrel,
  PacketType.pubcomp,
]);

/** Behind the Packet Identifier and, in MQTT 5, the properties. */
function codesOf(body: Buffer, version: ProtocolVersion): Buffer {
  if (version !== 5) return body.subarray(2);
  const bytes = decodeVarint(body, 2, body.length);
  return body.subarray(bytes < 0 ? body.length : 2 + varintBytes(bytes) + bytes);
}

function describeAnswer(type: number, code: number): string {
  return type === PacketType.suback && code < 3 ? `granted q${code}` : describeReasonCode(code);
}

function listed(parts: readonly string[]): string | undefined {
  const rest = parts.length - SHOWN_MAX;
  const shown = parts.slice(0, SHOWN_MAX).join(', ');
  if (shown === '') return undefined;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}
