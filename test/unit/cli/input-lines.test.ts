import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf } from '../../../src/cli/mqtt/input-lines.ts';

test('lines are cut as bytes, wherever the chunks end', async () => {
  async function* input() {
    yield* ['on', 'e\ntwo\n\n', '\xffx', '\nlast'].map((text) => Buffer.from(text, 'latin1'));
  }
  const lines: string[] = [];
  for await (const line of linesOf(input())) lines.push(line.toString('latin1'));
  assert.deepEqual(lines, ['one', 'two', '', '\xffx', 'last']);
});
