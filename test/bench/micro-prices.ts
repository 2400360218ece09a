// Measures what the kinds of work cost that src/broker/prices.ts has prices for: nanoseconds of processor
// time beside the price, which is in units of 10 ns. A price far below its cost makes turns too long.
//   node --import tsx test/bench/micro-prices.ts [words]

import { Broker } from '../../src/broker/broker.ts';
import type { Client } from '../../src/broker/client/client.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import * as wire from '../support/wire.ts';

const MEASURE_MS = 700;
const UNIT_NS = 10;
const words = process.argv.slice(2);

class Bench {
  readonly broker: Broker;
  #isPending = false;
  #names = 0;

  constructor() {
    const none = Number.POSITIVE_INFINITY;
    const bounds = { connectionsMax: none, sessionsMax: none, retainedMessagesMax: none };
    const options = { sysIntervalSeconds: 0, ...bounds, retainedBytesMax: none };
    this.broker = new Broker({ options, random: Math.random, now: 0, log: silentLogger });
    this.broker.onDeferred = () => {
      this.#isPending = true;
    };
  }

  client(fields: wire.ConnectFields = {}, congested = false): Client {
    const nothing = (): void => undefined;
    const outbox = {
      write: nothing,
      close: nothing,
      pauseReading: nothing,
      resumeReading: nothing,
    };
    const client = this.broker.accept({ congested, ...outbox }, { remoteAddress: '' }, 0);
    this.#names += 1;
    this.send(client, wire.connect({ clientId: `c${this.#names}`, ...fields }));
    return client;
  }

  /** @returns the work that was spent, in units */
  send(client: Client, bytes: Buffer): number {
    const { budget } = this.broker.context;
    let spent = 0;
    const turn = (work: () => void): void => {
      work();
      spent += budget.spentInTurn;
    };
    budget.beginTurn(0);
    turn(() => client.receive(bytes, 0));
    while (this.#isPending) {
      this.#isPending = false;
      turn(() => this.broker.runDeferred(0));
    }
    return spent;
  }
}

/** @param prepare returns one step: it does `count` pieces of work, and returns what they were charged */
function kind(name: string, count: number, prepare: (bench: Bench) => () => number): void {
  if (!words.every((word) => name.includes(word))) return;
  const step = prepare(new Bench());
  const warmUntil = performance.now() + MEASURE_MS / 2;
  while (performance.now() < warmUntil) step();
  const before = process.cpuUsage();
  const until = performance.now() + MEASURE_MS;
  let steps = 0;
  let units = 0;
  for (; performance.now() < until; steps++) units += step();
  const { user, system } = process.cpuUsage(before);
  const costNs = ((user + system) * 1000) / (steps * count);
  const priceNs = (units * UNIT_NS) / (steps * count);
  const ratio = (costNs / priceNs).toFixed(1);
  const figures = `${costNs.toFixed(0).padStart(8)} ns, price ${priceNs.toFixed(0).padStart(8)} ns`;
  process.stdout.write(`${name.padEnd(52)} ${figures}, cost/price ${ratio}\n`);
}

const many = (count: number, packet: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => packet(i)));
const publish = (topic: string, fields: Partial<wire.PublishFields> = {}): Buffer =>
  wire.publish(5, { topic, payload: Buffer.alloc(64), ...fields });

kind('a PINGREQ', 5000, (bench) => {
  const client = bench.client();
  const bytes = many(5000, () => wire.PINGREQ);
  return () => bench.send(client, bytes);
});

kind('a message of 64 B to no subscriber', 1000, (bench) => {
  const client = bench.client();
  const bytes = many(1000, () => publish('t'));
  return () => bench.send(client, bytes);
});

kind('a message of 64 B to 1 of 100 subscribers', 20_000, (bench) => {
  for (let i = 0; i < 100; i++) bench.send(bench.client(), wire.subscribe(5, 1, [{ filter: 't' }]));
  const client = bench.client();
  const bytes = many(200, () => publish('t'));
  return () => bench.send(client, bytes);
});

kind('a message with QoS 1 to a session with a full queue', 20_000, (bench) => {
  for (let i = 0; i < 100; i++) {
    bench.send(bench.client(), wire.subscribe(5, 1, [{ filter: 't', qos: 1 }]));
  }
  const client = bench.client();
  const bytes = many(200, (i) => publish('t', { qos: 1, id: i + 1 }));
  return () => bench.send(client, bytes);
});

kind('a message for a client that does not read', 20_000, (bench) => {
  for (let i = 0; i < 100; i++) {
    bench.send(bench.client({}, true), wire.subscribe(5, 1, [{ filter: 't' }]));
  }
  const client = bench.client();
  const bytes = many(200, () => publish('t'));
  return () => bench.send(client, bytes);
});

kind('a QoS 2 exchange of a publisher', 500, (bench) => {
  const client = bench.client();
  const bytes = many(500, (i) =>
    Buffer.concat([publish('t', { qos: 2, id: i + 1 }), wire.ack('pubrel', i + 1)]),
  );
  return () => bench.send(client, bytes);
});

for (const levels of [3, 120]) {
  let n = 0;
  kind(`a message to a new topic of ${levels} levels`, 200, (bench) => {
    bench.send(bench.client(), wire.subscribe(5, 1, [{ filter: 'x/#' }]));
    const client = bench.client();
    return () => {
      const bytes = many(200, () => {
        n += 1;
        return publish(`${'a/'.repeat(levels - 1)}${n}`);
      });
      return bench.send(client, bytes);
    };
  });
}

for (const levels of [3, 120]) {
  kind(`setting a retained message with ${levels} levels`, 1000, (bench) => {
    const client = bench.client();
    const bytes = many(1000, (i) => publish(`${'a/'.repeat(levels - 1)}${i}`, { retain: true }));
    return () => bench.send(client, bytes);
  });
}

kind('a retained message for a new subscription', 10_000, (bench) => {
  const client = bench.client();
  bench.send(
    client,
    many(10_000, (i) => publish(`r/${i}`, { retain: true })),
  );
  const bytes = wire.subscribe(5, 1, [{ filter: 'r/#' }]);
  return () => bench.send(client, bytes);
});

kind('a subscription that is made and ended', 1000, (bench) => {
  const client = bench.client();
  const filters = Array.from({ length: 1000 }, (_, i) => `${i}/b/c/d`);
  const bytes = Buffer.concat([wire.subscribe(5, 1, filters), wire.unsubscribe(5, 1, filters)]);
  return () => bench.send(client, bytes);
});

kind('one of 4,000 entries of a route that is found anew', 4000, (bench) => {
  for (let i = 0; i < 2000; i++) {
    bench.send(bench.client(), wire.subscribe(5, 1, [{ filter: 't/#' }, { filter: 't/+' }]));
  }
  const client = bench.client();
  const change = Buffer.concat([wire.subscribe(5, 1, ['x']), wire.unsubscribe(5, 1, ['x'])]);
  const bytes = Buffer.concat([change, publish('t/a')]);
  return () => bench.send(client, bytes);
});

kind('a connection that begins and ends', 1, (bench) => () => {
  const client = bench.client();
  return bench.send(client, wire.disconnect()) + 2000;
});
