// The place of the control socket: the node and the commands find the same one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ControlHost,
  controlFile,
  controlFolder,
  controlFolders,
  controlPath,
  nameInPath,
} from '../../../src/shared/control-path.ts';

function host(more: Partial<ControlHost> = {}): ControlHost {
  return { platform: 'linux', userId: 1000, temporaryFolder: '/tmp', environment: {}, ...more };
}

test('each user has a folder, and commands look in that of root as well', () => {
  assert.equal(controlFolder(host()), '/tmp/shoal-1000');
  assert.equal(controlFolder(host({ userId: 0 })), '/run/shoal');
  const session = host({ environment: { XDG_RUNTIME_DIR: '/run/user/1000' } });
  assert.deepEqual(controlFolders(session), ['/run/user/1000/shoal', '/run/shoal']);
  assert.deepEqual(controlFolders(host({ userId: 0 })), ['/run/shoal']);
});

test('a service has the folder that systemd created for it', () => {
  const environment = { RUNTIME_DIRECTORY: '/run/shoal:/run/other' };
  assert.equal(controlFolder(host({ userId: 105, environment })), '/run/shoal');
});

test('the name of a node is found in its path', () => {
  for (const name of ['box1', 'shoal-1', 'a/b', '..', 'Küche', 'x.sock', '100%']) {
    const path = controlPath('/run/shoal', name);
    assert.match(path, /^\/run\/shoal\/[^/]+\.sock$/);
    assert.equal(nameInPath(path), name);
  }
  assert.equal(nameInPath('/run/shoal/box1.pid'), undefined);
  assert.equal(nameInPath('/run/shoal/%E0%A4%A.sock'), undefined);
});

test('a long name still makes a path that a socket can have', () => {
  const names = ['ü'.repeat(32), `${'ü'.repeat(31)}ä`];
  const paths = names.map((name) => controlPath('/run/user/1000/shoal', name));
  assert.ok(paths.every((path) => Buffer.byteLength(path) < 100));
  assert.notEqual(paths[0], paths[1]);
});

test('Windows has named pipes', () => {
  const windows = host({ platform: 'win32', userId: undefined });
  const [folder = ''] = controlFolders(windows);
  assert.equal(controlPath(folder, 'box1'), '\\\\.\\pipe\\shoal-box1');
  assert.equal(nameInPath(controlFile(folder, 'shoal-box1')), 'box1');
  assert.equal(nameInPath(controlFile(folder, 'other')), undefined);
});
