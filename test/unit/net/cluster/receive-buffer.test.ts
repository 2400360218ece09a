import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  receiveBufferRemedy,
  receiveBufferWarnings,
} from '../../../../src/net/cluster/receive-buffer.ts';

test('a small limit of the system gives a warning with the lines that raise it', () => {
  const [warning = ''] = receiveBufferWarnings(() => '212992\n');
  assert.match(warning, /212992 bytes/);
  assert.match(warning, /sysctl -w net\.core\.rmem_max=4194304;/);
  assert.match(warning, /> \/etc\/sysctl\.d\/60-shoal\.conf/);
});

test('a limit that is large enough gives none', () => {
  assert.deepEqual(
    receiveBufferWarnings(() => '4194304\n'),
    [],
  );
});

test('a system without that file gives no warning in check, and advice in words at the start', () => {
  const missing = (): string => {
    throw new Error('ENOENT');
  };
  assert.deepEqual(receiveBufferWarnings(missing), []);
  assert.match(receiveBufferRemedy('darwin'), /4194304 bytes/);
});
