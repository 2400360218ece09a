// Log events of the nodes as sentences, for `shoal watch`. An event that has no sentence here is shown as
// the log shows it: its name and its fields. Pure.

import { padText, printable } from '../terminal/text-width.ts';

export interface NodeEvent {
  readonly node: string;
  /** ms since 1970. */
  readonly at: number;
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean | undefined>>;
}

const MEMBER = /^cluster (online|suspect|offline|left|updated) (\S+) (\S+)$/;
const NODE_WIDTH_MIN = 6;

/** `14:48:27  box3    offline ...`: time of this machine, node, words. */
export function eventLine(event: NodeEvent): string {
  const at = new Date(event.at);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':');
  return `${time}  ${padText(printable(event.node), NODE_WIDTH_MIN)}  ${printable(wordsOf(event))}`;
}

export function wordsOf({ event, fields }: NodeEvent): string {
  const [, state, name] = MEMBER.exec(event) ?? [];
  if (state !== undefined) return `${name} is ${state}${reasonOf(fields.reason)}`;
  const { client, user, from, mqtt } = fields;
  if (event === 'client connected') {
    const as = user === undefined ? '' : ` as ${user}`;
    return `${client} connected${as} from ${from}, MQTT ${mqtt}`;
  }
  if (event === 'client disconnected') return `${client} disconnected${reasonOf(fields.reason)}`;
  if (event === 'connection refused')
    return `${client ?? from} was refused${reasonOf(fields.reason)}`;
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}=${quoted(String(value))}`],
  );
  return event + pairs.join('');
}

function reasonOf(reason: NodeEvent['fields'][string]): string {
  return reason === undefined ? '' : `: ${reason}`;
}

function quoted(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
