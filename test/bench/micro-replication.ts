// What replicated state costs messages that are not retained: processor time of each message from a client of
// one node to a subscriber of another one, with registers and without. Both run in turn, in a process each,
// so that neither compiles the other's code. Prints medians and their ratio.
//   node --import tsx test/bench/micro-replication.ts [rounds]

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Broker } from '../../src/broker/broker.ts';
import type { PeerForwarder } from '../../src/broker/ports.ts';
import { ClusterClients } from '../../src/node/replication/client-directory.ts';
import { RetainedReplication } from '../../src/node/replication/retained-replication.ts';
import { ClusterClock } from '../../src/replica/cluster-clock.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { SyncNode } from '../../src/sync/sync-node.ts';
import { syncKeys, syncNodeOptions } from '../support/sync-fixtures.ts';
import { connectPacket, publishPacket, subscribePacket } from './load/packets.ts';

const ROUNDS = Number(process.argv[2] ?? 9);
const MEASURE_MS = 2000;
const BATCH = 500;
const keys = await syncKeys('token');

const sink = {
  congested: false,
  write: () => undefined,
  close: () => undefined,
  pauseReading: () => undefined,
  resumeReading: () => undefined,
};

/** One node: broker, registers if wanted, and the core of the sync channel. */
class Node {
  readonly broker: Broker;
  readonly sync: SyncNode;
  readonly bootId: bigint;
  /** Datagrams for the other node. */
  sent: Buffer[] = [];

  constructor(bootId: bigint, hasRegisters: boolean) {
    this.bootId = bootId;
    const options = { sysIntervalSeconds: 0 };
    const broker = new Broker({ options, random: Math.random, now: 0, log: silentLogger });
    this.broker = broker;
    const shared = {
      bootId,
      clock: new ClusterClock(0, 1),
      broker,
      now: () => performance.now(),
      send: () => undefined,
      messageBytesMax: 1100,
    };
    const clients = hasRegisters ? new ClusterClients({ ...shared, nameOf: String }) : undefined;
    const retained = hasRegisters
      ? new RetainedReplication({
          ...shared,
          topics: ['#'],
          registersMax: 10_000,
          tombstoneMs: 86_400_000,
          store: undefined,
          watcher: clients?.mistaken,
        })
      : undefined;
    this.sync = new SyncNode({
      ...syncNodeOptions(keys),
      bootId,
      queueLength: 1024,
      outbox: {
        send: (datagram) => {
          this.sent.push(Buffer.from(datagram));
          return true;
        },
        isReady: () => true,
      },
      randomNonce: () => Buffer.alloc(8, Number(bootId)),
      handler: retained ?? broker,
      repairHandler: retained,
    });
    const { sync } = this;
    retained?.use(sync);
    broker.clientDirectory = clients;
    const plain: PeerForwarder = {
      forward: (view, topic, clientId) => sync.forward(view, topic, clientId),
      get lastNumber() {
        return sync.lastNumber;
      },
    };
    broker.forwarder = retained ?? plain;
  }
}

/** @returns nanoseconds of processor time for each message */
function measure(hasRegisters: boolean): number {
  const [a, b] = [new Node(1n, hasRegisters), new Node(2n, hasRegisters)];
  const endpoint = { address: '127.0.0.1', port: 1 };
  const carry = (): void => {
    while (a.sent.length + b.sent.length > 0) {
      for (const datagram of a.sent.splice(0)) b.sync.receive(datagram, 0);
      for (const datagram of b.sent.splice(0)) a.sync.receive(datagram, 0);
    }
  };
  a.sync.setPeers([{ name: 'b', bootId: 2n, endpoint }], 0);
  b.sync.setPeers([{ name: 'a', bootId: 1n, endpoint }], 0);
  carry();
  const info = { remoteAddress: '' };
  const publisher = a.broker.accept(sink, info, 0);
  publisher.receive(connectPacket('publisher', false), 0);
  const subscriber = b.broker.accept(sink, info, 0);
  subscriber.receive(connectPacket('subscriber', false), 0);
  subscriber.receive(subscribePacket(['bench/#'], 0), 0);
  const payload = Buffer.alloc(64, 0x61);
  const packets = Array.from({ length: BATCH }, (_, n) =>
    publishPacket(`bench/${n % 50}`, 0, payload),
  );
  const batch = Buffer.concat(packets);
  const run = (ms: number): number => {
    const before = process.cpuUsage();
    let messages = 0;
    for (const until = performance.now() + ms; performance.now() < until; messages += BATCH) {
      publisher.receive(Buffer.from(batch), 0);
      a.sync.flush(0);
      carry();
      a.broker.runDeferred(0);
      b.broker.runDeferred(0);
    }
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / messages;
  };
  run(MEASURE_MS / 2);
  return run(MEASURE_MS);
}

function median(values: readonly number[]): number {
  return [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)]!;
}

async function measureInProcess(word: string): Promise<number> {
  const child = fork(import.meta.filename, [word], { stdio: 'inherit' });
  const [figure] = await once(child, 'message');
  await once(child, 'exit');
  return Number(figure);
}

const [word] = process.argv.slice(2);
if (process.send !== undefined && (word === 'on' || word === 'off')) {
  process.send(measure(word === 'on'));
  process.disconnect();
} else {
  const on: number[] = [];
  const off: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // The order changes, so that neither always follows the other.
    for (const one of round % 2 === 0 ? ['off', 'on'] : ['on', 'off']) {
      (one === 'on' ? on : off).push(await measureInProcess(one));
    }
  }
  const ratio = (median(on) / median(off) - 1) * 100;
  console.log(`off ${median(off).toFixed(0)} ns, on ${median(on).toFixed(0)} ns a message`);
  console.log(`registers cost ${ratio.toFixed(1)} % for messages that are not retained`);
}
