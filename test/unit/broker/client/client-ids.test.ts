// The user name and the Client Identifier of a CONNECT: blank ones, and the options that tie them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectRequest, openAuthorizer } from '../../../../src/broker/ports.ts';
import { eachVersion, type TestClient, World } from '../../../support/mqtt-world.ts';

const KEPT = { clean: false, properties: { sessionExpiryInterval: 60 } };

function reasonOf(world: World, fields: Parameters<TestClient['connect']>[0]): number {
  const client = world.open(fields.version ?? 5);
  client.connect(fields);
  return client.connack.reason;
}

eachVersion(
  'an empty user name is no user name, and an empty password with it no password',
  (version) => {
    const requests: ConnectRequest[] = [];
    const authorizer = {
      ...openAuthorizer,
      authenticate: (request: ConnectRequest) => {
        requests.push(request);
        return { reasonCode: 0 };
      },
    };
    const world = new World({}, { authorizer });
    world.connect('blank', { version, username: '', password: '' });
    world.connect('named', { version, username: 'ann', password: '' });
    const seen = requests.map(({ username, password }) => [username, password?.length]);
    assert.deepEqual(seen, [
      [undefined, undefined],
      ['ann', 0],
    ]);
  },
);

test('a session of another user can be taken over by default', () => {
  const world = new World();
  world.connect('pump', { ...KEPT, username: 'ann' });
  assert.equal(world.connect('pump', { ...KEPT, username: 'eve' }).connack.sessionPresent, true);
});

test('with -client-id-owner=user no other user takes over a session or ends it', () => {
  const world = new World({ clientIdOwner: 'user' });
  const ann = world.connect('pump', { ...KEPT, username: 'ann' });
  for (const user of [{ username: 'eve' }, {}]) {
    for (const clean of [true, false]) {
      assert.equal(reasonOf(world, { ...KEPT, ...user, clientId: 'pump', clean }), 0x85);
    }
  }
  assert.equal(reasonOf(world, { version: 4, clientId: 'pump', username: 'eve' }), 2);
  ann.expectNothing();
  ann.lose();
  assert.equal(reasonOf(world, { ...KEPT, clientId: 'pump', username: 'eve' }), 0x85);
  const again = world.connect('pump', { ...KEPT, username: 'ann' });
  assert.equal(again.connack.sessionPresent, true);
  again.lose();
  world.advance(60_000);
  assert.equal(reasonOf(world, { clientId: 'pump', username: 'eve' }), 0, 'the session has ended');
});

test('with -clientid-prefixes other client identifiers are refused, also empty ones', () => {
  const world = new World({ clientIdPrefixes: ['pump-', 'valve-'] });
  for (const [clientId, reason] of [
    ['pump-1', 0],
    ['valve-', 0],
    ['xpump-1', 0x85],
    ['Pump-1', 0x85],
    ['', 0x85],
  ] as const) {
    assert.equal(reasonOf(world, { clientId }), reason, clientId);
  }
});

test('with -use-username-as-clientid the user name is the client identifier', () => {
  const world = new World({ useUsernameAsClientId: true });
  const first = world.connect('any', { ...KEPT, username: 'ann' });
  const second = world.connect('other', { ...KEPT, username: 'ann' });
  first.expectEnded(0x8e);
  assert.equal(second.connack.sessionPresent, true);
  const nameless = world.connect('', { username: 'bob' });
  assert.equal(nameless.connack.properties.assignedClientIdentifier, 'bob');
  assert.equal(reasonOf(world, { clientId: 'ann' }), 0x87, 'no user name');
  assert.equal(world.broker.sessionCount, 2);
});
