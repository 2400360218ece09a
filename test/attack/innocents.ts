// A publisher and a subscriber that behave: a message every few milliseconds, whatever the node does, and
// how long each needs to arrive. A message that waits in the publisher counts from the time when it was due.

import { connect, type Socket } from 'node:net';
import * as wire from '../support/wire.ts';
import type { Target } from './attack-client.ts';

const PERIOD_MS = 2;

export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly messages: number;
  /** Messages that were published and had not arrived at the end. */
  readonly missing: number;
}

export class Innocents {
  #latencies: number[] = [];
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  readonly #publisher: Socket;
  readonly #subscriber: Socket;

  private constructor(publisher: Socket, subscriber: Socket) {
    this.#publisher = publisher;
    this.#subscriber = subscriber;
  }

  static async connect(target: Target): Promise<Innocents> {
    const subscriber = await opened(target, 'innocent-subscriber');
    subscriber.write(wire.subscribe(5, 1, [{ filter: 'innocent/value', qos: 0 }]));
    await first(subscriber);
    const pair = new Innocents(await opened(target, 'innocent-publisher'), subscriber);
    pair.#listen();
    return pair;
  }

  #listen(): void {
    let rest: Buffer = Buffer.alloc(0);
    this.#subscriber.on('data', (chunk: Buffer) => {
      const { packets, rest: tail } = wire.decode(5, Buffer.concat([rest, chunk]));
      rest = tail;
      const now = performance.now();
      for (const { payload } of packets) this.#latencies.push(now - Number(payload));
    });
  }

  /** Publishes for so long. */
  async measure(ms: number): Promise<Latencies> {
    this.#latencies = [];
    this.#sent = 0;
    this.#dueAt = performance.now();
    this.#timer = setInterval(() => this.#publishDue(), 1);
    await new Promise((resolve) => setTimeout(resolve, ms));
    clearInterval(this.#timer);
    const giveUpAt = performance.now() + 30_000;
    while (this.#latencies.length < this.#sent && performance.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#summary();
  }

  #publishDue(): void {
    const now = performance.now();
    for (; this.#dueAt <= now; this.#dueAt += PERIOD_MS) {
      // After a pause of this process itself the message is late, but not by the node's fault.
      const payload = String(Math.max(this.#dueAt, now - PERIOD_MS));
      this.#publisher.write(wire.publish(5, { topic: 'innocent/value', payload }));
      this.#sent += 1;
    }
  }

  #summary(): Latencies {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    const missing = this.#sent - sorted.length;
    return {
      p50: at(0.5),
      p99: at(0.99),
      max: sorted.at(-1) ?? Number.NaN,
      messages: this.#sent,
      missing,
    };
  }

  close(): void {
    this.#publisher.destroy();
    this.#subscriber.destroy();
  }
}

async function opened({ host, port }: Target, clientId: string): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  socket.write(wire.connect({ clientId }));
  await first(socket);
  return socket;
}

function first(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('data', () => resolve());
    socket.once('close', () => reject(new Error('the node refused an innocent client')));
    socket.once('error', reject);
  });
}
