import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JoinedFollower, joinedStream } from '../../../src/http/joined-stream.ts';

const SECOND_MS = 1000;

/** A stream of box1 and box2, whose part the test plays. */
function stream(context: { mock: { timers: typeof test.mock.timers } }, isLasting = true) {
  context.mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1e12 });
  const events: string[] = [];
  const followers: JoinedFollower[] = [];
  const online = ['box1', 'box2'];
  const start = joinedStream({
    online: () => online,
    own: () => () => undefined,
    follow: (_node, follower) => {
      followers.push(follower);
      return () => undefined;
    },
    isLasting,
  });
  const stop = start({
    send: (event, data) => events.push(`${event} ${JSON.stringify(data)}`),
    end: () => events.push('over'),
  });
  return { events, followers, online, stop, pass: (ms: number) => context.mock.timers.tick(ms) };
}

test('a node that returns is followed again, and shows no event twice', (context) => {
  const { events, followers, stop, pass } = stream(context);
  followers[0]?.event('log', { at: 5 });
  followers[0]?.ended('it has gone');
  pass(2 * SECOND_MS);
  assert.equal(followers.length, 2);
  for (const at of [4, 5, 6, 6]) followers[1]?.event('log', { at });
  assert.deepEqual(events, [
    'log {"at":5}',
    'end {"node":"box2","reason":"it has gone"}',
    'log {"at":6}',
    'log {"at":6}',
  ]);
  stop();
});

test('a node that comes online later is followed, until the reader goes', (context) => {
  const { followers, online, stop, pass } = stream(context);
  online.push('box3');
  pass(SECOND_MS);
  assert.equal(followers.length, 2);
  stop();
  online.push('box4');
  pass(60 * SECOND_MS);
  assert.equal(followers.length, 2);
});

test('a node that cannot be followed is reported once, and asked more and more rarely', (context) => {
  const { events, followers, stop, pass } = stream(context);
  let asked = 0;
  for (let second = 0; second < 600; second++) {
    for (const one of followers.splice(0)) {
      asked += 1;
      one.ended('too many streams');
    }
    pass(SECOND_MS);
  }
  assert.ok(asked > 5 && asked < 20, `asked ${asked} times`);
  assert.equal(events.length, 1);
  stop();
});

test('a stream with an end of its own follows no node twice', (context) => {
  const { followers, stop, pass } = stream(context, false);
  followers[0]?.ended(undefined);
  pass(60 * SECOND_MS);
  assert.equal(followers.length, 1);
  stop();
});
