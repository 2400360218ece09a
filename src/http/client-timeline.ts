// What happened to each client on this node: its lines of the log, kept apart from the log, where many
// clients would push out the lines of one. Invariant: bounded, for each client and in total; the clients
// that have been quiet for longest make room, half of the memory at a time.

import { textBytes } from '../shared/text-bytes.ts';
import type { LogEvent } from './event-log.ts';

const EVENTS_PER_CLIENT_MAX = 40;
/** Of both generations. */
const TIMELINES_BYTES_MAX = 8_388_608;
/** What an event takes beside the texts of its fields; for the only one of a client, which takes most. */
const EVENT_BYTES = 460;

/** Timelines of the clients that had an event in one period, and their memory. */
interface Generation {
  readonly events: Map<string, LogEvent[]>;
  bytes: number;
}

/** In two generations: a single Map in the order of the events would be full of holes (decision 0196). */
export class ClientTimeline {
  #recent: Generation = { events: new Map(), bytes: 0 };
  /** Of clients without an event since. */
  #earlier: Generation = { events: new Map(), bytes: 0 };

  /** Keeps a line that names a client. */
  take(event: LogEvent): void {
    const { client } = event.fields;
    if (typeof client !== 'string') return;
    const bytes = bytesOf(event);
    if (this.#recent.bytes + bytes > TIMELINES_BYTES_MAX / 2) {
      this.#earlier = this.#recent;
      this.#recent = { events: new Map(), bytes: 0 };
    }
    const recent = this.#recent;
    recent.bytes += bytes;
    const events = recent.events.get(client) ?? this.#moveUp(client);
    if (events === undefined) {
      // V8 gives a list that begins empty room for 17 with its first element.
      recent.events.set(client, [event]);
    } else {
      events.push(event);
      if (events.length > EVENTS_PER_CLIENT_MAX) recent.bytes -= bytesOf(events.shift()!);
    }
  }

  /** The latest last; empty for a client that was never here. */
  of(client: string): readonly LogEvent[] {
    return this.#recent.events.get(client) ?? this.#earlier.events.get(client) ?? [];
  }

  /** Memory of all timelines. */
  get bytes(): number {
    return this.#recent.bytes + this.#earlier.bytes;
  }

  #moveUp(client: string): LogEvent[] | undefined {
    const events = this.#earlier.events.get(client);
    if (events === undefined) return undefined;
    const bytes = events.reduce((sum, event) => sum + bytesOf(event), 0);
    this.#earlier.events.delete(client);
    this.#earlier.bytes -= bytes;
    this.#recent.events.set(client, events);
    this.#recent.bytes += bytes;
    return events;
  }
}

function bytesOf({ fields }: LogEvent): number {
  let bytes = EVENT_BYTES;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value === 'string') bytes += textBytes(value);
  }
  return bytes;
}
