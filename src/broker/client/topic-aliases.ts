// Topic Aliases in both directions of one MQTT 5 connection (MQTT 5.0 3.3.2.3.4). They end with the
// connection.

import type { RoutedTopic } from '../routing/topic-table.ts';

/** Aliases that the client set. */
export class InboundAliases {
  readonly #topics: (RoutedTopic | undefined)[] = [];

  get(alias: number): RoutedTopic | undefined {
    return this.#topics[alias];
  }

  set(alias: number, topic: RoutedTopic): void {
    while (this.#topics.length <= alias) this.#topics.push(undefined);
    this.#topics[alias] = topic;
  }
}

/** A shorter topic takes no more bytes than its alias. */
const WORTHWHILE_BYTES = 4;

/** Aliases that the broker set towards the client: the most recently sent topics have one. */
export class OutboundAliases {
  readonly #maximum: number;
  /** Alias by topic name, least recently used first. */
  readonly #aliases = new Map<string, number>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The topic's alias (0: none), and whether the client knows it already. */
  use(name: string): { alias: number; known: boolean } {
    if (name.length < WORTHWHILE_BYTES) return { alias: 0, known: false };
    const alias = this.#aliases.get(name);
    if (alias !== undefined) {
      this.#aliases.delete(name);
      this.#aliases.set(name, alias);
      return { alias, known: true };
    }
    return { alias: this.#assign(name), known: false };
  }

  /** Frees an alias whose first packet was not sent. */
  revoke(name: string): void {
    const alias = this.#aliases.get(name);
    if (alias === undefined) return;
    this.#aliases.delete(name);
    this.#free.push(alias);
  }

  readonly #free: number[] = [];

  #assign(name: string): number {
    const free =
      this.#free.pop() ?? (this.#aliases.size < this.#maximum ? this.#aliases.size + 1 : 0);
    const alias = free === 0 ? this.#evict() : free;
    this.#aliases.set(name, alias);
    return alias;
  }

  #evict(): number {
    const [name, alias] = this.#aliases.entries().next().value!;
    this.#aliases.delete(name);
    return alias;
  }
}
