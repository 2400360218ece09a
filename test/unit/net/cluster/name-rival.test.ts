import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NameInUseError, rivalKind } from '../../../../src/net/cluster/name-rival.ts';
import { readMachineMark } from '../../../../src/net/machine-mark.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const HOLDER = { address: '192.168.1.101', port: 7946 };

test('boxes of one name and one machine id are copies; two processes of one box are not', () => {
  assert.equal(rivalKind('a', 'a', false), 'copy');
  assert.equal(rivalKind('a', 'a', true), 'process');
  assert.equal(rivalKind('a', 'b', false), 'other');
  assert.equal(rivalKind('a', 'b', false, true), 'folder');
  assert.equal(rivalKind(undefined, undefined, false), 'other');
});

test('the refusal of a copy says what it is, and how it becomes a box of its own', () => {
  const { message, cure } = new NameInUseError('box1', HOLDER, 'copy');
  assert.match(
    message,
    /box1 is in use by the node at 192\.168\.1\.101:7946, and the disk of this/,
  );
  assert.match(cure, /another -nid.*-data.*machine-id/);
  assert.equal(new NameInUseError('box1', HOLDER).cure, 'choose another name with -nid');
});

test('the mark of a machine does not show its id, and is missing where there is none', (t) => {
  const file = join(temporaryFolder(t), 'machine-id');
  const id = '0123456789abcdef0123456789abcdef';
  assert.equal(readMachineMark([file]), undefined);
  writeFileSync(file, 'uninitialized\n');
  assert.equal(readMachineMark([file]), undefined);
  writeFileSync(file, `${id}\n`);
  const mark = readMachineMark([file]);
  assert.match(mark ?? '', /^[0-9a-f]{16}$/);
  assert.ok(!id.includes(mark ?? ''));
  assert.equal(readMachineMark(['/nowhere', file]), mark);
});
