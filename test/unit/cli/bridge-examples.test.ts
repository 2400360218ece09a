// Every TOML block of docs/bridge.md is a configuration that a node starts with.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { fakeContext } from '../../support/fake-context.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-examples-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const blocks = [...readFileSync('docs/bridge.md', 'utf8').matchAll(/^```toml\n(.*?)^```$/gms)].map(
  ([, text = '']) => text,
);

test('the page has an example for each far side', () => {
  const names = blocks.map((text) => /^name = "(.*)"$/m.exec(text)?.[1]);
  const wanted = ['hq', 'hq', 'nats', 'rabbit', 'emqx', 'hivemq', 'aws', 'azure', 'iothub'];
  assert.deepEqual(names, wanted);
});

for (const [index, text] of blocks.entries()) {
  test(`shoal check accepts example ${index + 1} of the page`, async () => {
    const path = join(folder, `${index}.toml`);
    // A name server may know these names or not: check warns of those that it does not know.
    writeFileSync(path, text.replaceAll(/:\/\/[^:/"]+/g, '://127.0.0.1'), { mode: 0o600 });
    for (const [, name] of text.matchAll(/^(?:ca|cert|key) = "(.*)"$/gm)) {
      writeFileSync(join(folder, name!), '', { mode: 0o600 });
    }
    const context = fakeContext();
    context.readFile = (file) => readFileSync(file, 'utf8');
    const flags = [`-config=${path}`, '-anonymous=true', '-port=0', '-http=off'];
    const code = await main(['check', ...flags], context);
    assert.equal(context.err.join(''), '');
    assert.equal(code, 0);
  });
}
