// The broker core against a model of MQTT: random sequences of packets, legal and illegal. Prints the smallest sequence
// that makes them differ. SHOAL_SEED is the first seed, SHOAL_SEEDS how many.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientDeadlines } from '../../src/broker/client/client-deadlines.ts';
import { InboundAliases } from '../../src/broker/client/topic-aliases.ts';
import { RetainedStore } from '../../src/broker/retained/retained-store.ts';
import { SharedGroup } from '../../src/broker/routing/shared-group.ts';
import { Outbound } from '../../src/broker/session/outbound.ts';
import { PacketIdSet } from '../../src/broker/session/packet-id-set.ts';
import { play, shrink } from './game.ts';
import { drawSteps, type Step } from './steps.ts';

const FIRST_SEED = Number(process.env.SHOAL_SEED ?? 1);
const SEEDS = Number(process.env.SHOAL_SEEDS ?? 60);
const STEPS = 150;
/** Seeds in which each fault has to show. */
const MUTANT_SEEDS = 40;

function describe(steps: readonly Step[]): string {
  return [play(steps), ...steps.map((step) => JSON.stringify(step))].join('\n  ');
}

test(`the broker does what MQTT says, packet by packet (seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1})`, () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const steps = drawSteps(seed, STEPS);
    if (play(steps) !== undefined) assert.fail(`seed ${seed}: ${describe(shrink(steps))}`);
  }
});

/** Faults of the broker: a method that does something else. */
const MUTANTS = [
  {
    what: 'an empty retained message removes nothing',
    of: RetainedStore.prototype,
    method: 'remove',
  },
  { what: 'PUBACK ends nothing', of: Outbound.prototype, method: 'handlePuback' },
  { what: 'a Topic Alias is not remembered', of: InboundAliases.prototype, method: 'set' },
  { what: 'a silent client stays', of: ClientDeadlines.prototype, method: 'keepAlive' },
  { what: 'no member of a group is found', of: SharedGroup.prototype, method: 'pick' },
  { what: 'a repeated QoS 2 message is a new one', of: PacketIdSet.prototype, method: 'has' },
] as const;

for (const { what, of, method } of MUTANTS) {
  test(`the model finds a broken broker: ${what}`, () => {
    const methods = of as unknown as Record<string, unknown>;
    const original = methods[method];
    methods[method] = () => method === 'handlePuback';
    try {
      const seeds = Array.from({ length: MUTANT_SEEDS }, (_, index) => index + 1);
      const found = seeds.map((seed) => drawSteps(seed, STEPS)).find((steps) => play(steps));
      assert.ok(found, `${MUTANT_SEEDS} sequences have not found it`);
      const small = shrink(found);
      assert.ok(small.length <= 12, describe(small));
    } finally {
      methods[method] = original;
    }
  });
}
