// Measures the longest step of the broker core, without sockets: how long one client, or one moment at
// which much work is due, delays all other clients. `tsx test/bench/micro-pauses.ts [words]`

import { Broker } from '../../src/broker/broker.ts';
import type { Client } from '../../src/broker/client/client.ts';
import type { BrokerOptions } from '../../src/broker/options.ts';
import { type Outbox, openAuthorizer } from '../../src/broker/ports.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import * as wire from '../support/wire.ts';

const words = process.argv.slice(2);

class Bench {
  readonly broker: Broker;
  readonly #random = Math.random;
  now = 0;
  /** Milliseconds of each step. */
  steps: number[] = [];
  #isPending = false;
  #names = 0;

  constructor(options: Partial<BrokerOptions> = {}, permissive = true) {
    const none = Number.POSITIVE_INFINITY;
    this.broker = new Broker({
      options: { sysIntervalSeconds: 0, connectionsMax: none, sessionsMax: none, ...options },
      random: this.#random,
      now: 0,
      log: silentLogger,
      authorizer: { ...openAuthorizer, permissive },
    });
    this.broker.onDeferred = () => {
      this.#isPending = true;
    };
  }

  step(work: () => void): void {
    const started = performance.now();
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    // Processor time is below wall-clock time if other processes ran in between.
    this.steps.push(Math.min(performance.now() - started, (user + system) / 1000));
  }

  /** Runs the work and everything that it defers. */
  run(work: () => void): void {
    this.step(work);
    while (this.#isPending) {
      this.#isPending = false;
      this.step(() => this.broker.runDeferred(this.now));
    }
  }

  advance(ms: number): void {
    this.now += ms;
    while (this.broker.nextDeadline() <= this.now) this.run(() => this.broker.advance(this.now));
  }

  client(fields: wire.ConnectFields = {}): Client {
    const outbox: Outbox = {
      congested: false,
      write: () => undefined,
      close: () => undefined,
      pauseReading: () => undefined,
      resumeReading: () => undefined,
    };
    const client = this.broker.accept(outbox, { remoteAddress: '' }, this.now);
    this.#names += 1;
    this.send(client, wire.connect({ clientId: `c${this.#names}`, ...fields }));
    return client;
  }

  send(client: Client, bytes: Buffer): void {
    this.run(() => client.receive(bytes, this.now));
  }

  subscribe(client: Client, filters: readonly string[], qos = 0): void {
    for (let i = 0; i < filters.length; i += 1000) {
      const part = filters.slice(i, i + 1000).map((filter) => ({ filter, qos }));
      this.send(client, wire.subscribe(5, 1, part));
    }
  }

  publish(client: Client, topic: string, fields: Partial<wire.PublishFields> = {}): void {
    this.send(client, wire.publish(5, { topic, payload: 'x', ...fields }));
  }

  lose(client: Client): void {
    this.run(() => client.disconnected(this.now));
  }
}

/** @param prepare sets up, unmeasured, and returns the work that is measured */
function scene(name: string, prepare: () => { bench: Bench; work: () => void }): void {
  if (!words.every((word) => name.includes(word))) return;
  const { bench, work } = prepare();
  (globalThis as { gc?: () => void }).gc?.();
  bench.steps = [];
  work();
  // The fifth longest is printed too: garbage collection or the compiler may cause the longest.
  const steps = bench.steps.toSorted((a, b) => b - a);
  const [longest, fifth] = [0, 4].map((i) => (steps[i] ?? 0).toFixed(1).padStart(8));
  console.log(`${name.padEnd(62)} ${longest} ms, fifth ${fifth} ms of ${steps.length} steps`);
}

const EXPIRY = { sessionExpiryInterval: 60 };

/** Within the share of filter shapes that a client has. */
const FILTERS_PER_CLIENT = 100;

/** Every combination of + and the level itself. */
function forms(levels: number): string[] {
  return Array.from({ length: 1 << levels }, (_, i) =>
    Array.from({ length: levels }, (_, level) => ((i >> level) & 1 ? '+' : 'a')).join('/'),
  );
}

for (const levels of [13, 16]) {
  scene(`a new topic that 2^${levels} forms of filter match`, () => {
    const bench = new Bench();
    const filters = forms(levels);
    for (let i = 0; i < filters.length; i += FILTERS_PER_CLIENT) {
      const part = filters.slice(i, i + FILTERS_PER_CLIENT).map((filter) => `${filter}/+`);
      bench.subscribe(bench.client(), part);
    }
    const publisher = bench.client();
    return {
      bench,
      work: () => {
        for (let i = 0; i < 20; i++) bench.publish(publisher, `${'a/'.repeat(levels)}${i}`);
      },
    };
  });
}

scene('350 groups of shared subscriptions for one topic', () => {
  const bench = new Bench();
  for (let c = 0; c < 7; c++) {
    const filters = Array.from({ length: 50 }, (_, i) => `$share/g${c}-${i}/t`);
    bench.subscribe(bench.client(), filters);
  }
  const publisher = bench.client();
  return { bench, work: () => bench.publish(publisher, 't') };
});

