import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PreConnectLimit } from '../../../../src/net/clients/pre-connect-limit.ts';

const KIB = 1024;

/** A connection that sends; `refused` counts its refusals. */
function connect(arrivals: PreConnectLimit, address = '192.0.2.1') {
  const count = arrivals.open(address);
  const state = { refused: 0 };
  const send = (bytes: number): boolean => {
    if (!count.add(bytes)) state.refused += 1;
    return state.refused === 0;
  };
  return { state, end: () => count.end(), send };
}

test('one connection may send as much as a CONNECT can need, and is refused once beyond it', () => {
  const { send, state } = connect(new PreConnectLimit());
  assert.equal(send(128 * KIB), true);
  assert.equal(send(128 * KIB), true);
  assert.equal(send(1), false);
  send(1000 * KIB);
  assert.equal(state.refused, 1);
});

test('connections that send much are refused together, those that send little are accepted', () => {
  const arrivals = new PreConnectLimit();
  const senders = Array.from({ length: 300 }, () => connect(arrivals));
  const isIn = senders.map(({ send }) => send(128 * KIB));
  // 32 MiB are 256 times 128 KiB, and one address may have three quarters of them.
  const { length } = isIn.filter((is) => is);
  assert.ok(length > 180 && length < 200, `${length}`);
  assert.equal(arrivals.refused, 300 - length);
  const little = Array.from({ length: 1000 }, () => connect(arrivals));
  assert.ok(little.every(({ send }) => send(KIB) && send(KIB)));
  assert.equal(little[0]?.send(100 * KIB), false);
  assert.equal(connect(arrivals, '192.0.2.2').send(128 * KIB), true, 'another address');
});

test('a thousand addresses that take all they can leave room for a large CONNECT of another one', () => {
  const arrivals = new PreConnectLimit();
  for (let i = 0; i < 1000; i++) {
    const address = `198.51.${i >> 8}.${i & 255}`;
    for (let k = 0; k < 3; k++) connect(arrivals, address).send(120 * KIB);
  }
  assert.equal(connect(arrivals, '192.0.2.2').send(16 * KIB), true);
});

test('a connection that was answered or closed makes room for others', () => {
  const arrivals = new PreConnectLimit();
  for (let round = 0; round < 1000; round++) {
    const { send, end } = connect(arrivals);
    assert.equal(send(200 * KIB), true);
    end();
    end();
    assert.equal(send(1000 * KIB), true, 'nothing is counted behind the answer');
  }
});
