// What happened to a cluster under test, as its clients and its operator saw it: one event after the other,
// each a line of JSON in the file of a run. The checker reads nothing else, so a history can be checked
// again, and by others.
// Invariant: events are in the order of `at`, milliseconds since the start of the run.

import { writeSync } from 'node:fs';
import type { Shared } from './options.ts';

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
      readonly dup: boolean;
      readonly retain: boolean;
    } & MessageId)
  /** From now on the client reads what matches; where it has a session, without a gap. */
  | {
      readonly kind: 'subscribed';
      readonly client: string;
      readonly node: string;
      readonly filter: string;
    }
  | { readonly kind: 'will'; readonly client: string; readonly node: string; readonly of: string }
  /** A client with a will has lost its connection on purpose, while nothing else was wrong. */
  | { readonly kind: 'died'; readonly client: string }
  | {
      readonly kind: 'fault';
      readonly what: string;
      readonly target: string;
      readonly phase: 'begin' | 'end';
    }
  /** A node starts with these options. */
  | {
      readonly kind: 'start';
      readonly node: string;
      readonly hasData: boolean;
      readonly flags: readonly string[];
    }
  /** The process of a node has ended. */
  | {
      readonly kind: 'ended';
      readonly node: string;
      readonly code: number | null;
      readonly signal: string | null;
      /** By whom: the test kills it, or stops it as an operator does; or it ends by itself. */
      readonly by: 'kill' | 'stop' | 'itself';
    }
  /** A node logs a line of level `error`. */
  | { readonly kind: 'error'; readonly node: string; readonly text: string }
  /** From now on things break, until the next `quiet`. */
  | { readonly kind: 'round'; readonly shared: Shared }
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
  /** A client that only measures has got back what it sent, now. */
  | { readonly kind: 'ping'; readonly node: string; readonly ms: number }
  /** The connection of that client has ended. */
  | { readonly kind: 'ping lost'; readonly node: string }
  /** The machine has let a process wait for a processor, of the time since then. */
  | {
      readonly kind: 'starved';
      readonly process: string;
      /** Of all of its threads together. */
      readonly ms: number;
      /** Of the thread with the event loop. */
      readonly loopMs: number;
      readonly since: number;
    }
);

const EVENTS_AT_ONCE = 10_000;

export type EventOf<Kind extends ChaosEvent['kind']> = Extract<ChaosEvent, { kind: Kind }>;

export type EventBody = ChaosEvent extends infer One
  ? One extends ChaosEvent
    ? Omit<One, 'at'>
    : never
  : never;

export class History {
  readonly events: ChaosEvent[] = [];
  readonly #startedAt: number;

  /** @param now milliseconds since the start of the run, if that was earlier */
  constructor(now = 0) {
    this.#startedAt = performance.now() - now;
  }

  /** Milliseconds since the start of the run. */
  get now(): number {
    return Math.round((performance.now() - this.#startedAt) * 10) / 10;
  }

  add(event: EventBody): void {
    this.events.push({ at: this.now, ...event } as ChaosEvent);
  }

  /** Appends events of a history of the same run. */
  append(later: History): void {
    for (const event of later.events) this.events.push(event);
  }

  /** The history of an hour is longer than a string may be. */
  writeTo(file: number): void {
    for (let i = 0; i < this.events.length; i += EVENTS_AT_ONCE) {
      const some = this.events.slice(i, i + EVENTS_AT_ONCE);
      writeSync(file, some.map((event) => `${JSON.stringify(event)}\n`).join(''));
    }
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
