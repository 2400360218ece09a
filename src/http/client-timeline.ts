// What happened to each client on this node: its lines of the log, kept apart from the log, where many
// clients would push out the lines of one. Invariant: bounded, for each client and in total; the client
// that has been quiet for longest makes room.

import { textBytes } from '../shared/text-bytes.ts';
import type { LogEvent } from './event-log.ts';

const EVENTS_PER_CLIENT_MAX = 40;
const TIMELINES_BYTES_MAX = 8_388_608;
/** What an event takes beside the texts of its fields; for the only one of a client, which takes most. */
const EVENT_BYTES = 460;

export class ClientTimeline {
  /** By Client Identifier; the one with the latest event is the last. */
  readonly #events = new Map<string, LogEvent[]>();
  #bytes = 0;

  /** Keeps a line that names a client. */
  take(event: LogEvent): void {
    const { client } = event.fields;
    if (typeof client !== 'string') return;
    const known = this.#events.get(client);
    // V8 gives a list that begins empty room for 17 with its first element.
    const events = known ?? [event];
    if (known !== undefined) {
      known.push(event);
      this.#events.delete(client);
    }
    this.#events.set(client, events);
    this.#bytes += bytesOf(event);
    if (events.length > EVENTS_PER_CLIENT_MAX) this.#forget(events.splice(0, 1));
    while (this.#bytes > TIMELINES_BYTES_MAX) {
      const [quietest] = this.#events;
      if (quietest === undefined) return;
      this.#events.delete(quietest[0]);
      this.#forget(quietest[1]);
    }
  }

  /** The latest last; empty for a client that was never here. */
  of(client: string): readonly LogEvent[] {
    return this.#events.get(client) ?? [];
  }

  /** Memory of all timelines. */
  get bytes(): number {
    return this.#bytes;
  }

  #forget(events: readonly LogEvent[]): void {
    for (const event of events) this.#bytes -= bytesOf(event);
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
