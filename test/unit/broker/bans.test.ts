import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrokerOptions } from '../../../src/broker/options.ts';
import { openAuthorizer } from '../../../src/broker/ports.ts';
import { ReasonCode } from '../../../src/mqtt/reason-code.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { type TestClient, World } from '../../support/mqtt-world.ts';

const BAN_MS = 300_000;

/** A broker whose clients have the password `right`; lines about bans are kept. */
function guardedWorld(options: Partial<BrokerOptions>) {
  const lines: string[] = [];
  const note = (event: string): void => {
    if (event.startsWith('ban')) lines.push(event);
  };
  const authorizer = {
    ...openAuthorizer,
    authenticate: ({ password }: { password: Buffer | undefined }) => ({
      reasonCode:
        password?.toString() === 'right' ? ReasonCode.success : ReasonCode.badUserNameOrPassword,
    }),
  };
  const log = { ...silentLogger, info: note, warn: note };
  return { world: new World(options, { authorizer, log }), lines };
}

function login(world: World, clientId: string, username: string, password: string): TestClient {
  const client = world.open(5);
  client.connect({ clientId, username, password });
  return client;
}

const refusal = (client: TestClient): number => client.connack.reason;

test('an address is banned after too many wrong passwords, and free again when the time is over', () => {
  const { world, lines } = guardedWorld({ banFailures: 3 });
  for (let n = 0; n < 3; n++) {
    assert.equal(refusal(login(world, 'guess', 'admin', `${n}`)), ReasonCode.badUserNameOrPassword);
  }
  assert.equal(refusal(login(world, 'guess', 'admin', 'right')), ReasonCode.banned);
  world.remoteAddress = '10.0.0.2';
  assert.equal(refusal(login(world, 'other', 'admin', 'right')), ReasonCode.success);
  world.remoteAddress = '127.0.0.1';
  world.advance(BAN_MS);
  assert.equal(refusal(login(world, 'late', 'bob', 'right')), ReasonCode.success);
  assert.deepEqual(lines, ['banned', 'ban over']);
});

test('wrong passwords that are further apart than a minute ban no address', () => {
  const { world, lines } = guardedWorld({ banFailures: 3 });
  for (let n = 0; n < 10; n++) {
    login(world, 'forgetful', 'bob', 'wrong');
    world.advance(40_000);
  }
  assert.deepEqual(lines, []);
});

test('a user that has logged in from an address before is not locked out by others there', () => {
  const { world } = guardedWorld({ banFailures: 3 });
  login(world, 'thermometer', 'sensor', 'right').leave();
  for (let n = 0; n < 5; n++) login(world, 'guess', 'admin', 'wrong');
  assert.equal(refusal(login(world, 'thermometer', 'sensor', 'right')), ReasonCode.success);
  assert.equal(refusal(login(world, 'new', 'stranger', 'right')), ReasonCode.banned);
});

test('who guesses the password of a user that the ban spares gets one guess', () => {
  const { world } = guardedWorld({ banFailures: 3 });
  login(world, 'thermometer', 'sensor', 'right').leave();
  for (let n = 0; n < 3; n++) login(world, 'guess', 'admin', 'wrong');
  assert.equal(refusal(login(world, 'guess', 'sensor', 'wrong')), ReasonCode.badUserNameOrPassword);
  assert.equal(refusal(login(world, 'guess', 'sensor', 'wrong')), ReasonCode.banned);
});

test('the addresses of an IPv6 /64 are banned together', () => {
  const { world } = guardedWorld({ banFailures: 3 });
  for (let n = 1; n < 4; n++) {
    world.remoteAddress = `2001:db8::${n}`;
    login(world, 'guess', 'admin', 'wrong');
  }
  world.remoteAddress = '2001:db8::ffff';
  assert.equal(refusal(login(world, 'guess', 'admin', 'right')), ReasonCode.banned);
  const [ban] = world.broker.context.bans.all(world.now);
  assert.equal(ban?.source, '2001:db8::/64');
});

