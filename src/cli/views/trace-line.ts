// One line for each packet of a client, as it passes its node, for `shoal trace`. Pure.

import type { TracedPacket } from '../../http/node-api.ts';
import { formatBytes } from '../../shared/units.ts';
import { padText, printable } from '../terminal/text-width.ts';

export interface PacketEvent extends TracedPacket {
  readonly node: string;
  /** ms since 1970, by the clock of that node. */
  readonly at: number;
}

const NODE_WIDTH_MIN = 6;
const CLIENT_WIDTH_MIN = 10;
const TYPE_WIDTH = 11;
const ARROWS = { in: '<-', out: '->' } as const;

/** `14:52:10.113  box2   <- thermo7    PUBLISH     q1 #12 home/t7 4 B "21.4"`. */
export function traceLine(packet: PacketEvent): string {
  const { node, at, client, direction, type, packetId, reason, detail, topic } = packet;
  const { qos, dup, retain, payloadBytes, payload } = packet;
  const parts = [
    qos === undefined ? '' : `q${qos}`,
    dup === true ? 'dup' : '',
    retain === true ? 'retained' : '',
    packetId === undefined ? '' : `#${packetId}`,
    reason ?? '',
    detail === undefined ? '' : printable(detail),
    topic === undefined ? '' : printable(topic),
    payloadBytes === undefined ? '' : formatBytes(payloadBytes),
    payload === undefined ? '' : `"${printable(payload)}"`,
  ].filter((part) => part !== '');
  const name = padText(printable(node), NODE_WIDTH_MIN);
  const arrow = type === 'CLOSED' ? '--' : ARROWS[direction];
  const id = padText(printable(client), CLIENT_WIDTH_MIN);
  return `${clockOf(at)}  ${name} ${arrow} ${id} ${type.padEnd(TYPE_WIDTH)} ${parts.join(' ')}`.trimEnd();
}

function clockOf(at: number): string {
  const time = new Date(at);
  const digits = (value: number, length: number): string => String(value).padStart(length, '0');
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()];
  return `${parts.map((part) => digits(part, 2)).join(':')}.${digits(time.getMilliseconds(), 3)}`;
}
