import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Register } from '../../../src/replica/register.ts';
import { WriterLog } from '../../../src/replica/writer-log.ts';
import { seededRandom } from '../../support/random.ts';

function sequencesFrom(log: WriterLog, sequence: number): number[] {
  return Array.from(log.from(sequence), (register) => register.sequence);
}

test('a log keeps its registers in order, whatever comes and goes', () => {
  const random = seededRandom(7);
  const log = new WriterLog(1n);
  let registers: Register[] = [];
  for (let step = 0; step < 20_000; step++) {
    const isShrinking = Math.floor(step / 4000) % 2 === 1;
    if (registers.length > 0 && random() < (isShrinking ? 0.8 : 0.2)) {
      const index = Math.floor(random() * registers.length);
      log.remove(registers[index]!);
      registers = registers.with(index, registers.at(-1)!).slice(0, -1);
      continue;
    }
    // Some numbers come twice, as of a faulty writer.
    const sequence = 1 + Math.floor(random() * 50_000);
    const register = new Register(`key ${step}`, log, step, sequence, true);
    log.insert(register);
    registers.push(register);
  }
  const sequences = registers.map(({ sequence }) => sequence).sort((a, b) => a - b);
  assert.equal(log.count, sequences.length);
  assert.deepEqual(sequencesFrom(log, 1), sequences);
  for (const from of [1, sequences[17]!, 25_000, sequences.at(-1)!, 60_000]) {
    const expected = sequences.filter((sequence) => sequence >= from);
    assert.deepEqual(sequencesFrom(log, from), expected, `from ${from}`);
  }
});

for (const [order, older] of [
  ['ascending', (i: number) => i],
  ['descending', (i: number) => 20_001 - i],
  ['in jumbled order', (i: number) => 1 + ((i * 7919) % 20_000)],
] as const) {
  test(`older registers that come ${order} behind newer ones cost little each`, () => {
    let reads = 0;
    const log = new WriterLog(1n);
    const insert = (sequence: number): void => {
      const register = new Register(`key ${sequence}`, log, 1, 0, true);
      const get = (): number => {
        reads += 1;
        return sequence;
      };
      log.insert(Object.defineProperty(register, 'sequence', { get }));
    };
    for (let sequence = 20_001; sequence <= 40_000; sequence++) insert(sequence);
    reads = 0;
    for (let i = 1; i <= 20_000; i++) insert(older(i));
    assert.ok(reads < 20_000 * 100, `each looked at ${reads / 20_000} others`);
    assert.deepEqual(sequencesFrom(log, 19_999).slice(0, 3), [19_999, 20_000, 20_001]);
  });
}
