// The container images of a release: loaded by buildah, run as their user with their entry point, used by
// mosquitto's clients, and judged healthy by their own check.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { imageNeeds, storageIn } from '../../release/image.ts';
import { missingPrograms } from '../support/programs.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const RELEASE = ['--import', 'tsx', 'release/release.ts', '--draft', '--only', 'image'];
const START_MS_MAX = 60_000;
const ARCHITECTURES = ['amd64', 'arm64'];

interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
  readonly Env: readonly string[];
}

const needsRoot = process.getuid?.() !== 0 && 'needs root';
const skip = needsRoot || missingPrograms(...imageNeeds, 'mosquitto_pub', 'mosquitto_sub');
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'shoal-image-'));
const buildahWords = ['--storage-driver=vfs', ...storageIn(folder)];
const buildah = (...words: string[]): string =>
  execFileSync('buildah', [...buildahWords, ...words], { encoding: 'utf8' }).trim();

before(() => {
  if (skip !== false) return;
  execFileSync(process.execPath, [...RELEASE, '--out', join(folder, 'out')], { stdio: 'pipe' });
});
after(() => {
  if (skip === false) buildah('rm', '--all');
  rmSync(folder, { recursive: true });
});

test('the image runs without rights and serves clients', { skip }, async (t) => {
  const image = load('amd64');
  const config = configOf(image);
  assert.equal(config.User, '65532:65532');
  const container = buildah('from', '--pull-never', image);
  const run = ['buildah', ...buildahWords, 'run', '--isolation=chroot', container, '--'];

  const flags = ['-nid=box1', '-bind=127.0.0.1', '-port=0', '-http=off'];
  const node = new WatchedProcess([...run, ...config.Entrypoint, ...flags]);
  t.after(() => node.stop());
  const [, port = ''] = await node.waitFor(/Shoal v\S+ tcp \S+:(\d+)/, START_MS_MAX);
  const words = ['-p', port, '-t', 'a', '-q', '1'];
  execFileSync('mosquitto_pub', [...words, '-r', '-m', 'hello']);
  const received = execFileSync('mosquitto_sub', [...words, '-C', '1', '-W', '20']);
  assert.equal(received.toString().trim(), 'hello');

  const [kind, ...check] = config.Healthcheck.Test;
  assert.equal(kind, 'CMD');
  const [command = '', ...rest] = [...run, ...check];
  assert.match(execFileSync(command, rest).toString(), /^OK: All well/);
});

test('there is an image for each architecture, with the licences of what it contains', {
  skip,
}, () => {
  for (const architecture of ARCHITECTURES) {
    const image = load(architecture);
    const { OCIv1 } = JSON.parse(buildah('inspect', '--type=image', image));
    assert.equal(OCIv1.architecture, architecture);
    const container = buildah('from', '--pull-never', `--arch=${architecture}`, image);
    const root = buildah('mount', container);
    for (const file of ['LICENSE', 'LICENSES.txt', 'LICENSE-node.txt']) {
      assert.ok(readFileSync(join(root, 'licenses', file)).length > 0);
    }
    assert.match(readFileSync(join(root, 'usr/share/doc/libc6/copyright'), 'utf8'), /LGPL/);
  }
});

const noQemu = missingPrograms('qemu-aarch64-static');

test('Node of the image for arm64 runs the program', { skip: skip || noQemu }, () => {
  const image = load('arm64');
  const root = buildah('mount', buildah('from', '--pull-never', '--arch=arm64', image));
  const [emulator] = execFileSync('which', ['qemu-aarch64-static'], { encoding: 'utf8' }).split(
    '\n',
  );
  copyFileSync(`${emulator}`, join(root, 'tmp/qemu'));
  const words = ['--userspec=65532:65532', root, '/tmp/qemu', '/usr/local/bin/node'];
  const printed = execFileSync('chroot', [...words, '/shoal.js', '-version'], { encoding: 'utf8' });
  assert.equal(printed, `shoal ${version}\n`);
});

/** @returns the id of the image */
function load(architecture: string): string {
  const packed = readFileSync(join(folder, `out/shoal-${version}-image-${architecture}.tar.gz`));
  const archive = join(folder, `${architecture}.tar`);
  writeFileSync(archive, gunzipSync(packed));
  return buildah('pull', '--quiet', `docker-archive:${archive}`);
}

function configOf(image: string): ImageConfig {
  return JSON.parse(buildah('inspect', '--type=image', image)).Docker.config;
}
