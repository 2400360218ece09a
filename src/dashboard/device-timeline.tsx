// The timeline of one device: when it came, moved and left, and why, on all nodes, as it happens.

import { useEffect, useState } from 'preact/hooks';
import { ApiError, call, follow } from './api.ts';
import { clockOf } from './plot.tsx';
import { type ClientEvent, timelineOf } from './timeline.ts';

const ENTRIES_MAX = 100;

export function DeviceTimeline({ path, client }: { path: string; client: string }) {
  const [events, setEvents] = useState<readonly ClientEvent[]>([]);
  const [note, setNote] = useState('');
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    call<{ events: ClientEvent[] }>('GET', `${path}/timeline`, { signal })
      .then((answer) => setEvents((live) => inOrder([...answer.events, ...live])))
      .catch((error: unknown) => {
        if (!signal.aborted) setNote(error instanceof ApiError ? error.message : String(error));
      });
    const end = follow(
      '/api/v1/events',
      { client },
      {
        event: (name, data) => {
          if (name === 'log') setEvents((before) => inOrder([...before, data as ClientEvent]));
        },
        broken: (error) => setNote(error.message),
      },
    );
    return () => {
      ending.abort();
      end();
    };
  }, [path]);
  const entries = timelineOf(events).slice(0, ENTRIES_MAX);
  return (
    <section aria-label={`Timeline of ${client}`}>
      <h3>Timeline</h3>
      {note !== '' && <p class="bad">{note}</p>}
      {entries.length === 0 && <p class="empty">Nothing since the nodes started.</p>}
      <ol class="timeline">
        {entries.map(({ at, kind, text }) => (
          <li key={`${at} ${text}`} class={kind}>
            <time title={new Date(at).toString()}>{whenOf(at)}</time> {text}
          </li>
        ))}
      </ol>
    </section>
  );
}

function inOrder(events: ClientEvent[]): ClientEvent[] {
  const known = new Set<string>();
  return events
    .filter((one) => {
      const key = `${one.node} ${one.at} ${one.event}`;
      const isNew = !known.has(key);
      known.add(key);
      return isNew;
    })
    .sort((a, b) => a.at - b.at)
    .slice(-ENTRIES_MAX);
}

/** The day as well, unless it is today. */
function whenOf(at: number): string {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clockOf(at) : `${date.toLocaleDateString()} ${clockOf(at)}`;
}
