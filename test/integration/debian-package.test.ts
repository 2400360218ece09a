// The Debian package on a copy of this machine's root: installed, run as its unit runs it, upgraded,
// removed and purged by dpkg, and used by mosquitto's clients on the default port.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { optionTable } from '../../src/config/config.ts';
import { CleanRoot, missingForCleanRoot, NODE_INSIDE, SHARED } from '../support/clean-root.ts';
import { DPKG, startUnit, stopUnit } from '../support/debian-unit.ts';

const RELEASE = ['--import', 'tsx', 'release/release.ts', '--draft', '--only', 'deb'];
const CONFIGURATION = '/etc/shoal/shoal.toml';
const LATER = '9.9.9';

const skip = missingForCleanRoot('dpkg-deb', 'adduser', 'mosquitto_pub', 'mosquitto_sub');

test('the Debian package: install, use, upgrade, remove, purge', { skip }, async (t) => {
  const root = await CleanRoot.create();
  t.after(() => root.close());
  const { folder } = root;
  const out = join(folder, 'release');
  execFileSync(process.execPath, [...RELEASE, '--out', out], { stdio: 'pipe' });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const deb = join(out, `shoal_${version}_all.deb`);
  makeNodePackage(folder);

  await t.test('installs, with its files readable by its own user only', () => {
    root.run(`${DPKG} -i ${SHARED}/nodejs.deb`);
    root.run(`${DPKG} -i ${SHARED}/release/shoal_${version}_all.deb`);
    assert.match(root.run(`shoal -version`), new RegExp(`^shoal ${version}$`, 'm'));
    assert.match(root.run('stat -c "%U:%G %a" /etc/shoal'), /^root:shoal 750$/m);
    assert.match(root.run(`stat -c "%U:%G %a" ${CONFIGURATION}`), /^root:shoal 640$/m);
    assert.match(root.run('stat -c "%U:%G %a" /var/lib/shoal'), /^shoal:shoal 750$/m);
    root.run('test -h /etc/systemd/system/multi-user.target.wants/shoal.service');
    root.run('bash -c ". /usr/share/bash-completion/completions/shoal && complete -p shoal"');
    root.run('dpkg -V shoal');
  });

  await t.test('the man page has every option', () => {
    execFileSync('dpkg-deb', ['-x', deb, join(folder, 'tree')]);
    const page = join(folder, 'tree/usr/share/man/man1/shoal.1.gz');
    const text = gunzipSync(readFileSync(page)).toString().replaceAll('\\-', '-');
    for (const { flag } of Object.values(optionTable)) {
      assert.match(text, new RegExp(`^\\.B -${flag}(=|$)`, 'm'));
    }
  });

  await t.test('serves programs on this machine, and keeps what they retain', async () => {
    const first = await startUnit(root);
    root.run('mosquitto_pub -V 5 -q 1 -r -t home/door -m open');
    await stopUnit(root, first);
    const again = await startUnit(root);
    const received = root.run('mosquitto_sub -V 311 -q 1 -t home/# -C 1 -W 20');
    assert.equal(received.trim(), 'open');
    assert.match(root.run('shoal status'), /^All well: /);
    await stopUnit(root, again);
  });

  await t.test('an upgrade keeps the configuration, its rights and the data', () => {
    root.run(`echo '# mine' >> ${CONFIGURATION} && chmod 600 ${CONFIGURATION}`);
    root.run(`chown shoal ${CONFIGURATION}`);
    makeLater(deb, folder);
    root.run(`${DPKG} -i ${SHARED}/later.deb </dev/null`);
    assert.match(root.run('dpkg -s shoal'), new RegExp(`^Version: ${LATER}$`, 'm'));
    assert.match(root.run(`cat ${CONFIGURATION}`), /^# mine$/m);
    assert.match(root.run(`stat -c "%U %a" ${CONFIGURATION}`), /^shoal 600$/m);
    root.run('test -n "$(ls /var/lib/shoal)"');
  });

  await t.test('removal keeps configuration and data, purge removes them', () => {
    root.run(`${DPKG} -r shoal`);
    root.run(`test ! -e /usr/bin/shoal && test -e ${CONFIGURATION} && test -d /var/lib/shoal`);
    root.run(`${DPKG} -P shoal`);
    root.run('test ! -e /etc/shoal && test ! -e /var/lib/shoal && getent passwd shoal');
    root.run('test ! -e /etc/systemd/system/multi-user.target.wants/shoal.service');
  });
});

/** What the package depends on: the Node that runs the tests, where Debian's package has it. */
function makeNodePackage(folder: string): void {
  const tree = join(folder, 'nodejs');
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  const scripts = `#!/bin/sh\nln -sf ${NODE_INSIDE} /usr/bin/node\n`;
  writeFileSync(join(tree, 'DEBIAN/postinst'), scripts, { mode: 0o755 });
  const control = [
    'Package: nodejs',
    `Version: ${process.versions.node}`,
    'Architecture: all',
    'Maintainer: Tests <tests@localhost>',
    'Description: the Node that runs the tests',
  ];
  writeFileSync(join(tree, 'DEBIAN/control'), `${control.join('\n')}\n`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', tree, join(folder, 'nodejs.deb')]);
}

/** The same package as a later version. */
function makeLater(deb: string, folder: string): void {
  const tree = join(folder, 'later');
  execFileSync('dpkg-deb', ['-R', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  const text = readFileSync(control, 'utf8');
  writeFileSync(control, text.replace(/^Version: .*$/m, `Version: ${LATER}`));
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', tree, join(folder, 'later.deb')]);
}
