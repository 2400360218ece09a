// `npm run release`: what it makes of the sources, and that the same sources make the same bytes.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { missingPrograms } from '../support/programs.ts';

const hasDpkg = missingPrograms('dpkg-deb') === false;
const RELEASE = ['--import', 'tsx', 'release/release.ts'];
/** Made from the sources and the tools of the lock file alone. */
const REPRODUCIBLE = ['shoal.js', 'shoal.js.map', 'LICENSES.txt', 'shoal.cdx.json', 'CHANGES.md'];

const folder = mkdtempSync(join(tmpdir(), 'shoal-release-test-'));
after(() => rmSync(folder, { recursive: true }));

async function release(name: string): Promise<string> {
  const out = join(folder, name);
  const env = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' };
  const flags = ['--out', out, '--draft', '--only', hasDpkg ? 'npm,deb' : 'npm'];
  await promisify(execFile)(process.execPath, [...RELEASE, ...flags], { env });
  return out;
}

const releases = Promise.all([release('one'), release('two')]);

test('two releases of the same sources have the same bytes and right checksums', async () => {
  const [one, two] = await releases;
  const packages = readdirSync(one).filter((file) => /\.(deb|tgz)$/.test(file));
  assert.equal(packages.length, hasDpkg ? 2 : 1);
  for (const file of [...REPRODUCIBLE, ...packages]) {
    assert.ok(readFileSync(join(one, file)).equals(readFileSync(join(two, file))), file);
  }
  const sums = readFileSync(join(one, 'SHA256SUMS'), 'utf8').trim().split('\n');
  const files = readdirSync(one).filter((file) => file !== 'SHA256SUMS');
  assert.deepEqual(
    sums.map((line) => line.slice(66)),
    files.sort(),
  );
  execFileSync('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: one });
});

test('licences and SBOM have the packages of the program and of its dashboard', async () => {
  const [one] = await releases;
  const { components } = JSON.parse(readFileSync(join(one, 'shoal.cdx.json'), 'utf8'));
  const names: string[] = components.map((each: { name: string }) => each.name);
  const licences = readFileSync(join(one, 'LICENSES.txt'), 'utf8');
  for (const name of ['ws', 'commander', 'preact', 'lean-qr'])
    assert.ok(names.includes(name), name);
  for (const name of names) assert.match(licences, new RegExp(`^${name} \\d`, 'm'));
});
