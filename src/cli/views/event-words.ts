// Log events of the nodes as lines of `shoal watch`. Pure.

import { wordsOfEvent } from '../../shared/event-words.ts';
import { padText, printable } from '../terminal/text-width.ts';

export interface NodeEvent {
  readonly node: string;
  /** ms since 1970. */
  readonly at: number;
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean | undefined>>;
}

const NODE_WIDTH_MIN = 6;

/** `14:48:27  box3    offline ...`: time of this machine, node, words. */
export function eventLine(event: NodeEvent): string {
  const at = new Date(event.at);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':');
  return `${time}  ${padText(printable(event.node), NODE_WIDTH_MIN)}  ${printable(wordsOfEvent(event))}`;
}

/** A change that a user has asked another node for, whose line says the same. */
export function isRelayed({ event }: NodeEvent): boolean {
  return event === 'request of another node';
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
