// Reads a response of server-sent events: the event's name and its JSON.
// Source: WHATWG HTML, "Server-sent events".

import type { Readable } from 'node:stream';

export interface SentEvent {
  readonly event: string;
  readonly data: unknown;
}

/** Ends with the response. */
export async function* sentEvents(response: Readable): AsyncIterable<SentEvent> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, event] = /^event: (.*)$/m.exec(block) ?? [];
      const [, data] = /^data: (.*)$/m.exec(block) ?? [];
      // A comment keeps the connection alive.
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}
