// One line for each message that passes a node, for `shoal trace`. Pure.

import { formatBytes } from '../../shared/units.ts';
import { padText, printable } from '../terminal/text-width.ts';

export interface TracedMessage {
  readonly node: string;
  /** ms since 1970, by the clock of that node. */
  readonly at: number;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly bytes: number;
  readonly encoding: 'text' | 'base64';
  /** The beginning of it. */
  readonly payload: string;
}

const NODE_WIDTH_MIN = 6;

/** `14:52:10.113  box2    q1 home/t7  17 B  "21.4"`. */
export function traceLine(message: TracedMessage): string {
  const { node, at, topic, qos, retain, bytes, encoding, payload } = message;
  const time = new Date(at);
  const digits = (value: number, length: number): string => String(value).padStart(length, '0');
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => digits(part, 2))
    .join(':');
  const content = encoding === 'text' ? `"${printable(payload)}"` : `base64 ${payload}`;
  const name = padText(printable(node), NODE_WIDTH_MIN);
  const flags = `q${qos}${retain ? ' retained' : ''}`;
  return `${clock}.${digits(time.getMilliseconds(), 3)}  ${name}  ${flags}  ${printable(topic)}  ${formatBytes(bytes)}  ${content}`;
}
