// Topic Aliases in both directions of one MQTT 5 connection (MQTT 5.0 3.3.2.3.4). They end with the
// connection.

import { textBytes } from '../../shared/text-bytes.ts';
import { ALIAS_BYTES, topicBytes } from '../memory-costs.ts';
import type { RoutedTopic } from '../routing/topic-table.ts';
import type { ConnectionMemory } from './connection-memory.ts';

/** Aliases that the client set. */
export class InboundAliases {
  readonly #memory: ConnectionMemory;
  readonly #topics: (RoutedTopic | undefined)[] = [];

  constructor(memory: ConnectionMemory) {
    this.#memory = memory;
  }

  get(alias: number): RoutedTopic | undefined {
    return this.#topics[alias];
  }

  /** @returns the bound that the topic would exceed, in words; undefined once it has the alias */
  set(alias: number, topic: RoutedTopic): string | undefined {
    const known = this.#topics[alias];
    if (known === topic) return undefined;
    const bytes = ALIAS_BYTES + topicBytes(topic);
    const bound = this.#memory.take(bytes - (known ? ALIAS_BYTES + topicBytes(known) : 0));
    if (bound !== undefined) return bound;
    while (this.#topics.length <= alias) this.#topics.push(undefined);
    this.#topics[alias] = topic;
    return undefined;
  }
}

/** A shorter topic takes no more bytes than its alias. */
const WORTHWHILE_BYTES = 4;

/** Aliases that the broker set towards the client: the most recently sent topics have one. */
export class OutboundAliases {
  readonly #maximum: number;
  readonly #memory: ConnectionMemory;
  /** Alias by topic name, least recently used first. */
  readonly #aliases = new Map<string, number>();
  /** Revoked, and not assigned again. */
  readonly #free: number[] = [];

  constructor(maximum: number, memory: ConnectionMemory) {
    this.#maximum = maximum;
    this.#memory = memory;
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
    this.#remove(name);
    this.#free.push(alias);
  }

  /** @returns 0 if there is no memory for another alias: the topic goes without */
  #assign(name: string): number {
    if (this.#memory.take(ALIAS_BYTES + textBytes(name)) !== undefined) return 0;
    const free =
      this.#free.pop() ?? (this.#aliases.size < this.#maximum ? this.#aliases.size + 1 : 0);
    const alias = free === 0 ? this.#evict() : free;
    this.#aliases.set(name, alias);
    return alias;
  }

  #evict(): number {
    const [name, alias] = this.#aliases.entries().next().value!;
    this.#remove(name);
    return alias;
  }

  #remove(name: string): void {
    this.#aliases.delete(name);
    this.#memory.take(-ALIAS_BYTES - textBytes(name));
  }
}
