// What happened to a cluster under test, as its clients and its operator saw it: one event after the other,
// each a line of JSON in the file of a run. The checker reads nothing else, so a history can be checked
// again, and by others.
// Invariant: events are in the order of `at`, milliseconds since the start of the run.

/** Names one message: its publisher's client identifier, topic and number. Numbers rise by one for each topic. */
export interface MessageId {
  readonly publisher: string;
  readonly topic: string;
  readonly number: number;
}

export type ChaosEvent = { readonly at: number } & (
  | ({
      readonly kind: 'publish';
      readonly node: string;
      readonly qos: 0 | 1 | 2;
      readonly retain: boolean;
    } & MessageId)
  /** PUBACK or PUBCOMP has come. */
  | ({ readonly kind: 'acknowledged' } & MessageId)
  | ({
      readonly kind: 'delivery';
      readonly client: string;
      readonly node: string;
      /** Of the connection of this client: subscribers without a session begin anew with each. */
      readonly connection: number;
      readonly dup: boolean;
      readonly retain: boolean;
    } & MessageId)
  | { readonly kind: 'will'; readonly client: string; readonly node: string; readonly of: string }
  /** A client with a will has lost its connection on purpose, while nothing else was wrong. */
  | { readonly kind: 'died'; readonly client: string }
  | {
      readonly kind: 'fault';
      readonly what: string;
      readonly target: string;
      readonly phase: 'begin' | 'end';
    }
  /** From now on nothing breaks any more, and the cluster has had time to converge. */
  | { readonly kind: 'quiet' }
  /** What a node says at the end. */
  | { readonly kind: 'retained'; readonly node: string; readonly values: readonly MessageId[] }
  | { readonly kind: 'members'; readonly node: string; readonly online: readonly string[] }
  | { readonly kind: 'clients'; readonly node: string; readonly connected: readonly string[] }
  | {
      readonly kind: 'sample';
      readonly node: string;
      readonly pid: number;
      readonly residentBytes: number;
      readonly descriptors: number;
    }
  /** Round trip of a message of an innocent pair at one node. */
  | { readonly kind: 'latency'; readonly node: string; readonly ms: number }
);

export type EventOf<Kind extends ChaosEvent['kind']> = Extract<ChaosEvent, { kind: Kind }>;

export type EventBody = ChaosEvent extends infer One
  ? One extends ChaosEvent
    ? Omit<One, 'at'>
    : never
  : never;

export class History {
  readonly events: ChaosEvent[] = [];
  readonly #startedAt = performance.now();

  add(event: EventBody): void {
    const at = Math.round((performance.now() - this.#startedAt) * 10) / 10;
    this.events.push({ at, ...event } as ChaosEvent);
  }

  toString(): string {
    return this.events.map((event) => `${JSON.stringify(event)}\n`).join('');
  }
}

export function eventsOf<Kind extends ChaosEvent['kind']>(
  events: readonly ChaosEvent[],
  kind: Kind,
): EventOf<Kind>[] {
  return events.filter((event): event is EventOf<Kind> => event.kind === kind);
}

/** As a key of maps, and in reports. */
export function keyOf({ publisher, topic, number }: MessageId): string {
  return `${publisher} ${topic} ${number}`;
}
