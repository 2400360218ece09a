// What all nodes log, as it happens, with the last lines of before. The list is bounded.

import { useState } from 'preact/hooks';
import { wordsOfEvent } from '../shared/event-words.ts';
import type { ApiError } from './api.ts';
import { clockOf } from './plot.tsx';
import { useFollowEach } from './site.ts';

const LINES_MAX = 500;
const LINES_SHOWN = 200;
const LINES_SHOWN_SHORT = 30;
/** Of all nodes together, when the page opens. */
const PAST_LINES = 600;
const PAST_LINES_OF_NODE = 100;
const COLOURS = 6;

interface LogEvent {
  readonly node: string;
  readonly at: number;
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

interface LogProps {
  /** That are online. */
  readonly nodes: readonly string[];
  /** Beside other things, without a search. */
  readonly isShort?: boolean;
}

export function Log({ nodes, isShort = false }: LogProps) {
  const [events, setEvents] = useState<readonly LogEvent[]>([]);
  const [error, setError] = useState<ApiError>();
  const [search, setSearch] = useState('');
  const past = Math.min(PAST_LINES_OF_NODE, Math.ceil(PAST_LINES / Math.max(1, nodes.length)));
  useFollowEach(
    '/api/v1/events',
    { past },
    nodes,
    (name, items: readonly LogEvent[]) => {
      if (name !== 'log') return;
      setError(undefined);
      setEvents((before) => joinLines(before, items));
    },
    setError,
  );
  const wanted = search.toLowerCase();
  const count = isShort ? LINES_SHOWN_SHORT : LINES_SHOWN;
  const shown = events
    .filter((one) => wanted === '' || textOf(one).toLowerCase().includes(wanted))
    .slice(-count)
    .reverse();
  return (
    <section class="log-part" aria-label="Log">
      <div class="tools">
        <h2>{isShort ? 'Last events' : 'Log of all nodes'}</h2>
        {!isShort && (
          <input
            type="search"
            placeholder="Search the log"
            aria-label="Search the log"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        )}
      </div>
      {error !== undefined && <p class="bad">{error.message}</p>}
      {shown.length === 0 && <p class="empty">No line{search !== '' && ' matches'}.</p>}
      <ol class="log">
        {shown.map((one) => (
          <li key={keyOf(one)} class={one.level}>
            <time>{clockOf(one.at)}</time>
            <b class={`node-colour-${colourOf(one.node)}`}>{one.node}</b>
            <span>{isShort ? wordsOfEvent(one) : textOf(one)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/**
 * A stream that was opened again begins with lines that are known. The clocks of nodes differ, but the lines of
 * one node keep their order.
 */
function joinLines(known: readonly LogEvent[], items: readonly LogEvent[]): LogEvent[] {
  const keys = new Set(known.map(keyOf));
  const fresh = items.filter((item) => !keys.has(keyOf(item)));
  return [...known, ...fresh].sort((a, b) => a.at - b.at).slice(-LINES_MAX);
}

function keyOf(one: LogEvent): string {
  return `${one.node} ${one.at} ${textOf(one)}`;
}

function textOf({ event, fields }: LogEvent): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
  return [event, ...words].join(' ');
}

function colourOf(node: string): number {
  let sum = 0;
  for (const character of node) sum += character.charCodeAt(0);
  return sum % COLOURS;
}
