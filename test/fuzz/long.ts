// Fuzzes for as long as you say: `npm run test:fuzz -- [--minutes N] [--seed N] [--keep] [target ...]`. The time is shared
// equally by the targets. Prints a line for each; the input of a fault is kept in test/fuzz/corpus, and with --keep the
// few shortest inputs that reach code which the rest of the corpus does not.

import { parseArgs } from 'node:util';
import { keepCover, keepFault, readCorpus, readKinds } from './engine/corpus.ts';
import { fuzz } from './engine/engine.ts';
import { smallestCover } from './engine/minimise.ts';
import { targets } from './targets/index.ts';

const MINUTE_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    keep: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
  },
});
const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (chosen.length === 0 || !(minutes > 0) || !Number.isInteger(seed)) {
  console.error(`the targets are ${targets.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
console.log(`seed ${seed}, ${minutes} minutes`);
let faults = 0;
for (const target of chosen) {
  const began = performance.now();
  const until = began + (minutes * MINUTE_MS) / chosen.length;
  const corpus = readCorpus(target.name);
  const inputsMax = Number.POSITIVE_INFINITY;
  const result = await fuzz(target, { seed, corpus, inputsMax, until, usesCoverage: true });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `${target.name.padEnd(14)} ${result.inputs} inputs in ${seconds} s, ${result.found.length} reached new code`,
  );
  if (values.keep) {
    const cover = await smallestCover(target, readKinds(target.name), [...corpus, ...result.found]);
    keepCover(target.name, cover);
  }
  if (result.fault === undefined) continue;
  faults += 1;
  console.log(`  ${result.fault.error.stack}`);
  console.log(`  input: ${keepFault(target.name, result.fault.input)}`);
}
process.exit(faults > 0 ? 1 : 0);
