// The single executables of a release: the one of this architecture serves mosquitto's clients without any
// Node on the machine, installs itself as a service, and two builds have the same bytes.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { executableNeeds } from '../../release/executable.ts';
import { type Architecture, architectures, DEBIAN_NAMES } from '../../release/node-binary.ts';
import { CleanRoot, missingForCleanRoot, SHARED } from '../support/clean-root.ts';
import { DPKG, startUnit, stopUnit } from '../support/debian-unit.ts';
import { missingPrograms } from '../support/programs.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const RELEASE = ['--import', 'tsx', 'release/release.ts', '--draft', '--only', 'executable'];
const START_MS_MAX = 60_000;

const skip = missingPrograms(...executableNeeds, 'mosquitto_pub', 'mosquitto_sub');
const noRoot = missingForCleanRoot('adduser');
const folder = mkdtempSync(join(tmpdir(), 'shoal-executable-'));
after(() => rmSync(folder, { recursive: true }));
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const archiveOf = (architecture: string) => `shoal-${version}-linux-${architecture}.tar.gz`;

test('the executable runs without Node', { skip }, async (t) => {
  const out = release('one');
  execFileSync('tar', ['-xzf', join(out, archiveOf(arch())), '-C', folder]);
  const program = join(folder, `shoal-${version}`, 'shoal');
  const control = join(folder, 'control.sock');
  // A PATH without Node.
  const settings = { cwd: folder, env: { PATH: '/usr/sbin:/sbin' } };

  const flags = ['-nid=box1', '-bind=127.0.0.1', '-port=0', '-http=off', `-control=${control}`];
  const node = new WatchedProcess([program, ...flags], settings);
  t.after(() => node.kill());
  const [, port = ''] = await node.waitFor(/Shoal v\S+ tcp \S+:(\d+)/, START_MS_MAX);
  const words = ['-p', port, '-t', 'a', '-q', '1'];
  execFileSync('mosquitto_pub', [...words, '-r', '-m', 'hello']);
  const received = execFileSync('mosquitto_sub', [...words, '-C', '1', '-W', '20']);
  assert.equal(received.toString().trim(), 'hello');
  const status = execFileSync(program, ['status', `-control=${control}`], settings);
  assert.match(status.toString(), /^All well: /);

  const print = ['service', 'install', '-print', '-nid=box1'];
  const unit = execFileSync(program, print, settings).toString();
  assert.match(unit, /^ExecStart=\/opt\/shoal\/shoal -nid=box1 -data=\/var\/lib\/shoal$/m);
  const install = ['service', 'install', `-root=${join(folder, 'image')}`, '-nid=box1'];
  execFileSync(program, install, settings);
  const installed = readFileSync(join(folder, 'image/opt/shoal/shoal'));
  assert.ok(installed.equals(readFileSync(program)));
});

test('the Debian package of the executable needs no Node', { skip: skip || noRoot }, async (t) => {
  const root = await CleanRoot.create();
  t.after(() => root.close());
  const deb = `shoal_${version}_${DEBIAN_NAMES[arch() as Architecture]}.deb`;
  copyFileSync(join(folder, 'one', deb), join(root.folder, deb));
  root.run(`${DPKG} -i ${SHARED}/${deb}`);
  assert.match(root.run('dpkg -s shoal'), /^Status: install ok installed$/m);
  const node = await startUnit(root);
  root.run('mosquitto_pub -V 5 -q 1 -r -t home/door -m open');
  assert.equal(root.run('mosquitto_sub -t home/# -C 1 -W 20').trim(), 'open');
  assert.match(root.run('PATH=/usr/bin shoal status'), /^All well: /);
  await stopUnit(root, node);
});

test('two builds of the executables have the same bytes', { skip }, () => {
  const again = release('two');
  for (const architecture of architectures) {
    const file = archiveOf(architecture);
    assert.ok(
      readFileSync(join(again, file)).equals(readFileSync(join(folder, 'one', file))),
      file,
    );
  }
});

function release(name: string): string {
  const out = join(folder, name);
  const env = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' };
  execFileSync(process.execPath, [...RELEASE, '--out', out], { stdio: 'pipe', env });
  return out;
}
