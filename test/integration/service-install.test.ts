// `shoal service` of the built file: the unit that it shows, and what it writes below another root.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BUNDLE, NODE } from '../support/shoal-process.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-install-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function service(folder: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(NODE, [BUNDLE, 'service', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  return { code: status, out: stdout, err: stderr };
}

const noVerify = spawnSync('systemd-analyze', ['--version']).status !== 0 && 'no systemd-analyze';

test('systemd accepts the unit that -print shows', { skip: noVerify }, (t) => {
  const folder = folderOf(t);
  const flags = ['-nid=box1', '-port=883', '-data=/srv/my data', '-max-connections=200000'];
  const { code, out } = service(folder, 'install', '-print', '-user=root', ...flags);
  assert.equal(code, 0);
  assert.match(out, /^ExecStart=\S+ \/opt\/shoal\/shoal\.js -nid=box1 .*"-data=\/srv\/my data"/m);
  assert.match(out, /^AmbientCapabilities=CAP_NET_BIND_SERVICE$/m);
  assert.match(out, /^ReadWritePaths="\/srv\/my data"$/m);
  assert.match(out, /^LimitNOFILE=201024$/m);
  const unit = join(folder, 'shoal.service');
  writeFileSync(unit, out);
  const verify = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  assert.equal(verify.stderr, '');
  assert.equal(verify.status, 0);
});

test('install below another root writes unit and program, uninstall removes the unit', (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, 'token'), 'a'.repeat(64));
  const root = join(folder, 'image');
  const made = service(folder, 'install', `-root=${root}`, '-name=mqtt', '-csk-file=token');
  assert.equal(made.code, 0, made.err);
  const unitFile = join(root, 'etc/systemd/system/mqtt.service');
  const unit = readFileSync(unitFile, 'utf8');
  assert.ok(unit.includes(` -csk-file=${join(folder, 'token')} -data=/var/lib/mqtt\n`), unit);
  const program = join(root, 'opt/mqtt/shoal.js');
  assert.ok(readFileSync(program).equals(readFileSync(BUNDLE)));
  assert.equal(service(folder, 'uninstall', `-root=${root}`, '-name=mqtt').code, 0);
  assert.ok(!existsSync(unitFile));
  assert.ok(existsSync(program));
  assert.match(service(folder, 'uninstall', `-root=${root}`).err, /there is no service shoal/);
});

test('what the service could not run with is refused, with what to do', (t) => {
  const folder = folderOf(t);
  const refusal = (...flags: string[]): string => {
    const { code, err } = service(folder, 'install', '-print', ...flags);
    assert.equal(code, 2);
    return err;
  };
  assert.match(refusal('-csk=secretsecretsecret'), /give the token by -csk-file=FILE/);
  assert.match(refusal('-auth=/home/ann/users'), /can't read \/home\/ann\/users: home folders/);
  assert.match(refusal('-data=/srv/x\nExecStartPre=/bin/false'), /holds no line breaks/);
  assert.match(refusal('-port=x'), /bad value 'x' for -port/);
  assert.match(refusal('-memory-max=lots'), /expected 80% or 512M/);
});

const hasSystemd = existsSync('/run/systemd/system') && 'this machine runs systemd';

test('without systemd the command says so and changes nothing', { skip: hasSystemd }, (t) => {
  const folder = folderOf(t);
  for (const command of ['install', 'uninstall', 'status']) {
    const { code, err } = service(folder, command);
    assert.equal(code, 2);
    assert.match(err, /this machine does not run systemd/);
  }
});

test('a name that is none of a service is refused, so that it leads to no other file', (t) => {
  const folder = folderOf(t);
  for (const name of ['../../etc/passwd', '-a', 'a/b', '']) {
    for (const command of ['install', 'uninstall', 'status']) {
      const { code, err } = service(folder, command, `-root=${folder}`, `-name=${name}`);
      assert.equal(code, 2);
      assert.match(err, /bad value '.*' for -name/);
    }
  }
});
