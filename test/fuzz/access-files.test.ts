// Files and tokens with random text: the readers accept or refuse each, and an accepted file grants
// exactly what it says. Prints its seed; SHOAL_SEED repeats a run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAcl } from '../../src/auth/acl-file.ts';
import { parsePasswordFile, removeUser, setUser } from '../../src/auth/password-file.ts';
import { Permissions, rulesOf } from '../../src/auth/permissions.ts';
import { checkToken, readTokenKeys } from '../../src/auth/token-keys.ts';
import { covers, levelsOf } from '../../src/mqtt/filter-algebra.ts';
import { isTopicFilter } from '../../src/mqtt/topic.ts';

const SEED = Number(process.env.SHOAL_SEED ?? Date.now() % 0x7fffffff) || 1;
const ROUNDS = 5000;

let state = SEED;
function random(below: number): number {
  state = (state * 48_271) % 0x7fffffff;
  return state % below;
}

function pick<T>(items: readonly [T, ...T[]]): T {
  return items[random(items.length)] ?? items[0];
}

function text(words: readonly [string, ...string[]], wordsMax: number): string {
  return Array.from({ length: random(wordsMax + 1) }, () => pick(words)).join('');
}

test(`an ACL of random words is refused by line or decides correctly, seed ${SEED}`, () => {
  const words = [
    ...['topic', 'pattern', 'user', ' ', ' ', ' ', 'read', 'write', 'deny', '\n', '\n', '\t'],
    ...['a', 'b', '/', '/', '+', '#', '%c', '%u', '$SYS', '\0', '\r', '\u{1f600}', '\ud800'],
  ] as unknown as readonly [string, ...string[]];
  const names = ['a', '+', '#', 'a/b', '$SYS', '', '%c'] as const;
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { acl, problems } = parseAcl('acl', text(words, 25));
    for (const problem of problems) assert.match(problem, /^acl:\d+: /);
    if (problems.length > 0) continue;
    accepted += 1;
    const rules = rulesOf(acl, random(2) === 0 ? undefined : pick(names), pick(names));
    const rights = new Permissions(rules);
    const topic = text(['a', 'b', '/', '$SYS'], 5);
    const filter = text(['a', 'b', '/', '+', '#', '$SYS'], 5);
    // A client that may read a topic may also subscribe to it.
    if (topic !== '' && rights.allows('read', topic)) assert.ok(rights.maySubscribe(topic));
    if (!isTopicFilter(filter) || !rights.maySubscribe(filter)) continue;
    const readable = rules.some((rule) => rule.read);
    assert.ok(readable, 'a subscription needs a line that allows reading');
    const denied = rules.findIndex(({ deny, levels }) => deny && covers(levels, levelsOf(filter)));
    const before = rules.slice(0, denied).some((rule) => rule.read);
    assert.ok(denied === -1 || before, 'a line that allows reading precedes the denial');
  }
  assert.ok(accepted > ROUNDS / 100, `only ${accepted} were accepted`);
});

test(`a password file of random words is refused by line, seed ${SEED}`, () => {
  const hash = `$7$101$AAAAAAAAAAAAAAAA$${Buffer.alloc(64).toString('base64')}`;
  const words = [
    'a',
    'b',
    ':',
    ':',
    '$',
    '6$',
    '7$',
    '$argon2id$v=19$',
    '\n',
    '\n',
    '#',
    hash,
  ] as const;
  for (let round = 0; round < ROUNDS; round++) {
    const source = text(words, 20);
    const { users, problems } = parsePasswordFile('pw', source);
    for (const problem of problems) assert.match(problem, /^pw:\d+: /);
    if (problems.length > 0) continue;
    const changed = parsePasswordFile('pw', setUser(source, 'new', hash));
    assert.deepEqual(changed.problems, []);
    assert.equal(changed.users.size, users.has('new') ? users.size : users.size + 1);
    for (const name of users.keys()) {
      const without = parsePasswordFile('pw', removeUser(source, name) ?? '');
      assert.equal(without.users.size, users.size - 1);
    }
  }
});

test(`no random token is valid, and none causes an exception, seed ${SEED}`, async () => {
  const keys = readTokenKeys('key', 'a secret that has thirty-two bytes or more');
  const part = (value: string): string => Buffer.from(value).toString('base64url');
  const words = [
    part('{"alg":"HS256"}'),
    part('{"alg":"none"}'),
    part('{"sub":"a"}'),
    part('{'),
    '.',
    '.',
    'AA',
    '-_',
  ] as const;
  for (let round = 0; round < 500; round++) {
    const result = await checkToken(Buffer.from(text(words, 7)), keys, {
      issuer: undefined,
      audience: undefined,
    });
    assert.equal(typeof result, 'string');
  }
});
