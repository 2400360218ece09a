// Data through the multicast group: one send for all peers that it reaches, unicast for the others, and a
// peer that it stops reaching gets unicast within a second.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields, Logger } from '../../src/shared/logger.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { LossyNetwork, type NetworkOptions, type Station } from '../support/lossy-network.ts';
import { syncKeys } from '../support/sync-fixtures.ts';

const keys = await syncKeys('token');

interface Site {
  readonly network: LossyNetwork;
  readonly sender: Station;
  readonly receivers: readonly Station[];
}

interface SiteOptions extends Partial<NetworkOptions> {
  readonly msPerDatagram?: number;
  readonly receivers?: number;
  readonly log?: Logger;
  readonly encrypt?: boolean;
  /** Receivers that are not in the group. */
  readonly outside?: readonly number[];
}

function site(options: SiteOptions = {}): Site {
  const { receivers = 3, msPerDatagram = 0, log, encrypt, outside = [], ...network } = options;
  const lossy = new LossyNetwork({ seed: 1, ...network });
  const shared = { keys, encrypt: encrypt ?? false };
  const sender = lossy.add({ ...shared, name: 'a', isMulticast: true, log: log ?? silentLogger });
  const all = Array.from({ length: receivers }, (_, i) =>
    lossy.add({ ...shared, msPerDatagram, name: `r${i}`, isMulticast: !outside.includes(i) }),
  );
  lossy.mesh();
  lossy.run(500);
  return { network: lossy, sender, receivers: all };
}

/** Publishes a message each 10 ms. */
function publish({ network, sender }: Site, messages: number): void {
  for (let i = 0; i < messages; i++) {
    sender.publish('t', `${i}`);
    network.flush();
    network.run(10);
  }
}

const payloads = ({ inbox }: Station) => inbox.map(({ payload }) => Number(payload.toString()));
const upTo = (messages: number) => Array.from({ length: messages }, (_, i) => i);
const deliveryTo = ({ sender }: Site, name: string) => sender.statusOf(name).delivery;

function recordingLog(): { log: Logger; lines: { event: string; fields: LogFields }[] } {
  const lines: { event: string; fields: LogFields }[] = [];
  const note = (event: string, fields: LogFields = {}) => void lines.push({ event, fields });
  return { log: { ...silentLogger, info: note, warn: note, error: note }, lines };
}

test('one send reaches all peers on a network, and each message arrives once', () => {
  for (const encrypt of [false, true]) {
    const lan = site({ encrypt });
    publish(lan, 100);
    for (const receiver of lan.receivers) {
      assert.deepEqual(payloads(receiver), upTo(100));
      assert.equal(receiver.statusOf('a').counters.duplicateDatagrams, 0);
      assert.equal(deliveryTo(lan, receiver.peer.name), 'multicast');
      assert.equal(lan.sender.statusOf(receiver.peer.name).counters.sentMessages, 100);
    }
    assert.equal(lan.sender.node.counters.multicastDatagrams, 100);
    if (!encrypt) assert.equal(lan.sender.sentByUnicast, 0);
  }
});

test('a single peer gets unicast', () => {
  const lan = site({ receivers: 1 });
  publish(lan, 10);
  assert.deepEqual(payloads(lan.receivers[0]!), upTo(10));
  assert.equal(lan.sender.node.counters.multicastDatagrams, 0);
});

test('peers that never joined the group get unicast from the first message on', () => {
  const { log, lines } = recordingLog();
  const lan = site({ log, outside: [2] });
  publish(lan, 300);
  for (const receiver of lan.receivers) assert.deepEqual(payloads(receiver), upTo(300));
  assert.equal(deliveryTo(lan, 'r2'), 'unicast');
  assert.equal(deliveryTo(lan, 'r1'), 'multicast');
  assert.equal(lan.sender.sentByUnicast, 300);
  assert.deepEqual(
    lines
      .filter(({ event }) => event.includes('multicast does not'))
      .map(({ fields }) => fields.peer),
    ['r2'],
  );
});

test('peers on two networks get one send on each, and a peer behind a router gets unicast', () => {
  const networks = ['', 'one', 'one', 'two', 'two', undefined];
  const { log, lines } = recordingLog();
  const two = site({
    receivers: 5,
    log,
    networkOf: (from, to) => networks[Math.max(from, to) - 1],
  });
  publish(two, 50);
  for (const receiver of two.receivers) assert.deepEqual(payloads(receiver), upTo(50));
  assert.equal(two.sender.node.counters.multicastDatagrams, 100);
  assert.equal(two.sender.sentByUnicast, 50);
  assert.equal(lines.filter(({ event }) => event.includes('behind a router')).length, 1);
});

