// Every fuzz target: first the kept inputs, then new ones from a fixed seed. SHOAL_FUZZ_SEED gives others;
// `npm run test:fuzz` runs for longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCorpus } from './engine/corpus.ts';
import { fuzz } from './engine/engine.ts';
import { smallestCover } from './engine/minimise.ts';
import { type FuzzTarget, sources } from './engine/target.ts';
import { targets } from './targets/index.ts';

const SEED = Number(process.env.SHOAL_FUZZ_SEED ?? 1);
const INPUTS = 300;
const CANARY_INPUTS_MAX = 400_000;

for (const target of targets) {
  test(`${target.name}: no input breaks it (seed ${SEED})`, async () => {
    const corpus = readCorpus(target.name);
    assert.ok(corpus.length > 0, 'it has a corpus');
    const result = await fuzz(target, {
      seed: SEED,
      corpus,
      inputsMax: INPUTS,
      usesCoverage: false,
    });
    const { fault } = result;
    if (fault === undefined) return;
    assert.fail(`input ${fault.input.toString('hex')}: ${fault.error.stack}`);
  });
}

/** A parser with a fault behind three bytes, each in code of its own: chance alone needs 16 million inputs. */
function canary(input: Buffer): void {
  if (input[0] !== 0x53) return;
  if (input[1] !== 0x68) return;
  if (input[2] !== 0x6f) return;
  throw new Error('the canary');
}

const canaryTarget: FuzzTarget = {
  name: 'canary',
  what: 'a planted fault',
  bytesMax: 16,
  words: [],
  covers: (url) => url.endsWith('targets.test.ts'),
  run: canary,
};

test('coverage leads to a planted fault, and the input that shows it is made as small as it can be', async () => {
  const options = { seed: SEED, corpus: [Buffer.alloc(3)], inputsMax: CANARY_INPUTS_MAX };
  const { fault } = await fuzz(canaryTarget, { ...options, usesCoverage: true });
  assert.equal(fault?.error.message, 'the canary');
  assert.equal(fault.input.toString('latin1'), 'Sho');
  const blind = await fuzz(canaryTarget, { ...options, inputsMax: 20_000, usesCoverage: false });
  assert.equal(blind.fault, undefined);
});

test('of many inputs those stay that reach code which shorter ones and the kinds do not', async () => {
  const kinds = [Buffer.alloc(3)];
  const others = ['Sh, and more', 'Sh', 'S', 'Q', 'S?'].map((text) => Buffer.from(text));
  const cover = await smallestCover(canaryTarget, kinds, others);
  assert.deepEqual(
    cover.map((input) => input.toString()),
    ['S', 'Sh'],
  );
});

test('only sources count as progress', () => {
  assert.ok(sources('/mqtt/')('file:///x/src/mqtt/framer.ts'));
  assert.ok(!sources('/mqtt/')('file:///x/test/mqtt/framer.ts'));
});
