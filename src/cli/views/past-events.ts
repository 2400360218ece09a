// The past events of all nodes come node by node: `shoal watch` gathers those of its first moment and shows
// them in the order of their times.

export interface TimedLine {
  /** ms since 1970. */
  readonly at: number;
  readonly line: string;
}

export class PastEvents {
  readonly #show: (line: string) => void;
  #gathered: TimedLine[] | undefined = [];

  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  add(event: TimedLine): void {
    if (this.#gathered === undefined) this.#show(event.line);
    else this.#gathered.push(event);
  }

  /** Shows what was gathered; later events are shown at once. */
  end(): void {
    const gathered = this.#gathered ?? [];
    this.#gathered = undefined;
    for (const { line } of gathered.sort((a, b) => a.at - b.at)) this.#show(line);
  }
}
