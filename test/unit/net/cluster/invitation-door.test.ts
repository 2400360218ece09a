import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import {
  INVITATION_MS,
  INVITATIONS_MAX,
  InvitationDoor,
  useInvitation,
} from '../../../../src/net/cluster/invitation-door.ts';

const WELCOME = { token: 'secret', cluster: 'shoal', encrypt: false, members: ['127.0.0.1:7946'] };

function newDoor() {
  const joined: string[] = [];
  const refused: string[] = [];
  const door = new InvitationDoor({
    bind: '127.0.0.1',
    port: 0,
    welcome: () => WELCOME,
    onJoined: (address) => joined.push(address),
    onRefused: (_address, reason) => refused.push(reason),
  });
  return { door, joined, refused };
}

function at(port: number, secret: Buffer) {
  return { secret, endpoints: [{ address: '127.0.0.1', port }] };
}

test('an invitation gives one box what it needs, and no second one', async (t) => {
  const { door, joined } = newDoor();
  t.after(() => door.close());
  const { secret, port } = await door.invite();
  // Keeps the port open.
  await door.invite();
  assert.deepEqual(await useInvitation(at(port, secret)), WELCOME);
  await assert.rejects(useInvitation(at(port, secret)));
  assert.deepEqual(joined, ['127.0.0.1']);
});

test('another secret gets nothing, and uses nothing up', async (t) => {
  const { door, refused } = newDoor();
  t.after(() => door.close());
  const { secret, port } = await door.invite();
  await assert.rejects(useInvitation(at(port, Buffer.alloc(16))));
  assert.equal(refused.length, 1);
  assert.deepEqual(await useInvitation(at(port, secret)), WELCOME);
});

test('the port is closed when no invitation is open any more', async () => {
  const { door } = newDoor();
  const { secret, port } = await door.invite();
  await useInvitation(at(port, secret));
  await assert.rejects(useInvitation(at(port, secret)), /nothing listens on that port/);
});

test('an invitation ends with its time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { door } = newDoor();
  const { secret, port } = await door.invite();
  t.mock.timers.tick(INVITATION_MS);
  await assert.rejects(useInvitation(at(port, secret)));
});

test('the oldest of too many invitations ends', async (t) => {
  const { door } = newDoor();
  t.after(() => door.close());
  const first = await door.invite();
  for (let count = 1; count < INVITATIONS_MAX; count++) await door.invite();
  const last = await door.invite();
  await assert.rejects(useInvitation(at(first.port, first.secret)));
  assert.deepEqual(await useInvitation(at(last.port, last.secret)), WELCOME);
});

test('random bytes at the port do no harm', async (t) => {
  const { door } = newDoor();
  t.after(() => door.close());
  const { secret, port } = await door.invite();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.end('GET / HTTP/1.1\r\n\r\n');
  socket.resume();
  await once(socket, 'close');
  assert.deepEqual(await useInvitation(at(port, secret)), WELCOME);
});
