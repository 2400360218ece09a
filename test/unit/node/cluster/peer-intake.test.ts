import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Broker } from '../../../../src/broker/broker.ts';
import { PublishView } from '../../../../src/mqtt/publish-view.ts';
import { flushQueue } from '../../../../src/net/clients/flush-queue.ts';
import { INTAKE_BYTES_MAX, PeerIntake } from '../../../../src/node/cluster/peer-intake.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import type { RepairHead } from '../../../../src/sync/repair-codec.ts';

const STAMP = { time: 1, sequence: 1, writer: 1n };
const HEAD: RepairHead = { requestId: 1, isLast: true, writer: 1n, from: 1, to: 2 };

/** An intake whose broker has no work left in any turn but those of `turn()`. */
class Site {
  now = 0;
  processorMs = 0;
  readonly handled: string[] = [];
  readonly logged: string[] = [];
  readonly intake: PeerIntake;
  #step: () => boolean = () => false;

  constructor() {
    const budget = {
      isTurnSpent: true,
      beginTurn: () => {
        budget.isTurnSpent = false;
      },
      repeat: (step: () => boolean) => {
        this.#step = step;
      },
    };
    const bounds = { admit: () => 1 };
    const log = { ...silentLogger, warn: (event: string) => this.logged.push(event) };
    this.intake = new PeerIntake({
      broker: { context: { bounds, budget, log } as unknown as Broker['context'] },
      handler: { publishFromPeer: (view) => this.handled.push(textOf(view)) },
      repairHandler: {
        repairFromPeer: (view) => this.handled.push(`repair ${textOf(view)}`),
        blockFromPeer: () => this.handled.push('block'),
      },
      now: () => this.now,
      processorMs: () => this.processorMs,
    });
  }

  publish(node: string, text: string): void {
    const sender = { name: node, bootId: BigInt(node.length), seed: 1 };
    this.intake.publishFromPeer(viewOf(text), this.now, sender, 1);
  }

  /** Handles so many messages of those that wait. */
  turn(messages = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < messages && this.#step(); i++);
  }
}

function viewOf(text: string): PublishView {
  const view = new PublishView();
  view.buffer = Buffer.from(`..${text}..`);
  view.start = view.payloadStart = 2;
  view.end = 2 + Buffer.byteLength(text);
  return view;
}

function textOf({ buffer, payloadStart, end }: PublishView): string {
  return buffer.toString('utf8', payloadStart, end);
}

test('messages for which a turn has no work wait, and those of a node keep their order', () => {
  const site = new Site();
  for (let i = 0; i < 5; i++) site.publish('a', `${i}`);
  assert.deepEqual(site.handled, []);
  site.turn(2);
  assert.deepEqual(site.handled, ['0', '1']);
  site.publish('a', '5');
  site.turn();
  assert.deepEqual(site.handled, ['0', '1', '2', '3', '4', '5']);
  assert.equal(site.intake.counters.delayed, 6);
});

test('work of turns that are over holds no message back', async () => {
  const site = new Site();
  flushQueue.add({ flush: () => undefined });
  await new Promise((resolve) => setImmediate(resolve));
  site.publish('a', 'of the next turn');
  assert.deepEqual(site.handled, ['of the next turn']);
  assert.equal(site.intake.counters.delayed, 0);
});

test('nodes take turns: one message does not wait behind the flood of another node', () => {
  const site = new Site();
  for (let i = 0; i < 1000; i++) site.publish('a', `flood ${i}`);
  site.publish('bb', 'other');
  site.turn(2);
  assert.deepEqual(site.handled, ['flood 0', 'other']);
});

test('a message that has waited for more than two seconds is dropped, counted and logged', () => {
  const site = new Site();
  site.publish('a', 'old');
  site.now = 2500;
  site.publish('a', 'new');
  site.turn();
  assert.deepEqual(site.handled, ['new']);
  assert.equal(site.intake.counters.dropped, 1);
  assert.match(site.logged.join(), /messages of another node lost/);
});

test('a message that is lost because other programs use the processor is counted and logged as such', () => {
  const site = new Site();
  site.publish('a', 'work of this node');
  site.now = 2500;
  site.processorMs = 2500;
  site.turn();
  assert.equal(site.intake.counters.starved, 0);
  assert.match(site.logged.join(), /this node has more work than time/);

  site.publish('a', 'work of others');
  site.now += 2500;
  site.processorMs += 500;
  site.turn();
  assert.deepEqual([site.intake.counters.dropped, site.intake.counters.starved], [2, 1]);
  assert.match(site.logged.join(), /this node gets too little of the processor/);
});

test('what waits is bounded, and the node with the most loses its messages', () => {
  const site = new Site();
  const large = 'x'.repeat(100_000);
  for (let i = 0; i < 200; i++) site.publish('a', large);
  assert.ok(site.intake.counters.dropped > 100);
  const before = site.intake.counters.dropped;
  site.publish('bb', large);
  assert.equal(site.intake.counters.dropped, before);
  site.turn();
  const most = INTAKE_BYTES_MAX / large.length;
  assert.ok(site.handled.length <= most + 1 && site.handled.length > most - 2);
});

test('a repaired block is settled after its values, and dropped with all of them', () => {
  const site = new Site();
  site.intake.repairFromPeer(viewOf('1'), STAMP, 0);
  site.intake.repairFromPeer(viewOf('2'), STAMP, 0);
  site.intake.blockFromPeer(1n, HEAD, 0);
  site.turn();
  assert.deepEqual(site.handled, ['repair 1', 'repair 2', 'block']);

  const large = viewOf('x'.repeat(INTAKE_BYTES_MAX / 2));
  site.handled.length = 0;
  for (let i = 0; i < 3; i++) site.intake.repairFromPeer(large, STAMP, 0);
  site.intake.repairFromPeer(viewOf('3'), STAMP, 0);
  site.intake.blockFromPeer(1n, HEAD, 0);
  site.turn();
  assert.equal(site.handled.length, 1, 'the node asks for this block again');
});
