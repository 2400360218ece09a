// Reads a response of server-sent events: the event's name and its JSON.

import type { Readable } from 'node:stream';
import { type SentEvent, SentEventReader } from '../shared/sent-events.ts';

/** Ends with the response. */
export async function* sentEvents(response: Readable): AsyncIterable<SentEvent> {
  const reader = new SentEventReader();
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    yield* reader.take(chunk);
  }
}
