// Publishers that are faster than the other nodes: no receive buffer overflows, what is too much is
// discarded at the sender, and one slow node does not slow the others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENVELOPE_BYTES } from '../../src/shared/envelope.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/shared/logger.ts';
import { ACK_BYTES } from '../../src/sync/ack-codec.ts';
import { LossyNetwork, type NetworkOptions, type Station } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');
/** What Linux reports for a socket with its default limit. */
const SMALL_BUFFER = 425_984;
const PAYLOAD = 'x'.repeat(1000);

interface Site {
  readonly network: LossyNetwork;
  readonly sender: Station;
  readonly receivers: readonly Station[];
}

interface SiteOptions {
  readonly queueLength?: number;
  readonly receiveBufferBytes?: number;
  readonly log?: Logger;
}

/** @param msPerDatagram of each receiver */
function site(
  msPerDatagram: readonly number[],
  options: Partial<NetworkOptions> & SiteOptions = {},
): Site {
  const {
    queueLength = 100_000,
    receiveBufferBytes = SMALL_BUFFER,
    log = silentLogger,
    ...network
  } = options;
  const lossy = new LossyNetwork({ seed: 1, ...network });
  const sender = lossy.add({ name: 'a', keys, queueLength, log });
  const receivers = msPerDatagram.map((ms, i) =>
    lossy.add({ name: `r${i}`, keys, receiveBufferBytes, msPerDatagram: ms }),
  );
  lossy.mesh();
  lossy.run(100);
  return { network: lossy, sender, receivers };
}

/** Publishes `perMs` messages each millisecond. */
function publish({ network, sender }: Site, ms: number, perMs: number): void {
  for (let i = 0; i < ms; i++) {
    for (let one = 0; one < perMs; one++) sender.publish('t', `${network.now} ${PAYLOAD}`);
    network.flush();
    network.run(1);
  }
}

/** Of the messages of the sender that a receiver has got: how long each one was under way, ms. */
function delays(receiver: Station, arrivedAt: readonly number[]): number[] {
  return receiver.inbox.map(
    ({ payload }, i) => arrivedAt[i]! - Number.parseInt(payload.toString(), 10),
  );
}

test('no receive buffer overflows, however much faster the sender is', () => {
  const slow = site([0.05]);
  publish(slow, 300, 60);
  slow.network.run(5000);
  const [receiver] = slow.receivers;
  assert.equal(receiver!.overflowed, 0);
  assert.equal(receiver!.inbox.length, 300 * 60);
});

test('what is too much is discarded at the sender, and the counters are exact', () => {
  const slow = site([0.05], { queueLength: 500 });
  publish(slow, 300, 60);
  slow.network.run(5000);
  const [receiver] = slow.receivers;
  const discarded = slow.sender.node.counters.queueDroppedMessages;
  assert.ok(discarded > 1000);
  assert.equal(receiver!.overflowed, 0);
  assert.equal(receiver!.inbox.length + discarded, 300 * 60);
  assert.equal(receiver!.statusOf('a').counters.lostMessages, discarded);
});

test('peers that are equally slow are both waited for', () => {
  const slow = site([0.05, 0.05, 0.05]);
  publish(slow, 300, 60);
  slow.network.run(5000);
  for (const receiver of slow.receivers) {
    assert.equal(receiver.overflowed, 0);
    assert.equal(receiver.inbox.length, 300 * 60);
  }
});

test('several senders share the receive buffer of one node', () => {
  const network = new LossyNetwork({ seed: 1 });
  const senders = Array.from({ length: 4 }, (_, i) =>
    network.add({ name: `s${i}`, keys, msPerDatagram: 0.02 }),
  );
  const receiver = network.add({
    name: 'r',
    keys,
    receiveBufferBytes: SMALL_BUFFER,
    msPerDatagram: 0.02,
  });
  network.mesh();
  network.run(100);
  for (let i = 0; i < 100; i++) {
    for (const sender of senders) for (let one = 0; one < 20; one++) sender.publish('t', PAYLOAD);
    network.flush();
    network.run(1);
  }
  network.run(5000);
  assert.equal(receiver.overflowed, 0);
  assert.equal(receiver.inbox.length, 4 * 100 * 20);
});

test('a peer that takes a tenth of what the others take loses messages alone', () => {
  const events: string[] = [];
  const note = (event: string, _fields?: LogFields): number => events.push(event);
  const log = { ...silentLogger, warn: note, info: note } as unknown as Logger;
  const mixed = site([0.01, 0.5], { log });
  const [fast, slow] = mixed.receivers;
  const arrivedAt: number[] = [];
  const { inbox } = fast!;
  const push = inbox.push.bind(inbox);
  inbox.push = (...messages) => {
    arrivedAt.push(mixed.network.now);
    return push(...messages);
  };
  publish(mixed, 2000, 20);
  mixed.network.run(5000);
  assert.equal(fast!.inbox.length, 2000 * 20);
  assert.ok(Math.max(...delays(fast!, arrivedAt)) < 300);
  assert.ok(slow!.inbox.length < 2000 * 20);
  const { lostMessages } = slow!.statusOf('a').counters;
  assert.equal(slow!.inbox.length + lostMessages, 2000 * 20);
  assert.ok(events.some((event) => event.startsWith('a peer takes messages more slowly')));
  publish(mixed, 1000, 1);
  assert.ok(events.some((event) => event.startsWith('a peer takes messages as fast')));
});

test('a peer that stops is not waited for, and is paced again when it returns', () => {
  const halted = site([0.01, 0.01]);
  const [running, stopped] = halted.receivers;
  halted.network.pause(stopped!, 500);
  publish(halted, 300, 10);
  halted.network.run(10);
  assert.equal(running!.inbox.length, 300 * 10);
  halted.network.run(6000);
  const before = stopped!.inbox.length;
  publish(halted, 300, 60);
  halted.network.run(5000);
  assert.equal(stopped!.inbox.length - before, 300 * 60);
  assert.ok(halted.sender.statusOf('r1').counters.unpaced > 0);
});

test('a single peer that stops does not hold messages back for ever', () => {
  const halted = site([0.01]);
  halted.network.pause(halted.receivers[0]!, 1000);
  publish(halted, 300, 10);
  halted.network.run(300);
  assert.equal(halted.sender.node.counters.queuedDatagrams, 0);
});

for (const loss of [0.01, 0.05, 0.2]) {
  test(`${loss * 100} % loss slows the stream, but does not stop it`, () => {
    const lossy = site([0.02], { loss });
    publish(lossy, 2000, 10);
    lossy.network.run(1000);
    assert.equal(lossy.sender.node.counters.queuedDatagrams, 0);
    lossy.network.run(10_000);
    const { lostMessages } = lossy.receivers[0]!.statusOf('a').counters;
    assert.equal(lossy.receivers[0]!.inbox.length + lostMessages, 2000 * 10);
  });
}

test('a peer that never acknowledges is served as before acks existed', () => {
  const deaf = site([0], {
    receiveBufferBytes: 40_000_000,
    passes: (_from, _to, bytes) => bytes !== ENVELOPE_BYTES + ACK_BYTES,
  });
  publish(deaf, 1000, 10);
  deaf.network.run(200);
  assert.equal(deaf.receivers[0]!.inbox.length, 1000 * 10);
});
