// The contract of SessionStore: one suite, run for every implementation, durable or not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../src/broker/message/message.ts';
import type { SessionStore, StoredState, SubscriptionRecord } from '../../src/broker/ports.ts';
import type { WillPacket } from '../../src/mqtt/control-decoder.ts';
import { delivery, message, session } from '../support/stored-records.ts';

export interface StoreUnderTest {
  readonly store: SessionStore;
  /** Ends the process and starts another one, at the same time on all clocks. */
  reopen(): Promise<{ store: SessionStore; state: StoredState }>;
}

const NEVER = Number.POSITIVE_INFINITY;

const subscription: SubscriptionRecord = {
  filter: '$share/group/a/+',
  qos: 2,
  noLocal: false,
  retainAsPublished: true,
  subscriptionIdentifier: 268_435_455,
};

const will: WillPacket = {
  topic: 'will',
  payload: Buffer.from('gone'),
  qos: 1,
  retain: true,
  properties: Buffer.from([1, 1]),
  delaySeconds: 0,
  expirySeconds: 60,
  payloadIsText: false,
};

export const durable = (store: SessionStore): Promise<void> =>
  new Promise((done) => {
    if (store.whenDurable(() => done()) === 'durable') done();
  });

/** The state as plain values, so that an assertion prints what differs. */
export function comparable(state: StoredState): unknown {
  const text = (of: Message): unknown[] => [
    of.topic.name,
    of.topic.bytes.toString(),
    of.payload.toString(),
    of.properties.toString('hex'),
    of.qos,
    of.retain,
    of.expiresAt,
    ...(of.publisher === undefined ? [] : [of.publisher.clientId, of.publisher.username]),
  ];
  return {
    sessions: Array.from(state.sessions, (stored) => ({
      session: [
        stored.clientId,
        stored.username ?? stored.address,
        stored.expirySeconds,
        stored.expiresAt,
      ],
      subscriptions: [...stored.subscriptions],
      deliveries: Array.from(stored.deliveries, ({ message: of, ...rest }) => [rest, text(of)]),
      received: [...stored.received],
      will: stored.will && [stored.will.packet, stored.will.publishAt],
    })),
    retained: Array.from(state.retained, text),
  };
}

const NOTHING = { sessions: [], retained: [] };

