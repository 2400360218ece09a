// Installs Debian packages in a clean root, and runs the command of their unit as its user, since no systemd
// runs there.

import assert from 'node:assert/strict';
import type { CleanRoot } from './clean-root.ts';
import type { WatchedProcess } from './watched-process.ts';

/** Leaves out what triggers of other packages do, as rebuilding the index of all man pages. */
export const DPKG = 'dpkg --force-unsafe-io --no-triggers';
const START_MS_MAX = 60_000;

export async function startUnit(root: CleanRoot): Promise<WatchedProcess> {
  const unit = root.run('cat /usr/lib/systemd/system/shoal.service');
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  assert.match(unit, /^User=shoal$/m);
  root.run('install -d -o shoal -m 700 /run/shoal');
  const node = root.start(`runuser -u shoal -- env RUNTIME_DIRECTORY=/run/shoal ${command}`);
  await node.waitFor(/Shoal v\S+ tcp 127\.0\.0\.1:1883/, START_MS_MAX);
  return node;
}

export async function stopUnit(root: CleanRoot, node: WatchedProcess): Promise<void> {
  root.run('shoal leave');
  await node.exited;
}
