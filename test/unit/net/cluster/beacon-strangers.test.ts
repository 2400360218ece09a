import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BeaconStrangers } from '../../../../src/net/cluster/beacon-strangers.ts';
import { type Logger, silentLogger } from '../../../../src/shared/logger.ts';

function watched(): { strangers: BeaconStrangers; lines: string[] } {
  const lines: string[] = [];
  const note = (event: string, fields: { address?: unknown } = {}): void => {
    lines.push(`${event} ${fields.address}`);
  };
  const log: Logger = { ...silentLogger, warn: note, info: note };
  return { strangers: new BeaconStrangers(log), lines };
}

const ANOTHER = 'a box on this network uses another token or cluster name 192.168.1.66';

test('a box that calls every second has a line an hour, and is listed from its first call on', () => {
  const { strangers, lines } = watched();
  for (let second = 0; second <= 7200; second++) {
    strangers.note(second * 1000, '192.168.1.66');
    strangers.advance(second * 1000);
  }
  assert.deepEqual(lines, [ANOTHER, ANOTHER, ANOTHER]);
  assert.deepEqual(strangers.all, [{ address: '192.168.1.66', since: 0, lastAt: 7_200_000 }]);
});

test('a box that gets the right token has a line, and is listed no more', () => {
  const { strangers, lines } = watched();
  strangers.note(0, '192.168.1.66');
  strangers.noteFriend(1000, '192.168.1.66');
  strangers.noteFriend(2000, '192.168.1.66');
  const now = 'a box on this network now has the token and cluster name of this node 192.168.1.66';
  assert.deepEqual(lines, [ANOTHER, now]);
  assert.deepEqual(strangers.all, []);
});

test('a box that falls silent has a line', () => {
  const { strangers, lines } = watched();
  strangers.note(0, '192.168.1.66');
  strangers.advance(59_000);
  assert.equal(lines.length, 1);
  strangers.advance(60_000);
  assert.equal(lines[1], 'a box with another token or cluster name is silent 192.168.1.66');
  assert.deepEqual(strangers.all, []);
});

test('a flood of forged addresses has a bounded list and bounded lines', () => {
  const { strangers, lines } = watched();
  for (let index = 0; index < 10_000; index++)
    strangers.note(index, `10.0.${index >> 8}.${index & 255}`);
  assert.ok(strangers.all.length <= 16 && lines.length <= 16);
});
