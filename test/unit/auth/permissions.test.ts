import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseAcl } from '../../../src/auth/acl-file.ts';
import { Permissions, rulesOf, rulesOfClaims } from '../../../src/auth/permissions.ts';

function rights(source: string, username?: string, clientId = 'c1'): Permissions {
  const { acl, problems } = parseAcl('acl', source);
  assert.deepEqual(problems, []);
  return new Permissions(rulesOf(acl, username, clientId));
}

test('nothing is permitted without a line that permits it', () => {
  const empty = rights('');
  assert.equal(empty.mayPublish('a'), false);
  assert.equal(empty.allows('read', 'a'), false);
  assert.equal(empty.subscriptionRefusal('#'), 0x87);
});

test('the general section applies to clients without a user name only', () => {
  const acl = 'topic read news/#\nuser ann\ntopic write ann/#';
  assert.equal(rights(acl).allows('read', 'news/x'), true);
  assert.equal(rights(acl, 'ann').allows('read', 'news/x'), false);
  assert.equal(rights(acl, 'ann').mayPublish('ann/x'), true);
  assert.equal(rights(acl, 'bob').allows('read', 'news/x'), false);
});

test('a denial precedes the permissions of its section, wherever it appears', () => {
  for (const acl of ['topic home/#\ntopic deny home/door', 'topic deny home/door\ntopic home/#']) {
    assert.equal(rights(acl).mayPublish('home/lamp'), true);
    assert.equal(rights(acl).mayPublish('home/door'), false);
    assert.equal(rights(acl).allows('read', 'home/door'), false);
  }
});

test("no pattern denies what the client's own section permits, as in mosquitto", () => {
  const acl = 'user ann\ntopic home/#\npattern deny home/door\npattern read shed/#';
  assert.equal(rights(acl, 'ann').mayPublish('home/door'), true);
  assert.equal(rights(acl, 'bob').mayPublish('home/door'), false);
  assert.equal(rights(acl, 'bob').allows('read', 'shed/x'), true);
});

test("a pattern contains the client's names, and one with %u needs a user name", () => {
  const acl = 'pattern write dev/%c/up\npattern read user/%u/#';
  assert.equal(rights(acl, 'ann', 'c1').mayPublish('dev/c1/up'), true);
  assert.equal(rights(acl, 'ann', 'c1').mayPublish('dev/c2/up'), false);
  assert.equal(rights(acl, 'ann', 'c1').allows('read', 'user/ann/x'), true);
  assert.equal(rights(acl, undefined, 'c1').allows('read', 'user//x'), false);
  assert.equal(rights(acl, undefined, 'c1').allows('read', 'user/%u/x'), false);
});

test('a name with + # or / gives access to nothing through a pattern', () => {
  const acl = 'pattern readwrite dev/%c/#\npattern readwrite %u';
  for (const name of ['+', '#', 'a/b', 'a+', '..#']) {
    assert.equal(rights(acl, undefined, name).maySubscribe('#'), false, name);
    assert.equal(rights(acl, name, 'c1').allows('read', 'other'), false, name);
  }
});

test('a name that begins with $ gives no access to the topics of the broker', () => {
  assert.equal(rights('pattern read %c/#', undefined, '$SYS').maySubscribe('$SYS/#'), false);
});

test('an odd name does not escape a pattern that denies', () => {
  const acl = 'pattern deny dev/%c/#\npattern readwrite dev/#';
  assert.equal(rights(acl, undefined, 'a/b').mayPublish('dev/a/b/x'), false);
  assert.equal(rights(acl, undefined, '+').mayPublish('dev/x/y'), false);
});

test('a wildcard in the file does not match topics that begin with $', () => {
  assert.equal(rights('topic #').allows('read', '$SYS/broker/uptime'), false);
  assert.equal(rights('topic #\ntopic read $SYS/#').allows('read', '$SYS/broker/uptime'), true);
});

