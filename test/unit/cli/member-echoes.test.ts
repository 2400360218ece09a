import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemberEchoes } from '../../../src/cli/views/member-echoes.ts';

const said = (node: string, event: string, at: number) =>
  ({ node, at, level: 'info', event: `cluster ${event} 10.0.0.5:7946`, fields: {} }) as const;

test('what all boxes see of one of them is shown once, and again when one of them sees it again', () => {
  const echoes = new MemberEchoes();
  const shown = [
    said('box1', 'suspect box5', 0),
    said('box2', 'suspect box5', 300),
    said('box1', 'offline box5', 2_000),
    said('box3', 'suspect box5', 2_100),
    said('box2', 'offline box5', 2_200),
    said('box1', 'updated box5', 4_000),
    said('box2', 'online box5', 4_100),
    said('box1', 'suspect box5', 6_000),
    said('box2', 'suspect box5', 6_100),
    said('box2', 'suspect box6', 6_200),
    said('box3', 'suspect box6', 60_000),
  ].filter((event) => !echoes.isEcho(event));
  assert.deepEqual(
    shown.map(({ at }) => at),
    [0, 2_000, 4_000, 6_000, 6_200, 60_000],
  );
});

test('other events are never left out', () => {
  const echoes = new MemberEchoes();
  const event = { level: 'info', event: 'client connected', at: 0, fields: {} } as const;
  assert.ok(!echoes.isEcho({ ...event, node: 'box1' }));
  assert.ok(!echoes.isEcho({ ...event, node: 'box2' }));
});
