// What happened to one client, from the lines that the nodes have logged of it: a connection to another node
// than before is a move. Pure.

import { formatDuration } from '../shared/units.ts';

export interface ClientEvent {
  readonly node: string;
  /** ms since 1970 by the clock of that node. */
  readonly at: number;
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface TimelineEntry {
  readonly node: string;
  readonly at: number;
  readonly kind: 'came' | 'left' | 'other';
  readonly text: string;
}

/** @param events the earliest first. @returns the latest first */
export function timelineOf(events: readonly ClientEvent[]): TimelineEntry[] {
  const entries: TimelineEntry[] = [];
  const cameAt = new Map<string, number>();
  let last: string | undefined;
  for (const { node, at, event, fields } of events) {
    const entry = { node, at };
    if (event === 'client connected') {
      const moved = last !== undefined && last !== node;
      const where = moved ? `moved from ${last} to ${node}` : `connected to ${node}`;
      entries.push({
        ...entry,
        kind: 'came',
        text: `${where}${wordOf(', address ', fields.from)}`,
      });
      cameAt.set(node, at);
      last = node;
    } else if (event === 'client disconnected') {
      const since = cameAt.get(node);
      const stay = since === undefined ? '' : ` after ${formatDuration(at - since)}`;
      const text = `disconnected from ${node}${stay}${wordOf(': ', fields.reason)}`;
      entries.push({ ...entry, kind: 'left', text });
    } else {
      const { client: _, ...rest } = fields;
      const words = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`);
      entries.push({ ...entry, kind: 'other', text: [event, ...words].join(' ') });
    }
  }
  return entries.reverse();
}

function wordOf(before: string, value: unknown): string {
  return value === undefined ? '' : `${before}${String(value)}`;
}
