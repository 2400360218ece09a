// Messages a second of each client, from the counters that two looks at it have shown: the node itself
// measures no rates. Pure.

interface CountedClient {
  readonly id: string;
  readonly node: string;
  /** With its port; null while it is not connected. */
  readonly address: string | null;
  readonly publishReceived?: number | null | undefined;
  readonly publishSent?: number | null | undefined;
}

export interface MessageRates {
  readonly receivedPerSecond: number;
  readonly sentPerSecond: number;
}

interface Look {
  readonly at: number;
  readonly clients: ReadonlyMap<string, CountedClient>;
}

export class MessageRateMeter {
  #before: Look = { at: 0, clients: new Map() };
  #last: Look = this.#before;

  /** @param at milliseconds of any clock that only rises */
  look(clients: readonly CountedClient[], at: number): void {
    this.#before = this.#last;
    this.#last = { at, clients: new Map(clients.map((client) => [keyOf(client), client])) };
  }

  /** @returns undefined if the client was not connected, with this connection, at both looks */
  of(client: CountedClient): MessageRates | undefined {
    const key = keyOf(client);
    const before = this.#before.clients.get(key);
    const last = this.#last.clients.get(key);
    const seconds = (this.#last.at - this.#before.at) / 1000;
    if (before === undefined || last === undefined || seconds <= 0) return undefined;
    const rate = (from: number | null | undefined, to: number | null | undefined) =>
      from == null || to == null ? undefined : Math.max(0, to - from) / seconds;
    const receivedPerSecond = rate(before.publishReceived, last.publishReceived);
    const sentPerSecond = rate(before.publishSent, last.publishSent);
    if (receivedPerSecond === undefined || sentPerSecond === undefined) return undefined;
    return { receivedPerSecond, sentPerSecond };
  }
}

/** The counters begin with a connection, and another one has another port. */
function keyOf({ node, id, address }: CountedClient): string {
  return JSON.stringify([node, id, address]);
}
