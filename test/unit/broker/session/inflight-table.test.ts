import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_BYTES, newTopic } from '../../../../src/broker/message/message.ts';
import { Delivery } from '../../../../src/broker/session/delivery.ts';
import { InflightTable } from '../../../../src/broker/session/inflight-table.ts';
import { seededRandom } from '../../../support/random.ts';

const topic = newTopic('t', Buffer.from('t'));
const message = {
  topic,
  payload: NO_BYTES,
  properties: NO_BYTES,
  qos: 1,
  retain: false,
  expiresAt: Number.POSITIVE_INFINITY,
  mark: undefined,
  holders: 0,
  hopId: undefined,
  packet: undefined,
  publisher: undefined,
  payer: undefined,
} as const;

let ids = 0;
function newDelivery(): Delivery {
  ids += 1;
  const delivery = new Delivery(ids, message, 1, false, [], undefined);
  delivery.order = ids;
  return delivery;
}

test('a Packet Identifier in use is never assigned again, nor is 0', () => {
  const random = seededRandom(5);
  const table = new InflightTable();
  const used = new Map<number, Delivery>();
  for (let step = 0; step < 60_000; step++) {
    const free = used.size > 300 || (used.size > 0 && random() < 0.45);
    if (free) {
      const ids = [...used.keys()];
      // Rarely the oldest: an old identifier stays in use while the numbers wrap around.
      const id = ids[step % 1000 === 0 ? 0 : ids.length - 1]!;
      assert.equal(table.get(id), used.get(id));
      table.delete(id);
      used.delete(id);
      assert.equal(table.get(id), undefined);
    } else {
      const delivery = newDelivery();
      table.add(delivery);
      assert.ok(delivery.packetId >= 1 && delivery.packetId <= 65_535);
      assert.ok(!used.has(delivery.packetId));
      used.set(delivery.packetId, delivery);
    }
    assert.equal(table.size, used.size);
  }
});

test('all 65,535 identifiers can be in use at once', () => {
  const table = new InflightTable();
  const seen = new Set<number>();
  for (let i = 0; i < 65_535; i++) {
    const delivery = newDelivery();
    table.add(delivery);
    seen.add(delivery.packetId);
  }
  assert.equal(seen.size, 65_535);
});

test('restored deliveries keep their identifiers and their order', () => {
  const table = new InflightTable();
  const restored = [40_000, 3, 16_387, 19].map((packetId) => {
    const delivery = newDelivery();
    delivery.packetId = packetId;
    table.restore(delivery);
    return delivery;
  });
  assert.deepEqual(table.inOrder(), restored);
  const next = newDelivery();
  table.add(next);
  assert.ok(!restored.some(({ packetId }) => packetId === next.packetId));
});