for (const [count, what, levels] of [
  [10_000, 'short', 2],
  [750, '128-level', 127],
] as const) {
  scene(`the end of a session with ${count} ${what} subscriptions`, () => {
    const bench = new Bench();
    const client = bench.client();
    const filters = Array.from({ length: count }, (_, i) => `${i}${'/a'.repeat(levels)}`);
    bench.subscribe(client, filters);
    return { bench, work: () => bench.lose(client) };
  });
}

scene('clean start takes over a session with 10,000 subscriptions', () => {
  const bench = new Bench();
  const client = bench.client({ clientId: 'big', properties: EXPIRY });
  bench.subscribe(
    client,
    Array.from({ length: 10_000 }, (_, i) => `${i}/a/b`),
  );
  return { bench, work: () => bench.client({ clientId: 'big' }) };
});

scene('resuming a session with an ACL and 10,000 subscriptions', () => {
  const bench = new Bench({}, false);
  const client = bench.client({ clientId: 'big', properties: EXPIRY });
  bench.subscribe(
    client,
    Array.from({ length: 10_000 }, (_, i) => `${i}/a/b`),
  );
  bench.lose(client);
  return { bench, work: () => bench.client({ clientId: 'big', clean: false }) };
});

for (const queue of [1000, 100_000]) {
  scene(`moving ${queue} messages in a shared group of 1,000 offline members`, () => {
    const bench = new Bench({ queueMessagesMax: queue });
    const first = bench.client({ clientId: 'first', properties: EXPIRY });
    bench.subscribe(first, ['$share/g/t'], 1);
    bench.lose(first);
    const publisher = bench.client();
    for (let i = 0; i < queue; i++) {
      bench.publish(publisher, 't', { qos: 1 });
    }
    for (let i = 0; i < 1000; i++) {
      const member = bench.client({ properties: EXPIRY });
      bench.subscribe(member, ['$share/g/t'], 1);
      bench.lose(member);
    }
    return { bench, work: () => bench.client({ clientId: 'first' }) };
  });
}

scene('10,000 filters against 1,000,000 retained messages', () => {
  const bench = new Bench();
  const publisher = bench.client();
  for (let i = 0; i < 1_000_000; i++) {
    bench.publish(publisher, `plant/${i % 1000}/device/${i}`, { retain: true });
  }
  const client = bench.client();
  const filters = Array.from({ length: 10_000 }, (_, i) => `+/+/+/${i}`);
  const one = wire.subscribe(
    5,
    1,
    filters.slice(0, 300).map((filter) => ({ filter })),
  );
  return { bench, work: () => bench.send(client, one) };
});

for (const [what, will, ms] of [
  ['100,000 sessions expire at once', undefined, 60_000],
  ['100,000 delayed wills are due at once', { topic: 'will/1' }, 1000],
] as const) {
  scene(what, () => {
    const bench = new Bench();
    const watcher = bench.client();
    bench.subscribe(watcher, ['will/#']);
    const clients = Array.from({ length: 100_000 }, () =>
      bench.client({
        properties: EXPIRY,
        ...(will && { will: { ...will, properties: { willDelayInterval: 1 } } }),
      }),
    );
    for (const client of clients) bench.subscribe(client, ['a/b']);
    for (const client of clients) bench.lose(client);
    return { bench, work: () => bench.advance(ms) };
  });
}

scene('10,000 clients with wills lose their connections at once', () => {
  const bench = new Bench();
  const watcher = bench.client();
  bench.subscribe(watcher, ['will/#']);
  const clients = Array.from({ length: 10_000 }, (_, i) =>
    bench.client({ will: { topic: `will/${i}` } }),
  );
  return {
    bench,
    work: () => {
      for (const client of clients) bench.lose(client);
    },
  };
});

scene('10,000 clients with wills exceed their keep-alive', () => {
  const bench = new Bench();
  const watcher = bench.client({ keepAlive: 0 });
  bench.subscribe(watcher, ['will/#']);
  for (let i = 0; i < 10_000; i++) bench.client({ keepAlive: 10, will: { topic: `will/${i}` } });
  return { bench, work: () => bench.advance(15_001) };
});

scene('$SYS for 1,000 subscribers', () => {
  const bench = new Bench({ sysIntervalSeconds: 10 });
  for (let i = 0; i < 1000; i++) bench.subscribe(bench.client(), ['$SYS/#']);
  return { bench, work: () => bench.advance(10_000) };
});

scene('new permissions for 20,000 clients', () => {
  const bench = new Bench({}, false);
  for (let i = 0; i < 20_000; i++) bench.subscribe(bench.client(), ['a/b']);
  return { bench, work: () => bench.run(() => bench.broker.applyRights(bench.now)) };
});

scene('1,000 clients flood at the same time', () => {
  const bench = new Bench();
  bench.subscribe(bench.client(), ['#']);
  const clients = Array.from({ length: 1000 }, () => bench.client());
  const flood = Buffer.concat(Array(10_000).fill(wire.publish(5, { topic: 'a', payload: 'x' })));
  return {
    bench,
    work: () => {
      for (const client of clients) bench.step(() => client.receive(flood, 0));
      bench.run(() => undefined);
    },
  };
});