test('a subscription is permitted if it can match any topic that may be read', () => {
  const acl = 'topic read home/+/temperature\ntopic write up/#\ntopic deny home/attic/#';
  const wanted: [string, boolean][] = [
    ['#', true],
    ['home/#', true],
    ['home/kitchen/temperature', true],
    ['+/kitchen/+', true],
    ['home/attic/temperature', false],
    ['home/attic/#', false],
    ['up/#', false],
    ['shed/#', false],
    ['home', false],
    ['$SYS/#', false],
  ];
  for (const [filter, allowed] of wanted) {
    assert.equal(rights(acl).maySubscribe(filter), allowed, filter);
  }
});

test('a denied topic cannot be subscribed to, even if every other topic may be read', () => {
  const acl = 'topic readwrite #\ntopic deny test/nosubscribe';
  assert.equal(rights(acl).subscriptionRefusal('test/nosubscribe'), 0x80);
  assert.equal(rights(acl).maySubscribe('test/+'), true);
  assert.equal(rights(acl).allows('read', 'test/nosubscribe'), false);
});

test('the lists of a token replace what the file permits, not what it denies', () => {
  const { acl } = parseAcl('acl', 'user ann\ntopic all/#\ntopic deny all/secret');
  const granted = { publish: ['ann/up'], subscribe: ['all/#'] };
  const both = new Permissions(rulesOfClaims(granted, rulesOf(acl, 'ann', 'c1')));
  assert.equal(both.mayPublish('ann/up'), true);
  assert.equal(both.mayPublish('all/x'), false);
  assert.equal(both.allows('read', 'all/x'), true);
  assert.equal(both.allows('read', 'all/secret'), false);
  assert.equal(both.allows('read', 'ann/up'), false);
});

test('a cached decision applies to its topic only, even with more topics than the cache holds', () => {
  const some = rights('topic write even/#');
  for (const round of [1, 2]) {
    for (let i = 0; i < 600; i++) {
      assert.equal(
        some.mayPublish(`${i % 2 === 0 ? 'even' : 'odd'}/${i}`),
        i % 2 === 0,
        `${round}`,
      );
    }
  }
});

test('all clients share the rule of a line, unless it contains a name', () => {
  const { acl } = parseAcl('acl', 'user ann\ntopic read a\npattern write %c/up\npattern read b');
  const [one = [], two = []] = ['c1', 'c2'].map((clientId) => rulesOf(acl, 'ann', clientId));
  assert.deepEqual(
    one.map((rule, index) => rule === two[index]),
    [true, false, true],
  );
});

test('cached decisions on long topics take little memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heapBytes = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const own = rights('topic write up/#');
  const before = heapBytes();
  for (const length of [8_000, 65_000]) {
    for (let i = 0; i < 200; i++) {
      const topic = Buffer.alloc(length, `${i}`.padStart(4, '0')).toString('latin1');
      assert.equal(own.mayPublish(topic), false);
      assert.equal(own.mayPublish(`up/${i}`), true);
    }
  }
  assert.ok(heapBytes() - before < 1_000_000);
  assert.equal(own.mayPublish('up/1'), true);
});

test('a filter may be read as a whole only if one line covers it and no denial before it touches it', () => {
  const own = rights('topic read home/#\ntopic write shed/#\ntopic read garden/+/lamp');
  for (const filter of ['home/#', 'home/+', 'home', 'garden/+/lamp', 'garden/a/lamp']) {
    assert.equal(own.mayReadAll(filter), true, filter);
  }
  for (const filter of ['#', '+/#', '+/lamp', 'shed/#', 'garden/#', 'garden/+/+', 'other']) {
    assert.equal(own.mayReadAll(filter), false, filter);
  }
  const denied = rights('topic read home/#\ntopic deny home/door');
  assert.equal(denied.mayReadAll('home/lamp/#'), true);
  assert.equal(denied.mayReadAll('home/#'), false);
});
