import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileFault } from '../../../src/shared/file-fault.ts';

function faultOf(path: string): string {
  try {
    readFileSync(path);
  } catch (error) {
    return fileFault(error);
  }
  return 'none';
}

test('a file that cannot be read is told in words, without its path', () => {
  assert.equal(faultOf('/nowhere/at/all'), 'there is no such file');
  assert.equal(faultOf(import.meta.dirname), 'is a folder, not a file');
  assert.match(faultOf(`${import.meta.filename}/x`), /a part of its path is a file/);
});

test('a fault without words of its own is as the system tells it, without the path', () => {
  const fault = Object.assign(new Error("EIO: i/o error, open '/x'"), { code: 'EIO' });
  assert.equal(fileFault(fault), 'EIO: i/o error');
  assert.equal(fileFault('odd'), 'odd');
});
