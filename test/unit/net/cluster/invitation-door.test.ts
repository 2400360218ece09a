import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  INVITATION_MS,
  INVITATIONS_MAX,
  InvitationDoor,
  useInvitation,
} from '../../../../src/net/cluster/invitation-door.ts';

const WELCOME = {
  token: 'secret',
  cluster: 'shoal',
  encrypt: false,
  members: ['127.0.0.1:7946'],
  options: { roaming: true },
};

const OVER = {
  name: 'InvitationOverError',
  message: 'this invitation was used already, or has expired',
};

function newDoor() {
  const joined: string[] = [];
  const refused: string[] = [];
  const lines: string[] = [];
  const door = new InvitationDoor({
    bind: '127.0.0.1',
    port: 0,
    welcome: () => WELCOME,
    onJoined: (address) => joined.push(address),
    onRefused: (_address, reason) => refused.push(reason),
    onBusy: (address) => lines.push(`busy ${address}`),
    onFree: (lastedMs) => lines.push(lastedMs > 0 ? 'free' : 'never busy'),
  });
  return { door, joined, refused, lines };
}

/** Keeps `count` connections of strangers open: each that the door closes is opened anew. */
function flood(port: number, count: number, begin: (socket: Socket) => void) {
  let isOver = false;
  let opened = 0;
  const sockets = new Set<Socket>();
  const open = (): void => {
    if (isOver) return;
    opened += 1;
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.7' });
    sockets.add(socket);
    socket.on('error', () => undefined).resume();
    socket.once('connect', () => begin(socket));
    socket.once('close', () => {
      sockets.delete(socket);
      setImmediate(open);
    });
  };
  for (let i = 0; i < count; i++) open();
  return {
    opened: () => opened,
    stop: () => {
      isOver = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

function refusedAt(door: InvitationDoor): Record<string, number> {
  return Object.fromEntries(
    door.metrics().refused.map(({ labels, value }) => [labels.reason, value]),
  );
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
  await assert.rejects(useInvitation(at(port, secret)), OVER);
  assert.deepEqual(joined, ['127.0.0.1']);
});

test('another secret gets nothing, and uses nothing up', async (t) => {
  const { door, refused } = newDoor();
  t.after(() => door.close());
  const { secret, port } = await door.invite();
  await assert.rejects(useInvitation(at(port, Buffer.alloc(16))), OVER);
  assert.deepEqual(
    refused.map((reason) => /^TLS: [a-z ]+$/.test(reason)),
    [true],
  );
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

test('strangers who say nothing, noise, half a handshake or a wrong key do not keep the invited box out', async (t) => {
  // The head of a ClientHello of 512 bytes.
  const half = Buffer.from('16030102000100', 'hex');
  for (const begin of [
    () => undefined,
    (socket: Socket) => socket.end('GET / HTTP/1.1\r\n\r\n'),
    (socket: Socket) => socket.write(half),
    (socket: Socket) => socket.write(Buffer.alloc(1_000_000, 0x16)),
  ]) {
    const { door, lines } = newDoor();
    t.after(() => door.close());
    const { secret, port } = await door.invite();
    const strangers = flood(port, 50, begin);
    t.after(strangers.stop);
    while (strangers.opened() < 500) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await useInvitation(at(port, secret)), WELCOME);
    strangers.stop();
    const { crowded = 0, overRate = 0, invalid = 0 } = refusedAt(door);
    assert.ok(overRate > 0, 'what comes too fast is counted');
    assert.ok(crowded + invalid > 0, 'so is what is closed for others, or has no invitation');
    assert.deepEqual(lines, ['busy 127.0.0.7', 'free']);
  }
});

/** Resets the first `count` connections, and passes the others on to the port. */
async function crowded(t: TestContext, count: number, port: number) {
  const tries = { count: 0 };
  const server = createServer((socket) => {
    tries.count += 1;
    if (tries.count <= count) {
      socket.resetAndDestroy();
      return;
    }
    const onward = connect(port, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const one of [socket, onward]) one.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { tries, port: (server.address() as AddressInfo).port };
}

test('a box whose connections are reset tries again, but not for ever', async (t) => {
  const { door } = newDoor();
  t.after(() => door.close());
  const { secret, port } = await door.invite();
  const busy = await crowded(t, 2, port);
  assert.deepEqual(await useInvitation(at(busy.port, secret)), WELCOME);
  assert.equal(busy.tries.count, 3);
  const full = await crowded(t, Number.POSITIVE_INFINITY, port);
  await assert.rejects(useInvitation(at(full.port, secret)), /127\.0\.0\.1:\d+: /);
  assert.equal(full.tries.count, 10);
});

test('of two boxes with one line exactly one joins', async (t) => {
  const { door, joined } = newDoor();
  t.after(() => door.close());
  const { secret, port } = await door.invite();
  await door.invite();
  const both = await Promise.allSettled([1, 2].map(() => useInvitation(at(port, secret))));
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  assert.equal(joined.length, 1);
  assert.equal(refusedAt(door).invalid, 1);
});

test('guesses cost nothing but themselves, and are counted', async (t) => {
  const { door, refused } = newDoor();
  t.after(() => door.close());
  const { secret, port } = await door.invite();
  for (let guess = 1; guess <= 5; guess++) {
    await assert.rejects(useInvitation(at(port, Buffer.alloc(16, guess))));
  }
  assert.equal(refused.length, 5);
  assert.equal(refusedAt(door).invalid, 5);
  assert.deepEqual(await useInvitation(at(port, secret)), WELCOME);
  assert.deepEqual(
    { open: door.metrics().open, joined: door.metrics().joined },
    { open: 0, joined: 1 },
  );
});

test('a box that shows no invitation in time is closed and counted', async (t) => {
  const { door, refused } = newDoor();
  t.after(() => door.close());
  const { port } = await door.invite();
  await once(connect({ port, host: '127.0.0.1' }).resume(), 'close');
  assert.deepEqual(refused, ['it did not show an invitation within 5 s']);
  assert.equal(refusedAt(door).slow, 1);
});
