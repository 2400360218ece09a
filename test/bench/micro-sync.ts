// Measures the sync core without a socket: nanoseconds of processor time for each message.
//   node --import tsx test/bench/micro-sync.ts

import { SyncNode } from '../../src/sync/sync-node.ts';
import {
  publishPacket,
  syncKeys,
  syncNodeOptions,
  topicOf,
  viewOf,
} from '../support/sync-fixtures.ts';

const ROUNDS = 7;
const TURN_MESSAGES = 2000;

interface Scenario {
  readonly name: string;
  readonly payloadBytes: number;
  readonly version: 4 | 5;
  readonly qos: 0 | 1;
  readonly encrypt?: boolean;
  readonly userProperties?: boolean;
}

const SCENARIOS: readonly Scenario[] = [
  { name: '64 B, v3.1.1, QoS 0', payloadBytes: 64, version: 4, qos: 0 },
  { name: '64 B, v3.1.1, QoS 1', payloadBytes: 64, version: 4, qos: 1 },
  { name: '64 B, v5, QoS 0', payloadBytes: 64, version: 5, qos: 0 },
  {
    name: '64 B, v5, 2 user properties',
    payloadBytes: 64,
    version: 5,
    qos: 0,
    userProperties: true,
  },
  { name: '64 B, v3.1.1, encrypted', payloadBytes: 64, version: 4, qos: 0, encrypt: true },
  { name: '1 KB, v3.1.1, QoS 0', payloadBytes: 1024, version: 4, qos: 0 },
  { name: '3.9 KB, v3.1.1, QoS 0', payloadBytes: 3900, version: 4, qos: 0 },
];

async function node(
  bootId: bigint,
  encrypt: boolean,
  send: (datagram: Buffer) => void,
  publishFromPeer: () => void,
): Promise<SyncNode> {
  return new SyncNode({
    ...syncNodeOptions(await syncKeys('token')),
    bootId,
    encrypt,
    queueLength: 1024,
    outbox: {
      send: (datagram) => {
        send(datagram);
        return true;
      },
      isReady: () => true,
    },
    randomNonce: () => Buffer.alloc(8, Number(bootId)),
    handler: { publishFromPeer },
  });
}

async function measure(scenario: Scenario): Promise<void> {
  const { payloadBytes, version, qos, encrypt = false } = scenario;
  let delivered = 0;
  let wire: Buffer[] = [];
  let keep = true;
  const a = await node(
    1n,
    encrypt,
    (datagram) => {
      if (keep) wire.push(Buffer.from(datagram));
    },
    () => {},
  );
  let replies: Buffer[] = [];
  const b = await node(
    2n,
    encrypt,
    (datagram) => replies.push(Buffer.from(datagram)),
    () => {
      delivered += 1;
    },
  );
  const endpoint = { address: '127.0.0.1', port: 1 };
  /** Both begin anew. A node sends data only to a peer that has answered, so each hears the other. */
  const meet = (): void => {
    a.setPeers([], 0);
    b.setPeers([], 0);
    wire = [];
    replies = [];
    keep = true;
    a.setPeers([{ name: 'b', bootId: 2n, endpoint }], 0);
    b.setPeers([{ name: 'a', bootId: 1n, endpoint }], 0);
    while (wire.length + replies.length > 0) {
      for (const datagram of replies.splice(0)) a.receive(datagram, 0);
      for (const datagram of wire.splice(0)) b.receive(datagram, 0);
    }
  };
  const packet = publishPacket(
    {
      topic: 'sensors/kitchen/7',
      payload: Buffer.alloc(payloadBytes, 120),
      qos,
      ...(scenario.userProperties === true
        ? { properties: { userProperties: { unit: 'C', site: 'north' } } }
        : {}),
    },
    version,
  );
  const view = viewOf(packet, version);
  const topic = topicOf(view);
  const forwardNs: number[] = [];
  const receiveNs: number[] = [];
  const turns = Math.max(10, Math.floor(400_000 / TURN_MESSAGES / (payloadBytes > 500 ? 8 : 1)));
  let datagrams = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // Node b does not receive what a sent last in the round before, so both begin anew.
    meet();
    for (let i = 0; i < TURN_MESSAGES; i++) a.forward(view, topic, 'client');
    a.flush(0);
    datagrams = wire.length;
    const receiveFrom = cpuNs();
    for (const datagram of wire) b.receive(datagram, 0);
    const receiveTime = cpuNs() - receiveFrom;
    if (round > 1) receiveNs.push(receiveTime / TURN_MESSAGES);
    keep = false;
    const from = cpuNs();
    for (let turn = 0; turn < turns; turn++) {
      for (let i = 0; i < TURN_MESSAGES; i++) a.forward(view, topic, 'client');
      a.flush(0);
    }
    if (round > 1) {
      forwardNs.push((cpuNs() - from) / (turns * TURN_MESSAGES));
    }
  }
  if (delivered !== ROUNDS * TURN_MESSAGES) throw new Error(`delivered ${delivered}`);
  console.log(
    `${scenario.name.padEnd(30)} forward ${median(forwardNs).toFixed(0).padStart(6)} ns/message` +
      `   receive ${median(receiveNs).toFixed(0).padStart(6)} ns/message` +
      `   ${(TURN_MESSAGES / datagrams).toFixed(1)} messages a datagram`,
  );
}

/** Uses processor time, which other processes disturb least. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

function median(values: number[]): number {
  const sorted = values.sort((x, y) => x - y);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

for (const scenario of SCENARIOS) await measure(scenario);
