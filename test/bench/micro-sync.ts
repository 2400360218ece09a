// Measures the sync core without a socket: nanoseconds of processor time for each message, of the node
// that forwards it and of the one that receives it. Acks go back, as the window of the sender needs them.
// A copy of each datagram takes the place of the kernel's; it counts for the sender.
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
/** The first rounds only compile. */
const WARM_ROUNDS = 2;
const ROUND_BYTES = 10_000_000;
/** Of the messages of one turn: they fit into the queue of the sender. */
const TURN_BYTES = 250_000;

interface Scenario {
  readonly name: string;
  readonly payloadBytes: number;
  readonly version: 4 | 5;
  readonly qos: 0 | 1;
  readonly encrypt?: boolean;
  readonly userProperties?: boolean;
  /** Undefined: as on an Ethernet. */
  readonly datagramBytes?: number;
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
  { name: '64 B, over loopback', payloadBytes: 64, version: 4, qos: 0, datagramBytes: 65_000 },
  { name: '1 KB, over loopback', payloadBytes: 1024, version: 4, qos: 0, datagramBytes: 65_000 },
  { name: '3.9 KB, over loopback', payloadBytes: 3900, version: 4, qos: 0, datagramBytes: 65_000 },
];

async function node(
  bootId: bigint,
  { encrypt = false, datagramBytes }: Scenario,
  send: (datagram: Buffer) => void,
  publishFromPeer: () => void,
): Promise<SyncNode> {
  return new SyncNode({
    ...syncNodeOptions(await syncKeys('token')),
    bootId,
    encrypt,
    ...(datagramBytes === undefined ? {} : { datagramBytes }),
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
  const { payloadBytes, version, qos } = scenario;
  let delivered = 0;
  const wire: Buffer[] = [];
  const replies: Buffer[] = [];
  let datagrams = 0;
  const send = (datagram: Buffer): void => {
    datagrams += 1;
    wire.push(Buffer.from(datagram));
  };
  const a = await node(1n, scenario, send, () => {});
  const b = await node(
    2n,
    scenario,
    (datagram) => replies.push(Buffer.from(datagram)),
    () => {
      delivered += 1;
    },
  );
  let now = 0;
  let [sendNs, receiveNs] = [0, 0];
  /** Hands over what is under way, until both nodes are quiet. */
  const exchange = (): void => {
    while (wire.length + replies.length > 0) {
      const from = cpuNs();
      for (const datagram of wire.splice(0)) b.receive(datagram, now);
      const between = cpuNs();
      for (const datagram of replies.splice(0)) a.receive(datagram, now);
      receiveNs += between - from;
      sendNs += cpuNs() - between;
    }
  };
  const endpoint = { address: '127.0.0.1', port: 1 };
  a.setPeers([{ name: 'b', bootId: 2n, endpoint }], now);
  b.setPeers([{ name: 'a', bootId: 1n, endpoint }], now);
  exchange();
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
  const turnMessages = Math.floor(TURN_BYTES / packet.length);
  const turns = Math.floor(ROUND_BYTES / TURN_BYTES);
  const roundMessages = turns * turnMessages;
  const sendTimes: number[] = [];
  const receiveTimes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    sendNs = receiveNs = datagrams = delivered = 0;
    for (let turn = 0; turn < turns; turn++) {
      now += 1;
      const from = cpuNs();
      for (let i = 0; i < turnMessages; i++) a.forward(view, topic, 'client');
      a.flush(now);
      sendNs += cpuNs() - from;
      exchange();
    }
    if (delivered !== roundMessages) throw new Error(`${delivered} of ${roundMessages} arrived`);
    if (round < WARM_ROUNDS) continue;
    sendTimes.push(sendNs / roundMessages);
    receiveTimes.push(receiveNs / roundMessages);
  }
  console.log(
    `${scenario.name.padEnd(30)} send ${median(sendTimes).toFixed(0).padStart(6)} ns/message` +
      `   receive ${median(receiveTimes).toFixed(0).padStart(6)} ns/message` +
      `   ${(roundMessages / datagrams).toFixed(1)} messages a datagram`,
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
