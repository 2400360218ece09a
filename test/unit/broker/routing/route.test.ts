import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from '../../../../src/broker/broker.ts';
import { CLIENT_GROUPS_MAX } from '../../../../src/broker/routing/filter-shapes.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { collectGarbage, usedBytes } from '../../../support/heap-summary.ts';
import { World } from '../../../support/mqtt-world.ts';

const CONNECT = Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 0]);
/** To `#` and `+/#`, which match the same topics. */
const SUBSCRIBE = Buffer.from([0x82, 12, 0, 1, 0, 1, 0x23, 0, 0, 3, 0x2b, 0x2f, 0x23, 0]);

test('overlapping subscriptions get one copy, however many routes are cached', () => {
  const options = { sysIntervalSeconds: 0 };
  const broker = new Broker({ options, random: Math.random, now: 0, log: silentLogger });
  let packets = 0;
  const connect = () => {
    const client = broker.accept(
      {
        congested: false,
        write: () => {
          packets += 1;
        },
        close: () => undefined,
        pauseReading: () => undefined,
        resumeReading: () => undefined,
      },
      { remoteAddress: '' },
      0,
    );
    client.receive(CONNECT, 0);
    return client;
  };
  const subscribers = 400;
  for (let i = 0; i < subscribers; i++) connect().receive(SUBSCRIBE, 0);
  const publisher = connect();
  packets = 0;
  const topics = 700;
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < topics; i++) {
      const topic = `t/${i}`;
      publisher.receive(
        Buffer.from([0x30, topic.length + 2, 0, topic.length, ...Buffer.from(topic)]),
        0,
      );
    }
  }
  assert.equal(packets, 2 * topics * subscribers);
});

test('routes of topics that are not used again keep no session that is over', async () => {
  const world = new World();
  const publisher = world.connect('publisher');
  const sessions: WeakRef<object>[] = [];
  for (let i = 0; i < 500; i++) {
    const visitor = world.connect(`visitor-${i}`);
    sessions.push(new WeakRef(world.broker.context.sessions.find(`visitor-${i}`)!.outbound));
    visitor.subscribe('everyone/#');
    publisher.publish(`everyone/${i}`, 'hello');
    visitor.leave();
    world.advance(1000);
  }
  // A WeakRef keeps its object until the turn is over.
  await new Promise(setImmediate);
  collectGarbage();
  const kept = sessions.filter((session) => session.deref() !== undefined).length;
  assert.ok(kept < 10, `${kept} of 500 sessions are kept`);
});

test('groups that match every topic count in the memory of its route', () => {
  const world = new World();
  const groups = 350;
  for (let i = 0; i < groups; i += CLIENT_GROUPS_MAX) {
    const member = world.connect(`member-${i}`, { properties: { sessionExpiryInterval: 1000 } });
    for (let j = i; j < i + CLIENT_GROUPS_MAX; j++) {
      assert.deepEqual(member.subscribe(`$share/g${j}/#`).reasons, [2]);
    }
    member.leave();
  }
  const publisher = world.connect('publisher');
  publisher.publish('first', 'x');
  const before = usedBytes();
  const topics = 6000;
  for (let i = 0; i < topics; i++) publisher.publish(`topic/${i}`, 'x');
  const grown = usedBytes() - before;
  // Each route refers to all groups: together 17 MB.
  assert.ok(grown < 6_000_000, `${grown} bytes for ${topics} topics`);
});
