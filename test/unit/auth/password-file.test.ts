import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hashPlainPasswords,
  nameProblem,
  parsePasswordFile,
  removeUser,
  setUser,
} from '../../../src/auth/password-file.ts';
import { hashPassword, isPassword, parsePasswordHash } from '../../../src/auth/password-hash.ts';

test('users are read, comments and empty lines are skipped', async () => {
  const hash = await hashPassword('pw', 10);
  const { users, problems } = parsePasswordFile('pw', `# users\r\n\r\nann:${hash}\r\n`);
  assert.deepEqual(problems, []);
  assert.deepEqual([...users.keys()], ['ann']);
});

test('every mistake is reported with its file and line, and without the password', async () => {
  const hash = await hashPassword('pw', 10);
  const source = `ann:${hash}\nbob\ncarl:hunter2\nann:${hash}\n:${hash}\ndora:\n`;
  const { problems } = parsePasswordFile('/etc/pw', source);
  assert.deepEqual(problems, [
    '/etc/pw:2: a line must be user:hash',
    "/etc/pw:3: user 'carl': the password is not hashed; shoal passwd -U FILE hashes it",
    "/etc/pw:4: user 'ann' already appears in line 1",
    '/etc/pw:5: a line must be user:hash',
    '/etc/pw:6: a line must be user:hash',
  ]);
});

test('a user is changed in place, appended or removed, and the rest stays unchanged', () => {
  const source = '# ours\nann:1\nbob:2\n';
  assert.equal(setUser(source, 'ann', '3'), '# ours\nann:3\nbob:2\n');
  assert.equal(setUser(source, 'carl', '3'), '# ours\nann:1\nbob:2\ncarl:3\n');
  assert.equal(setUser('ann:1', 'bob', '2'), 'ann:1\nbob:2\n');
  assert.equal(setUser('', 'ann', '1'), 'ann:1\n');
  assert.equal(removeUser(source, 'ann'), '# ours\nbob:2\n');
  assert.equal(removeUser(source, 'an'), undefined);
});

test('plain passwords are hashed, and hashes and comments stay unchanged', async () => {
  const hash = await hashPassword('pw', 10);
  const { text, hashed } = await hashPlainPasswords(`# a\nann:${hash}\nbob:a:b$c\n`, 10);
  assert.equal(hashed, 1);
  const { users, problems } = parsePasswordFile('pw', text);
  assert.deepEqual(problems, []);
  assert.equal(users.get('ann'), hash);
  const bob = users.get('bob');
  const bobHash = parsePasswordHash(bob ?? '');
  assert.ok(typeof bobHash !== 'string');
  assert.ok(await isPassword(bobHash, Buffer.from('a:b$c')));
  assert.ok(text.startsWith('# a\n'));
});

test('a name that the file cannot contain is refused', () => {
  for (const name of ['', 'a:b', ' a', '#a', 'a\nb', 'a\0', 'x'.repeat(70_000)]) {
    assert.notEqual(nameProblem(name), undefined, name.slice(0, 10));
  }
  for (const name of ['ann', 'Ada Lovelace', 'überbox', '$a']) {
    assert.equal(nameProblem(name), undefined, name);
  }
});
