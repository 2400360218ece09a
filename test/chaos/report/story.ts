// The story of one violation: what happened to its message, which faults were there, and what the nodes
// logged meanwhile. Pure.

import type { ChaosEvent } from '../history.ts';
import { type Violation, windowsOf } from '../rules/verdict.ts';
import { escaped, seconds } from './markup.ts';

/** The clients that connect for each message; their connections say nothing of others. */
const NOISE = /client=mosquitto-pub/;
const TROUBLE = /level=(warn|error)/;

/** One line of a node or client. */
export interface LogLine {
  readonly at: number;
  readonly origin: string;
  readonly line: string;
}

const BEFORE_MS = 2000;
const AFTER_MS = 3000;
const LOG_LINES_MAX = 60;
const EVENTS_MAX = 30;

export function story(
  violation: Violation,
  events: readonly ChaosEvent[],
  log: readonly LogLine[],
): string {
  const ofMessage = eventsOfMessage(violation, events).slice(0, EVENTS_MAX);
  const from = (ofMessage[0]?.at ?? violation.at) - BEFORE_MS;
  const to = violation.at + AFTER_MS;
  const faults = windowsOf(events).filter((one) => one.from < to && one.to > from);
  const lines = worthReading(log, ofMessage).filter(({ at }) => at >= from && at <= to);
  const rows = [
    ...faults.map(({ what, boxes, from: begun, to: ended }) => ({
      at: begun,
      kind: 'fault',
      text: `${what}: ${boxes.join(', ')}${Number.isFinite(ended) ? `, until ${seconds(ended)}` : ''}`,
    })),
    ...ofMessage.map((event) => ({ at: event.at, kind: 'message', text: described(event) })),
    ...lines
      .slice(0, LOG_LINES_MAX)
      .map(({ at, origin, line }) => ({ at, kind: 'log', text: `${origin} ${withoutTime(line)}` })),
  ].sort((a, b) => a.at - b.at);
  const left = lines.length - LOG_LINES_MAX;
  const more = left > 0 ? `<p class="faint">${left} more lines are in nodes.log.</p>` : '';
  return `<details><summary>${escaped(violation.text)}, at ${seconds(violation.at)}</summary>
<table class="story">${rows.map(row).join('\n')}</table>${more}</details>`;
}

/** What the nodes of the message have logged, and the trouble of all. */
function worthReading(log: readonly LogLine[], ofMessage: readonly ChaosEvent[]): LogLine[] {
  const nodes = new Set(ofMessage.flatMap((event) => ('node' in event ? [event.node] : [])));
  return log.filter(
    ({ origin, line }) =>
      !NOISE.test(line) && (nodes.size === 0 || nodes.has(origin) || TROUBLE.test(line)),
  );
}

function row({ at, kind, text }: { at: number; kind: string; text: string }): string {
  return `<tr class="${kind}"><td>${seconds(at)}</td><td>${escaped(text)}</td></tr>`;
}

function eventsOfMessage({ message }: Violation, events: readonly ChaosEvent[]): ChaosEvent[] {
  if (message === undefined) return [];
  return events.filter(
    (event) =>
      'publisher' in event &&
      event.publisher === message.publisher &&
      event.topic === message.topic &&
      event.number === message.number,
  );
}

function described(event: ChaosEvent): string {
  if (event.kind === 'publish') {
    return `${event.publisher} publishes ${event.topic} ${event.number} at ${event.node}, QoS ${event.qos}${event.retain ? ', retained' : ''}`;
  }
  if (event.kind === 'acknowledged') return 'its node acknowledges it';
  if (event.kind !== 'delivery') return event.kind;
  return `${event.client} gets it at ${event.node}${event.dup ? ', DUP' : ''}`;
}

/** The clock of a node may have been stepped; the row has the time of the run. */
function withoutTime(line: string): string {
  return line.replace(/^time=\S+ /, '');
}
