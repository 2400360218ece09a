// Cuts text of server-sent events into events: for the commands and for the dashboard. Knows no transport.
// A line ends with a line feed only: topics and log lines may have every other character that some programs take for
// the end of a line, such as U+2028. Source: WHATWG HTML, "Server-sent events".

export interface SentEvent {
  readonly event: string;
  readonly data: unknown;
}

export class SentEventReader {
  #rest = '';

  /**
   * @param text the next piece of the response, cut anywhere between two characters
   * @returns the events that it makes whole
   * @throws SyntaxError if the data of an event is not JSON
   */
  take(text: string): SentEvent[] {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const lines = block.split('\n');
      const event = fieldOf(lines, 'event: ');
      const data = fieldOf(lines, 'data: ');
      // A comment keeps the connection alive.
      return event === undefined || data === undefined ? [] : [{ event, data: JSON.parse(data) }];
    });
  }
}

function fieldOf(lines: readonly string[], name: string): string | undefined {
  return lines.find((line) => line.startsWith(name))?.slice(name.length);
}
