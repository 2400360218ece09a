import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../../support/mqtt-world.ts';

const PREFIX = '$SYS/broker/';

/** The last value of each name. */
function valuesOf(messages: readonly { topic: string; payload: unknown }[]): Map<string, string> {
  return new Map(
    messages.map(({ topic, payload }) => [topic.slice(PREFIX.length), `${payload}`] as const),
  );
}

test('load/connections is the number of CONNECT packets per minute', () => {
  const world = new World({ sysIntervalSeconds: 10 });
  const watcher = world.connect('watcher');
  watcher.subscribe([`${PREFIX}load/connections/+`]);
  world.advance(10_000);
  const before = Number(valuesOf(watcher.messages()).get('load/connections/1min'));
  for (let index = 0; index < 20; index += 1) world.connect(`c${index}`);
  world.advance(10_000);
  const after = Number(valuesOf(watcher.messages()).get('load/connections/1min'));
  // 20 in 10 s are 120 per minute; the average takes the share 1 - e^(-1/6) of it at once.
  assert.ok(Math.abs(after - before * Math.exp(-1 / 6) - 120 * (1 - Math.exp(-1 / 6))) < 0.1);
});

test('retained messages/count includes those under $SYS, as in mosquitto', () => {
  const world = new World({ sysIntervalSeconds: 10 });
  const watcher = world.connect('watcher');
  world.advance(0);
  watcher.subscribe([`${PREFIX}#`]);
  const names = valuesOf(watcher.messages()).size;
  world.connect('p').publish('a', 'x', { retain: true });
  world.advance(10_000);
  const count = Number(valuesOf(watcher.messages()).get('retained messages/count'));
  assert.equal(count, names + 1);
});

test('a value whose label no longer exists is removed from $SYS', () => {
  const world = new World({ sysIntervalSeconds: 10 });
  let states = ['alive', 'left'];
  world.broker.sys.addSource('cluster', () => ({
    node: 'n1',
    members: states.map((state) => ({ labels: { state }, value: 1 })),
  }));
  const watcher = world.connect('watcher');
  watcher.subscribe([`${PREFIX}cluster/#`]);
  world.advance(10_000);
  states = ['alive'];
  world.advance(10_000);
  const late = world.connect('late');
  late.subscribe([`${PREFIX}cluster/#`]);
  assert.deepEqual(
    [...valuesOf(late.messages())],
    [
      ['cluster/node', 'n1'],
      ['cluster/members/alive', '1'],
    ],
  );
  assert.equal(valuesOf(watcher.messages()).get('cluster/members/left'), '');
});
