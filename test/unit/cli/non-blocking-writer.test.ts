import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { flush, nonBlockingWriter } from '../../../src/cli/non-blocking-writer.ts';

/** An output that takes a line when the test says so. */
class SlowOutput extends Writable {
  readonly lines: string[] = [];
  take = (): void => undefined;

  override _write(line: Buffer, _encoding: string, done: () => void): void {
    this.take = () => {
      this.lines.push(String(line));
      done();
    };
  }
}

test('a slow output gets a bounded number of lines, and further ones are refused', () => {
  const output = new SlowOutput();
  const write = nonBlockingWriter(output);
  const line = 'x'.repeat(1000);
  let taken = 0;
  while (write(line)) taken += 1;
  assert.ok(taken > 100 && taken < 1000, `${taken} lines`);
  for (let index = 0; index < 50; index++) output.take();
  assert.equal(write(line), true);
});

test('flush waits until the output has taken everything', async () => {
  const output = new SlowOutput();
  await flush(output);
  nonBlockingWriter(output)('last words');
  const flushed = flush(output);
  output.take();
  output.take();
  await flushed;
  assert.equal(output.lines[0], 'last words');
});
