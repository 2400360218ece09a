import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAcl } from '../../../src/auth/acl-file.ts';
import { PermissionCache } from '../../../src/auth/permission-cache.ts';
import { usedBytes } from '../../support/heap-summary.ts';

test('users whose names are longer than any name have their permissions, and leave nothing', () => {
  const { acl } = parseAcl('acl', 'pattern read a\n');
  const cache = new PermissionCache(acl);
  const before = usedBytes();
  for (let i = 0; i < 1000; i++) {
    const identity = { clientId: 'c', username: `${i}`.padEnd(60_000, 'u') };
    const holder = { topics: undefined, permissions: undefined, cache: undefined };
    assert.ok(cache.of(identity, holder).allows('read', 'a'));
    assert.ok(!cache.of(identity, holder).allows('write', 'a'));
  }
  const grown = usedBytes() - before;
  assert.ok(grown < 10_000_000, `${grown} bytes of 1,000 users`);
});
