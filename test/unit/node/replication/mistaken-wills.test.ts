import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MistakenWills } from '../../../../src/node/replication/mistaken-wills.ts';
import { World } from '../../../support/mqtt-world.ts';
import { publishPacket, viewOf } from '../../../support/sync-fixtures.ts';

const STATE = 'device/state';
const WRITER = 7n;

/** A device that is connected and `online`; another node cleared its register, and it was announced anew at 3000. */
function scene(
  wasOnline: (writer: bigint, time: number) => boolean = () => true,
  connectedAt = -10_000,
  clearedAt: number | undefined = connectedAt < 0 ? 3000 : undefined,
): {
  world: World;
  wills: MistakenWills;
  retained: () => string | undefined;
} {
  const world = new World();
  const wills = new MistakenWills(world.broker, () => undefined, wasOnline);
  const will = { topic: STATE, payload: 'offline', qos: 1, retain: true } as const;
  const device = world.connect('device', { will });
  device.publish(STATE, 'online', { retain: true });
  wills.connected('device', world.broker.publishableWill('device'), connectedAt);
  if (clearedAt !== undefined) wills.cleared('device', clearedAt, world.now);
  return { world, wills, retained: () => world.broker.retainedMessage(STATE)?.payload.toString() };
}

/** A value of another node arrives, written at this time of the cluster clock. */
function arrive({ world, wills }: ReturnType<typeof scene>, payload: string, time: number): void {
  const packet = publishPacket({ topic: STATE, payload, retain: true });
  wills.replacing(STATE, { writer: WRITER, time, sequence: 1 });
  world.broker.publishFromPeer(viewOf(packet), world.now, { seed: 1 }, 1);
  wills.replaced(STATE, world.now);
}

test('a will of another side of the partition, which took the client for gone at any time, is taken back', () => {
  for (const time of [10, 2500]) {
    const device = scene();
    arrive(device, 'offline', time);
    assert.equal(device.retained(), 'online');
  }
});

test('a value that is no will, or was written after the client was announced anew, is kept', () => {
  for (const [payload, time] of [
    ['in repair', 2500],
    ['offline', 4100],
  ] as const) {
    const device = scene();
    arrive(device, payload, time);
    assert.equal(device.retained(), payload);
  }
});

test('a will by a node that was not online here when it wrote it is taken back without any clearing', () => {
  const onlineSince = 5000;
  const asked: bigint[] = [];
  const device = scene((writer, time) => {
    asked.push(writer);
    return time >= onlineSince;
  });
  arrive(device, 'in repair', 4900);
  assert.equal(device.retained(), 'in repair');
  arrive(device, 'offline', 4950);
  assert.equal(device.retained(), 'in repair');
  arrive(device, 'offline', 5100);
  assert.equal(device.retained(), 'offline');
  assert.deepEqual(asked, [WRITER, WRITER, WRITER]);
});

test('a will that another node publishes before it can have heard of the client is taken back', () => {
  for (const [time, expected] of [
    [9000, 'online'],
    [16_000, 'offline'],
  ] as const) {
    const device = scene(() => true, 8000);
    arrive(device, 'offline', time);
    assert.equal(device.retained(), expected, `at ${time}`);
  }
});
