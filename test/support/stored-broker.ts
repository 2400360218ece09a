// A broker core with a journal on a disk in memory, for tests: starts, loses its power, starts again
// on what is left. Clocks are moved by hand; the log is kept.

import { after } from 'node:test';
import type { BrokerOptions } from '../../src/broker/options.ts';
import type { Logger } from '../../src/shared/logger.ts';
import { Journal, type JournalOptions } from '../../src/storage/journal.ts';
import { MemoryDisk } from './memory-disk.ts';
import { type TestClient, World } from './mqtt-world.ts';
import * as wire from './wire.ts';

export const WALL_MS = Date.UTC(2026, 0, 1);
const WAIT_MS_MAX = 60_000;

/** A journal on a full disk keeps trying, and would keep the process from its end. */
const started: WeakRef<Journal>[] = [];
after(async () => {
  for (const journal of started) await journal.deref()?.close();
});

export interface StartOptions {
  readonly disk?: MemoryDisk;
  readonly broker?: Partial<BrokerOptions>;
  readonly journal?: Partial<JournalOptions>;
  /** Wall clock at the start. */
  readonly wallMs?: number;
}

export class StoredBroker {
  readonly disk: MemoryDisk;
  readonly world: World;
  readonly journal: Journal;
  /** Events with their fields, one line each. */
  readonly lines: string[];

  private constructor(disk: MemoryDisk, world: World, journal: Journal, lines: string[]) {
    this.disk = disk;
    this.world = world;
    this.journal = journal;
    this.lines = lines;
  }

  static async start(options: StartOptions = {}): Promise<StoredBroker> {
    const { disk = new MemoryDisk(), wallMs = WALL_MS } = options;
    const lines: string[] = [];
    const note = (event: string, fields = {}): void => {
      lines.push(`${event} ${JSON.stringify(fields)}`);
    };
    const log: Logger = { debug: () => undefined, info: note, warn: note, error: note };
    const clock: { world?: World } = {};
    const startMs = new World().now;
    const { journal, state } = await Journal.open({
      folder: 'memory',
      disk,
      log,
      now: () => {
        const mono = clock.world?.now ?? startMs;
        return { wall: wallMs + mono - startMs, mono };
      },
      retryMs: 1,
      ...options.journal,
    });
    started.push(new WeakRef(journal));
    const world = new World(options.broker ?? {}, { store: journal, log });
    clock.world = world;
    const { broker } = world;
    broker.onDeferred = () => setImmediate(() => broker.runDeferred(world.now));
    world.broker.importState(state);
    journal.useCapture((writer) => world.broker.exportState(writer, world.now));
    return new StoredBroker(disk, world, journal, lines);
  }

  /** Resolves when everything recorded so far is on the disk. */
  safe(): Promise<void> {
    return new Promise((done) => {
      if (this.journal.whenDurable(() => done()) === 'durable') done();
    });
  }

  /** Lets the event loop turn until it holds. */
  async until(holds: () => boolean, what = 'what the test waits for'): Promise<void> {
    for (const end = performance.now() + WAIT_MS_MAX; performance.now() < end; ) {
      if (holds()) return;
      await new Promise((next) => setImmediate(next));
    }
    throw new Error(`${what} does not come; the log:\n${this.lines.join('\n')}`);
  }

  /** The power goes; nothing that was not synced is left. */
  cut(options: StartOptions = {}): Promise<StoredBroker> {
    return StoredBroker.start({ disk: this.disk.powerCut(() => 0), ...options });
  }
}

export const FOR_EVER = {
  clean: false,
  properties: { sessionExpiryInterval: 0xffffffff },
} as const;

/** A subscriber to everything whose SUBACK came. */
export async function subscriber(
  stored: StoredBroker,
  clientId = 'sub',
  qos: 1 | 2 = 2,
): Promise<TestClient> {
  const client = stored.world.connect(clientId, FOR_EVER);
  client.send(wire.subscribe(5, 1, [{ filter: '#', qos }]));
  await stored.until(() => typesOf(client).includes('suback'));
  client.inbox.length = 0;
  return client;
}

export function publish(client: TestClient, id: number, payload: string, qos: 1 | 2 = 1): void {
  client.send(wire.publish(client.version, { topic: 't', payload, qos, id }));
}

/** Types of the packets that wait. */
export function typesOf(client: TestClient): string[] {
  return client.inbox.map(({ type }) => type);
}

/** Lets the event loop turn. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((next) => setImmediate(next));
}