test('of two devices that take a session from each other, one is banned and one stays', () => {
  const { world } = guardedWorld({ banConnects: 5 });
  const clients: TestClient[] = [];
  for (let n = 0; n < 6; n++) clients.push(login(world, 'twin', 'bob', 'right'));
  assert.equal(refusal(clients.at(-1)!), ReasonCode.banned);
  assert.ok(!clients.at(-2)?.closed);
  assert.equal(refusal(login(world, 'twin', 'bob', 'right')), ReasonCode.banned);
  assert.equal(refusal(login(world, 'sibling', 'bob', 'right')), ReasonCode.success);
  world.remoteAddress = '10.0.0.2';
  assert.equal(refusal(login(world, 'twin', 'bob', 'right')), ReasonCode.success);
});

test('strangers without the password ban no client', () => {
  const { world } = guardedWorld({ banConnects: 3 });
  for (let n = 0; n < 20; n++) login(world, 'victim', 'bob', 'wrong');
  assert.equal(refusal(login(world, 'victim', 'bob', 'right')), ReasonCode.success);
});

test('a ban by hand holds for its client from everywhere, until it is lifted', () => {
  const { world, lines } = guardedWorld({});
  const { bans } = world.broker.context;
  const target = { source: undefined, clientId: 'noisy', username: undefined };
  bans.add(target, 'by hand', BAN_MS, world.now);
  world.remoteAddress = '10.0.0.9';
  assert.equal(refusal(login(world, 'noisy', 'bob', 'right')), ReasonCode.banned);
  assert.ok(bans.lift(target, world.now));
  assert.ok(!bans.lift(target, world.now));
  assert.equal(refusal(login(world, 'noisy', 'bob', 'right')), ReasonCode.success);
  assert.deepEqual(lines, ['banned', 'ban lifted']);
});

test('a ban of a user holds for all its clients, from everywhere or from one address', () => {
  const { world } = guardedWorld({});
  const { bans } = world.broker.context;
  const bob = { source: undefined, clientId: undefined, username: 'bob' };
  bans.add(bob, 'by hand', BAN_MS, world.now);
  bans.add({ ...bob, source: '10.0.0.9', username: 'eve' }, 'by hand', BAN_MS, world.now);
  assert.equal(refusal(login(world, 'one', 'bob', 'right')), ReasonCode.banned);
  assert.equal(refusal(login(world, 'bob', 'alice', 'right')), ReasonCode.success);
  assert.equal(refusal(login(world, 'two', 'eve', 'right')), ReasonCode.success);
  world.remoteAddress = '10.0.0.9';
  assert.equal(refusal(login(world, 'three', 'bob', 'right')), ReasonCode.banned);
  assert.equal(refusal(login(world, 'four', 'eve', 'right')), ReasonCode.banned);
  assert.ok(bans.lift(bob, world.now));
  assert.equal(refusal(login(world, 'one', 'bob', 'right')), ReasonCode.success);
});

test('a ban of a user holds for one that only its token or its certificate names', () => {
  const authorizer = {
    ...openAuthorizer,
    authenticate: () => ({ reasonCode: ReasonCode.success, username: 'bob' }),
  };
  const world = new World({}, { authorizer });
  const { bans, loginGuard } = world.broker.context;
  const bob = { source: undefined, clientId: undefined, username: 'bob' };
  assert.equal(refusal(login(world, 'one', 'token', 'eyJ')), ReasonCode.success);
  bans.add(bob, 'by hand', BAN_MS, world.now);
  assert.equal(refusal(login(world, 'one', 'token', 'eyJ')), ReasonCode.banned);
  assert.equal(loginGuard.refused, 1);
});

test('without the options no one is banned', () => {
  const { world, lines } = guardedWorld({});
  for (let n = 0; n < 50; n++) login(world, 'twin', 'bob', n % 2 === 0 ? 'right' : 'wrong');
  assert.deepEqual(lines, []);
});

test('a full list forgets the ban that ends first', () => {
  const { world } = guardedWorld({});
  const { bans } = world.broker.context;
  for (let n = 0; n <= 10_000; n++) {
    const target = { source: `s${n}`, clientId: undefined, username: undefined };
    bans.add(target, 'by hand', BAN_MS + n, world.now);
  }
  assert.equal(bans.size, 10_000);
  assert.equal(bans.all(world.now)[0]?.source, 's1');
});
