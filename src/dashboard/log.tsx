// What all nodes log, as it happens, with the last lines of before. The list is bounded.

import { useEffect, useState } from 'preact/hooks';
import { type ApiError, follow } from './api.ts';

const LINES_MAX = 500;
const PAST_LINES = 100;
const COLOURS = 6;

interface LogEvent {
  readonly node: string;
  readonly at: number;
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function Log() {
  const [events, setEvents] = useState<readonly LogEvent[]>([]);
  const [error, setError] = useState<ApiError>();
  const [search, setSearch] = useState('');
  useEffect(
    () =>
      follow(
        '/api/v1/events',
        { past: PAST_LINES },
        {
          event: (name, data) => {
            if (name !== 'log') return;
            setError(undefined);
            setEvents((before) => inOrder([...before, data as LogEvent]).slice(-LINES_MAX));
          },
          broken: setError,
        },
      ),
    [],
  );
  const wanted = search.toLowerCase();
  const shown = events.filter((one) => textOf(one).toLowerCase().includes(wanted)).reverse();
  return (
    <>
      <div class="tools">
        <h2>Log of all nodes</h2>
        <input
          type="search"
          placeholder="Search the log"
          aria-label="Search the log"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      {error !== undefined && <p class="bad">{error.message}</p>}
      {shown.length === 0 && <p class="empty">No line matches.</p>}
      <ol class="log">
        {shown.map((one) => (
          <li key={`${one.node} ${one.at} ${one.event}`} class={one.level}>
            <time>{new Date(one.at).toLocaleTimeString()}</time>
            <b class={`node-colour-${colourOf(one.node)}`}>{one.node}</b>
            <span>{textOf(one)}</span>
          </li>
        ))}
      </ol>
    </>
  );
}

/** The clocks of nodes differ, but the lines of one node keep their order. */
function inOrder(events: LogEvent[]): LogEvent[] {
  return events.sort((a, b) => a.at - b.at);
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