export function sessionStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  /** Changes the store, reopens it, and compares; a store that is not durable comes back empty. */
  const keeps = (what: string, change: (store: SessionStore) => void, expected: unknown): void => {
    test(`${name}: ${what}`, async () => {
      const subject = await open();
      change(subject.store);
      await durable(subject.store);
      const { state } = await subject.reopen();
      assert.deepEqual(comparable(state), subject.store.durable ? expected : NOTHING);
    });
  };
  const one = (fields: object): unknown => ({
    sessions: [
      {
        session: ['a', undefined, NEVER, NEVER],
        subscriptions: [],
        deliveries: [],
        received: [],
        will: undefined,
        ...fields,
      },
    ],
    retained: [],
  });
  const state = { retain: false, identifiers: [], packetId: 0, released: false };
  const asText = ['t', 't', 'x', '', 1, false, NEVER];

  test(`${name}: calls back in the order of the calls, once for each`, async () => {
    const { store } = await open();
    const order: number[] = [];
    store.saveSession(session('a'));
    const note = (step: number): void => {
      if (store.whenDurable(() => order.push(step)) === 'durable') order.push(step);
    };
    note(1);
    store.saveSession(session('b'));
    note(2);
    await durable(store);
    note(3);
    assert.deepEqual(order, [1, 2, 3]);
  });

  test(`${name}: ignores changes of sessions that it does not know`, async () => {
    const { store, reopen } = await open();
    store.removeSession('unknown');
    store.saveSubscription('unknown', subscription);
    store.removeSubscription('unknown', 'x');
    store.saveDelivery('unknown', delivery(1, message('t', 'x')));
    store.updateDelivery('unknown', delivery(1, message('t', 'x')));
    store.removeDelivery('unknown', 1);
    store.saveReceived('unknown', 1);
    store.removeReceived('unknown', 1);
    store.removeRetained('nothing');
    store.saveWill('unknown', will, 1);
    store.removeWill('unknown');
    await durable(store);
    assert.ok(store.accepting);
    assert.deepEqual(comparable((await reopen()).state), NOTHING);
  });

  keeps(
    'a session with all its fields',
    (store) => {
      store.saveSession(session('a', { username: 'ü', expirySeconds: 60, expiresAt: 90_000 }));
      store.saveSession(session('', { username: '' }));
    },
    {
      sessions: ['a', ''].map((clientId) => ({
        session: clientId === 'a' ? ['a', 'ü', 60, 90_000] : ['', '', NEVER, NEVER],
        subscriptions: [],
        deliveries: [],
        received: [],
        will: undefined,
      })),
      retained: [],
    },
  );

  keeps(
    'the address of a client without a user name',
    (store) => store.saveSession(session('a', { address: '192.0.2.1' })),
    {
      sessions: [
        {
          session: ['a', '192.0.2.1', NEVER, NEVER],
          subscriptions: [],
          deliveries: [],
          received: [],
          will: undefined,
        },
      ],
      retained: [],
    },
  );

  keeps(
    'the last version of a session',
    (store) => {
      store.saveSession(session('a', { username: 'x', expiresAt: 5 }));
      store.saveSubscription('a', subscription);
      store.saveSession(session('a'));
    },
    one({ subscriptions: [subscription] }),
  );

  keeps(
    'no part of a removed session, not even in a later session of the same client',
    (store) => {
      store.saveSession(session('a'));
      store.saveSubscription('a', subscription);
      store.saveReceived('a', 7);
      store.saveDelivery('a', delivery(1, message('t', 'x')));
      store.saveWill('a', will, 1000);
      store.removeSession('a');
      store.saveSession(session('a'));
    },
    one({}),
  );

  keeps(
    'subscriptions that are replaced or removed',
    (store) => {
      store.saveSession(session('a'));
      store.saveSubscription('a', { ...subscription, qos: 0 });
      store.saveSubscription('a', { ...subscription, filter: 'b' });
      store.saveSubscription('a', subscription);
      store.removeSubscription('a', 'b');
    },
    one({ subscriptions: [subscription] }),
  );

  keeps(
    'QoS 2 receipts until they are released',
    (store) => {
      store.saveSession(session('a'));
      for (const packetId of [1, 65_535, 3]) store.saveReceived('a', packetId);
      store.removeReceived('a', 1);
    },
    one({ received: [65_535, 3] }),
  );

  const shared = message('t', 'x');
  keeps(
    'queued and in-flight messages, in the order in which they are due',
    (store) => {
      store.saveSession(session('a'));
      for (const id of [1, 2, 3, 4, 5]) store.saveDelivery('a', delivery(id, shared, { qos: 2 }));
      store.updateDelivery('a', delivery(1, shared, { qos: 2, packetId: 9 }));
      store.updateDelivery('a', delivery(2, shared, { qos: 2, packetId: 8 }));
      store.updateDelivery('a', delivery(1, shared, { qos: 2, packetId: 9, released: true }));
      store.updateDelivery('a', delivery(3, shared, { qos: 2, packetId: 7 }));
      store.removeDelivery('a', 4);
      const identifiers = [1, 268_435_455];
      store.saveDelivery('a', delivery(6, shared, { retain: true, identifiers, packetId: 65_535 }));
    },
    one({
      deliveries: [
        [{ ...state, id: 2, qos: 2, packetId: 8 }, asText],
        [{ ...state, id: 1, qos: 2, packetId: 9, released: true }, asText],
        [{ ...state, id: 3, qos: 2, packetId: 7 }, asText],
        [
          {
            ...state,
            id: 6,
            qos: 1,
            retain: true,
            identifiers: [1, 268_435_455],
            packetId: 65_535,
          },
          asText,
        ],
        [{ ...state, id: 5, qos: 2 }, asText],
      ],
    }),
  );

  keeps(
    'the last retained message of each topic, until it is removed',
    (store) => {
      const properties = Buffer.from([1, 0]);
      store.saveRetained(message('t', 'old'));
      store.saveRetained(message('gone', 'x'));
      store.saveRetained(
        message('t', 'x', { qos: 2, retain: true, properties, expiresAt: 77_000 }),
      );
      store.removeRetained('gone');
    },
    { sessions: [], retained: [['t', 't', 'x', '0100', 2, true, 77_000]] },
  );

  keeps(
    'the publisher of a retained message, with and without a user name',
    (store) => {
      const publisher = { clientId: 'c', username: 'ann' };
      store.saveRetained(message('a', 'x', { publisher }));
      store.saveRetained(message('b', 'x', { publisher: { ...publisher, username: undefined } }));
    },
    {
      sessions: [],
      retained: [
        ['a', 'a', 'x', '', 1, false, NEVER, 'c', 'ann'],
        ['b', 'b', 'x', '', 1, false, NEVER, 'c', undefined],
      ],
    },
  );

  keeps(
    'a will until it is published or removed',
    (store) => {
      store.saveSession(session('a'));
      store.saveWill('a', { ...will, topic: 'earlier' }, 500);
      store.removeWill('a');
      store.saveWill('a', will, 30_000);
    },
    one({ will: [will, 30_000] }),
  );

  keeps(
    'the will of a connected client, with its delay',
    (store) => {
      store.saveSession(session('a'));
      store.saveWill('a', { ...will, delaySeconds: 300 }, NEVER);
    },
    one({ will: [{ ...will, delaySeconds: 300 }, NEVER] }),
  );

  test(`${name}: continues after it was opened again`, async () => {
    const subject = await open();
    subject.store.saveSession(session('a'));
    subject.store.saveDelivery('a', delivery(1, shared));
    await durable(subject.store);
    const { store } = await subject.reopen();
    store.saveSession(session('b'));
    store.saveDelivery('a', delivery(2, message('t', 'new')));
    store.removeDelivery('a', 1);
    await durable(store);
    const { state: last } = await subject.reopen();
    const found = Array.from(last.sessions, ({ clientId, deliveries }) => [
      clientId,
      Array.from(deliveries, ({ id, message: of }) => `${id} ${of.payload}`),
    ]);
    assert.deepEqual(
      found,
      store.durable
        ? [
            ['a', ['2 new']],
            ['b', []],
          ]
        : [],
    );
  });
}
