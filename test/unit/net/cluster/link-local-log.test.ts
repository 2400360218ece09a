import assert from 'node:assert/strict';
import type { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { LinkLocalLog } from '../../../../src/net/cluster/link-local-log.ts';
import { listLinks } from '../../../../src/net/cluster/links.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

type Interfaces = ReturnType<typeof networkInterfaces>;

const rest = { netmask: '', mac: '', internal: false };
const linkLocal = {
  ...rest,
  family: 'IPv6',
  address: 'fe80::1',
  cidr: 'fe80::1/64',
  scopeid: 2,
} as const;
const global = { ...linkLocal, address: 'fd00::1', cidr: 'fd00::1/64', scopeid: 0 } as const;

test('a machine with link-local addresses alone has a line, and another once that is over', () => {
  let interfaces: Interfaces = { eth0: [linkLocal] };
  const lines: string[] = [];
  const note = (event: string, fields: unknown): void => {
    lines.push(`${event} ${JSON.stringify(fields)}`);
  };
  const log = new LinkLocalLog({ ...silentLogger, warn: note, info: note }, 'x', () => interfaces);
  const review = (now: number): void =>
    log.review(listLinks(undefined, () => interfaces).length, now);
  review(0);
  review(1000);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^x: .* link-local addresses .*"interfaces":"eth0"/);
  interfaces = { eth0: [linkLocal, global] };
  review(2000);
  assert.match(lines[1] ?? '', /another address .*"lastedMs":2000/);
});

test('a machine without any network, or with one good interface, has no line', () => {
  const log = new LinkLocalLog(
    { ...silentLogger, warn: () => assert.fail('a warning') },
    'x',
    () => ({ lo: [{ ...global, internal: true, address: '::1' }] }),
  );
  log.review(0, 0);
  new LinkLocalLog({ ...silentLogger, warn: () => assert.fail('a warning') }, 'x', () => ({
    eth0: [linkLocal],
  })).review(1, 0);
});
