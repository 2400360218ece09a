// Recognises the bridge's own messages when an MQTT 3.1.1 server sends them back, because it has no
// No Local and does not know mosquitto's bridge bit. Such a server returns each message that matches a
// subscription of the bridge exactly once, so each message sent excuses one that arrives.
// Invariant: bounded in number and time; beyond either a message that returns is taken as a new one.

import { fnv1a } from '../shared/fnv1a.ts';

const MESSAGES_MAX = 20_000;
const KEPT_MS = 60_000;

interface Sent {
  count: number;
  at: number;
}

export class OwnMessages {
  /** By topic and hash of the payload, the oldest first. */
  readonly #sent = new Map<string, Sent>();
  readonly #isSubscribed: (topic: string) => boolean;

  /** @param isSubscribed whether the far side returns messages of this topic */
  constructor(isSubscribed: (topic: string) => boolean) {
    this.#isSubscribed = isSubscribed;
  }

  sent(topic: Buffer, payload: Buffer, start: number, end: number, now: number): void {
    const name = topic.toString('utf8');
    if (!this.#isSubscribed(name)) return;
    const key = keyOf(name, payload, start, end);
    const count = (this.#sent.get(key)?.count ?? 0) + 1;
    this.#sent.delete(key);
    this.#sent.set(key, { count, at: now });
    this.#expire(now);
  }

  /** True if the message is one of ours. */
  returned(topic: string, payload: Buffer, start: number, end: number, now: number): boolean {
    this.#expire(now);
    const key = keyOf(topic, payload, start, end);
    const known = this.#sent.get(key);
    if (known === undefined) return false;
    known.count -= 1;
    if (known.count === 0) this.#sent.delete(key);
    return true;
  }

  #expire(now: number): void {
    for (const [key, { at }] of this.#sent) {
      if (now - at < KEPT_MS && this.#sent.size <= MESSAGES_MAX) return;
      this.#sent.delete(key);
    }
  }
}

function keyOf(topic: string, payload: Buffer, start: number, end: number): string {
  return `${end - start} ${fnv1a(payload, start, end)} ${topic}`;
}
