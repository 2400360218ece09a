// One end of a sync channel as a process, to be run in a network namespace: sends numbered messages
// to the other end, or checks what comes and prints what it found when the end has come.
// Arguments: send|receive, own address, the other's address, how many messages, how many of them in
// one turn, the queue policy.

import type { PublishView } from '../../../src/mqtt/publish-view.ts';
import { SyncChannel } from '../../../src/net/cluster/sync-channel.ts';
import { deriveKeyRing } from '../../../src/shared/key-ring.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { payloadOf, publishPacket, topicOf, viewOf } from '../../support/sync-fixtures.ts';

const SYNC_PORT = 7947;
const TURN_PAUSE_MS = 5;
const END_PAUSE_MS = 50;

const [role, own = '', other = '', ...numbers] = process.argv.slice(2);
const [total = 0, perTurn = 0] = numbers.map(Number);
const queuePolicy = numbers[2] === 'discard-oldest' ? 'discard-oldest' : 'discard-newest';
const [ownBootId, otherBootId] = role === 'send' ? [1n, 2n] : [2n, 1n];

let last = -1;
let disordered = 0;
let received = 0;

const channel = await SyncChannel.open({
  bootId: ownBootId,
  keys: (await deriveKeyRing(['token'], 'shoal')).sync,
  encrypt: false,
  bind: own,
  port: SYNC_PORT,
  topics: ['#'],
  datagramBytes: 1400,
  queueLength: 1024,
  queuePolicy,
  expectsPeers: true,
  isSuspect: () => false,
  log: silentLogger,
  handler: { publishFromPeer: receive },
});
channel.setPeers([
  { name: 'other', bootId: otherBootId, endpoint: { address: other, port: SYNC_PORT } },
]);
if (role === 'send') setTimeout(sendTurn, 1500, 0);

function publish(text: string): void {
  const view: PublishView = viewOf(publishPacket({ topic: 'numbers', payload: text }, 4), 4);
  channel.forward(view, topicOf(view), 'client');
}

function sendTurn(from: number): void {
  const end = Math.min(from + perTurn, total);
  for (let number = from; number < end; number++) {
    publish(`${number} ${'x'.repeat(number % 10 === 0 ? 3000 : 64)}`);
  }
  if (end < total) setTimeout(sendTurn, TURN_PAUSE_MS, end);
  else setTimeout(sendEnd, END_PAUSE_MS, end);
}

function sendEnd(number: number): void {
  publish(`${number} end`);
  console.log(`discarded=${channel.counters.queueDroppedMessages}`);
  setTimeout(sendEnd, END_PAUSE_MS, number + 1);
}

function receive(view: PublishView): void {
  const text = payloadOf(view).toString('latin1');
  const number = Number.parseInt(text, 10);
  if (number <= last) disordered += 1;
  last = number;
  received += 1;
  if (!text.endsWith('end')) return;
  const [peer] = [...channel.peers()];
  const lost = peer?.counters.lostMessages;
  console.log(`done sent=${number + 1} received=${received} lost=${lost} disordered=${disordered}`);
  channel.close();
}
