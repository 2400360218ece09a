// A CONNECT is answered, or its connection is closed, whatever the node waits for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthDecision, memoryStore, openAuthorizer } from '../../../../src/broker/ports.ts';
import { World } from '../../../support/mqtt-world.ts';
import * as wire from '../../../support/wire.ts';

const SERVER_BUSY = 0x89;
const FOR_AN_HOUR = { sessionExpiryInterval: 3600 };

test('a client whose authentication does not end is refused after 20 s, and a late decision is none', () => {
  let decide: ((decision: AuthDecision, now: number) => void) | undefined;
  const authorizer = {
    ...openAuthorizer,
    authenticate: (_: unknown, done: (decision: AuthDecision, now: number) => void) => {
      decide = done;
      return undefined;
    },
  };
  const world = new World({}, { authorizer });
  const client = world.open();
  client.send(wire.connect({ clientId: 'a' }));
  world.advance(19_000);
  client.expectNothing();
  world.advance(1001);
  assert.equal(client.expect('connack').reason, SERVER_BUSY);
  assert.ok(client.closed);
  decide?.({ reasonCode: 0 }, world.now);
  assert.equal(world.broker.isConnected('a'), false);
});

test('a client that the store keeps waiting is refused after 20 s, and leaves no session', () => {
  let answer: ((now: number) => void) | undefined;
  const store = {
    ...memoryStore,
    durable: true,
    busy: true,
    whenDurable: (done: (now: number) => void) => {
      answer = done;
      return 'pending' as const;
    },
  };
  const world = new World({}, { store });
  const client = world.open();
  client.send(wire.connect({ clientId: 'a', properties: FOR_AN_HOUR }));
  client.expectNothing();
  world.advance(20_001);
  assert.equal(client.expect('connack').reason, SERVER_BUSY);
  assert.ok(client.closed);
  answer?.(world.now);
  assert.equal(world.broker.sessionCount, 0);
});

test('a client that was answered in time is not refused later', () => {
  const world = new World();
  const client = world.connect('a', { keepAlive: 0 });
  world.advance(60_000);
  assert.equal(client.closed, false);
  const quick = world.connect('b', { keepAlive: 10 });
  world.advance(14_000);
  assert.equal(quick.closed, false);
  world.advance(2000);
  assert.equal(quick.closed, true, 'its Keep Alive counts');
});
