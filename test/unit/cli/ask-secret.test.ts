import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { ReadStream } from 'node:tty';
import { secretAsker } from '../../../src/cli/ask-secret.ts';

/** A terminal on which the test types. */
function terminal(isTTY: boolean) {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY,
    setRawMode: (on: boolean) => modes.push(on),
  });
  const shown: string[] = [];
  const ask = secretAsker(
    () => input as unknown as ReadStream,
    (text) => shown.push(text),
  );
  return { input, ask, modes, shown };
}

test('typed characters are not shown, and the terminal is restored afterwards', async () => {
  const { input, ask, modes, shown } = terminal(true);
  const answer = ask('Password: ');
  for (const key of ['s', 'e', 'x', '\x7f', 'ü', '\r']) input.write(key);
  assert.equal(await answer, 'seü');
  assert.deepEqual(modes, [true, false]);
  assert.deepEqual(shown, ['Password: ', '\n']);
});

test('Ctrl-U erases the line, and a UTF-8 character may arrive in two pieces', async () => {
  const { input, ask } = terminal(true);
  const answer = ask('Password: ');
  for (const bytes of [Buffer.from('wrong\x15'), [0xc3], [0xbc], Buffer.from('\r')]) {
    input.write(Buffer.from(bytes));
  }
  assert.equal(await answer, 'ü');
});

test('Ctrl-C aborts the question and restores the terminal', async () => {
  const { input, ask, modes } = terminal(true);
  const answer = ask('Password: ');
  input.write('sec\x03');
  await assert.rejects(answer, /interrupted/);
  assert.deepEqual(modes, [true, false]);
});

test('from a pipe each question reads one line', async () => {
  const { input, ask } = terminal(false);
  input.end('first\nsecond');
  assert.equal(await ask('1'), 'first');
  assert.equal(await ask('2'), 'second');
  assert.equal(await ask('3'), '');
});