test('a peer that the group stops reaching gets unicast within a second, and is logged', () => {
  const { log, lines } = recordingLog();
  const lan = site({ log });
  publish(lan, 50);
  lan.network.options.groupPasses = (_, to) => to !== lan.receivers[1]!.peer.endpoint.port;
  const before = lan.network.now;
  publish(lan, 300);
  assert.equal(deliveryTo(lan, 'r1'), 'unicast');
  assert.equal(deliveryTo(lan, 'r0'), 'multicast');
  assert.equal(lan.sender.statusOf('r1').counters.multicastFallbacks, 1);
  const [other, cut] = lan.receivers as [Station, Station];
  assert.deepEqual(payloads(other), [...upTo(50), ...upTo(300)]);
  const missed = cut.statusOf('a').counters.lostMessages;
  assert.ok(missed > 0 && missed <= 70, `${missed} messages lost`);
  assert.equal(payloads(cut).at(-1), 299);
  assert.equal(payloads(cut).length + missed, 350);
  const warning = lines.find(({ event }) => event.includes('multicast does not reach'));
  assert.equal(warning?.fields.peer, 'r1');
  assert.ok(lan.network.now - before < 5000);

  lan.network.options.groupPasses = () => true;
  lan.network.run(11_000);
  assert.equal(deliveryTo(lan, 'r1'), 'multicast');
  assert.ok(lines.some(({ event }) => event.includes('reaches a peer again')));
});

test('the group is found broken while no message crosses', () => {
  const lan = site();
  lan.network.options.groupPasses = () => false;
  lan.network.run(11_000);
  publish(lan, 10);
  for (const receiver of lan.receivers) assert.deepEqual(payloads(receiver), upTo(10));
});

test('a peer that loses much by multicast gets unicast for a while, then longer', () => {
  const lan = site();
  let at = 0;
  lan.network.options.groupPasses = (_, to, bytes) =>
    to !== lan.receivers[0]!.peer.endpoint.port || bytes > 1000 || at++ % 10 !== 0;
  publish(lan, 400);
  assert.equal(deliveryTo(lan, 'r0'), 'unicast');
  assert.equal(deliveryTo(lan, 'r1'), 'multicast');
  const { counters } = lan.sender.statusOf('r0');
  assert.equal(counters.multicastFallbacks, 1);
  const lost = counters.lostOutMessages;
  publish(lan, 500);
  assert.equal(counters.lostOutMessages, lost);
  publish(lan, 2000);
  assert.equal(counters.multicastFallbacks, 2);
});

test('a path for small datagrams only gets small ones through the group', () => {
  const lan = site({ groupPasses: (_, __, bytes) => bytes <= 1000 });
  publish(lan, 100);
  for (const receiver of lan.receivers) assert.deepEqual(payloads(receiver), upTo(100));
  assert.equal(lan.sender.node.counters.multicastDatagrams, 0);
});

test('a peer that goes and returns is reached by multicast again', () => {
  const lan = site();
  publish(lan, 10);
  const peers = lan.receivers.map(({ peer }) => peer);
  lan.sender.node.setPeers(peers.slice(1), lan.network.now);
  publish(lan, 10);
  lan.sender.node.setPeers(peers, lan.network.now);
  lan.network.run(500);
  publish(lan, 10);
  assert.equal(deliveryTo(lan, 'r0'), 'multicast');
  assert.deepEqual(payloads(lan.receivers[1]!), [...upTo(10), ...upTo(10), ...upTo(10)]);
});

test('a node that dies is not called one that multicast does not reach', () => {
  const { log, lines } = recordingLog();
  const lan = site({ log });
  publish(lan, 10);
  const { port } = lan.receivers[0]!.peer.endpoint;
  lan.network.options.passes = (from) => from !== port;
  lan.network.options.groupPasses = (from, to) => from !== port && to !== port;
  publish(lan, 400);
  assert.equal(deliveryTo(lan, 'r0'), 'unicast');
  assert.deepEqual(
    lines.filter(({ event }) => event.includes('does not reach')),
    [],
  );
});

test('nodes that are seconds behind lose nothing, and multicast is not blamed', () => {
  const { log, lines } = recordingLog();
  const lan = site({ log, msPerDatagram: 3 });
  for (let i = 0; i < 1000; i++) {
    lan.sender.publish('t', `${i} ${'x'.repeat(1000)}`);
    lan.network.flush();
    lan.network.run(1);
  }
  lan.network.run(10_000);
  for (const { inbox } of lan.receivers) assert.equal(inbox.length, 1000);
  assert.deepEqual(
    lines.filter(({ event }) => event.includes('multicast does not')),
    [],
  );
  assert.equal(deliveryTo(lan, 'r0'), 'multicast');
});

test('no receive buffer overflows, and the group survives random loss', () => {
  const lan = site({ loss: 0.005 });
  for (let i = 0; i < 300; i++) {
    for (let one = 0; one < 60; one++) lan.sender.publish('t', 'x'.repeat(1000));
    lan.network.flush();
    lan.network.run(1);
  }
  lan.network.run(5000);
  for (const receiver of lan.receivers) {
    assert.equal(receiver.overflowed, 0);
    const { lostMessages, receivedMessages } = receiver.statusOf('a').counters;
    assert.equal(lostMessages + receivedMessages, 300 * 60);
    assert.ok(lostMessages < 300 * 60 * 0.03, `${lostMessages} messages lost`);
  }
});
