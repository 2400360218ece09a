import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { BindError, UdpSocket } from '../../../../src/net/cluster/udp.ts';
import type { Endpoint } from '../../../../src/shared/endpoint.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

interface Arrived {
  readonly text: string;
  readonly from: Endpoint;
}

function open(bind: string | undefined, onArrived: (arrived: Arrived) => void, port = 0) {
  return UdpSocket.open({
    bind,
    port,
    flag: '-crp',
    receiveBufferBytes: 1 << 20,
    log: silentLogger,
    onDatagram: (datagram, from) => onArrived({ text: datagram.toString(), from }),
  });
}

async function exchange(bindA: string | undefined, bindB: string | undefined, target: string) {
  let resolve: (arrived: Arrived) => void = () => undefined;
  const arrival = new Promise<Arrived>((done) => {
    resolve = done;
  });
  const a = await open(bindA, () => undefined);
  const b = await open(bindB, (arrived) => resolve(arrived));
  try {
    a.send(Buffer.from('hello'), { address: target, port: b.local.port });
    const arrived = await arrival;
    assert.equal(arrived.text, 'hello');
    assert.equal(arrived.from.port, a.local.port);
    return arrived.from.address;
  } finally {
    await a.close();
    await b.close();
  }
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some((one) => one.address === '::1'),
);

test('a datagram crosses between two IPv4 sockets', async () => {
  assert.equal(await exchange('127.0.0.1', '127.0.0.1', '127.0.0.1'), '127.0.0.1');
});

test('a dual-stack socket reaches IPv4 and shows the sender as plain IPv4', async () => {
  assert.equal(await exchange(undefined, undefined, '127.0.0.1'), '127.0.0.1');
});

test('a dual-stack socket reaches IPv6', { skip: hasIpv6 ? false : 'no IPv6 here' }, async () => {
  assert.equal(await exchange(undefined, undefined, '::1'), '::1');
});

test('the error for a port in use names address, port and the flag that changes it', async () => {
  const holder = await open('127.0.0.1', () => undefined);
  await assert.rejects(
    open('127.0.0.1', () => undefined, holder.local.port),
    (error) =>
      error instanceof BindError &&
      error.message.includes(`127.0.0.1:${holder.local.port} is in use`) &&
      error.message.includes('-crp'),
  );
  await holder.close();
});

test('an address of another machine is refused with a message', async () => {
  await assert.rejects(
    open('192.0.2.1', () => undefined),
    (error) => error instanceof BindError && error.message.includes('no interface'),
  );
});

test('sending to the wrong family, to port 0 or after close is counted or ignored, never thrown', async () => {
  const socket = await open('127.0.0.1', () => undefined);
  socket.send(Buffer.from('x'), { address: '::1', port: 1 });
  socket.send(Buffer.from('x'), { address: '127.0.0.1', port: 0 });
  assert.equal(socket.counters.sendErrors, 2);
  assert.ok(socket.receiveBufferBytes > 0);
  await socket.close();
  socket.send(Buffer.from('x'), { address: '127.0.0.1', port: 1 });
  await socket.close();
  assert.equal(socket.counters.sent, 0);
});
