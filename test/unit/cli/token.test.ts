import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { estimatedBits } from '../../../src/config/token-strength.ts';
import { fakeContext } from '../../support/fake-context.ts';

test('a token is random and strong, and a file for it is new and private', async (t) => {
  const first = fakeContext();
  assert.equal(await main(['token', 'make'], first), 0);
  const second = fakeContext();
  await main(['token', 'make'], second);
  const [token = ''] = first.out;
  assert.match(token, /^[\da-f]{64}\n$/);
  assert.notEqual(token, second.out[0]);
  // The estimate takes a beginning that the end repeats for a period.
  assert.ok(estimatedBits(token.trim()) >= 200);

  const folder = mkdtempSync(join(tmpdir(), 'shoal-token-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'token');
  assert.equal(await main(['token', 'make', file], fakeContext()), 0);
  assert.match(readFileSync(file, 'utf8'), /^[\da-f]{64}\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = fakeContext();
  assert.equal(await main(['token', 'make', file], again), 2);
  assert.equal(again.err.join(''), `shoal: ${file}: exists; name a new file\n`);
});
