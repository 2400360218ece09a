import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parsePasswordFile } from '../../../src/auth/password-file.ts';
import { isPassword, parsePasswordHash } from '../../../src/auth/password-hash.ts';
import { main } from '../../../src/cli/main.ts';
import { fakeContext } from '../../support/fake-context.ts';

/** A password file in a folder of its own, and `shoal passwd` on it. */
async function setUp(t: TestContext, source?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'passwd-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'pw');
  if (source !== undefined) await writeFile(file, source);
  const passwd = async (args: string[], answers: string[] = []) => {
    const context = { ...fakeContext(), askSecret: async () => answers.shift() ?? '' };
    const code = await main(['passwd', '-I', '10', ...args], context);
    return { code, said: [...context.out, ...context.err].join('') };
  };
  const fits = async (user: string, password: string): Promise<boolean> => {
    const { users, problems } = parsePasswordFile(file, await readFile(file, 'utf8'));
    assert.deepEqual(problems, []);
    const hash = parsePasswordHash(users.get(user) ?? '');
    return typeof hash !== 'string' && isPassword(hash, Buffer.from(password));
  };
  return { file, passwd, fits };
}

test('-c -b creates a file with one user, -b adds another and changes the first', async (t) => {
  const { file, passwd, fits } = await setUp(t);
  assert.equal((await passwd(['-c', '-b', file, 'ann', 'one'])).code, 0);
  assert.equal((await passwd(['-b', file, 'bob', 'two'])).code, 0);
  assert.equal((await passwd(['-b', file, 'ann', 'three'])).code, 0);
  assert.equal(await fits('ann', 'three'), true);
  assert.equal(await fits('bob', 'two'), true);
});

test('passwd says who can read a new file, and keeps the mode of an existing one', async (t) => {
  const { file, passwd } = await setUp(t);
  const made = await passwd(['-c', '-b', file, 'ann', 'one']);
  assert.match(
    made.said,
    /pw is new, and only its owner can read it; .*chown root:shoal .*chmod 640 /,
  );
  await chmod(file, 0o644);
  for (const args of [['-b'], ['-c', '-b']]) {
    assert.equal((await passwd([...args, file, 'bob', 'two'])).said, '');
    assert.equal((await stat(file)).mode & 0o777, 0o644);
  }
});

test('a password that begins with a dash follows --', async (t) => {
  const { file, passwd, fits } = await setUp(t, '');
  assert.equal((await passwd(['-b', '--', file, 'ann', '-secret'])).code, 0);
  assert.equal(await fits('ann', '-secret'), true);
  assert.match((await passwd(['-help'])).said, /begins\s+with a dash: -b --/);
});

test('without -b passwd asks for the password twice', async (t) => {
  const { file, passwd, fits } = await setUp(t, '');
  assert.equal((await passwd([file, 'ann'], ['secret', 'secret'])).code, 0);
  assert.equal(await fits('ann', 'secret'), true);
  const { code, said } = await passwd([file, 'ann'], ['other', 'othre']);
  assert.deepEqual([code, said], [2, 'shoal: the passwords differ\n']);
  assert.equal(await fits('ann', 'secret'), true);
});

test('a user added by another program during the question stays in the file', async (t) => {
  const { file, fits } = await setUp(t, '');
  const askSecret = async (): Promise<string> => {
    await writeFile(file, 'bob:$6$eA==$'.concat(Buffer.alloc(64).toString('base64'), '\n'));
    return 'secret';
  };
  assert.equal(await main(['passwd', file, 'ann'], { ...fakeContext(), askSecret }), 0);
  assert.equal(await fits('ann', 'secret'), true);
  assert.match(await readFile(file, 'utf8'), /^bob:/);
});

test('-D removes a user, and fails if there is none', async (t) => {
  const { file, passwd } = await setUp(t, '# ours\nann:$6$x\n');
  const missing = await passwd(['-D', file, 'bob']);
  assert.equal(missing.code, 1);
  assert.match(missing.said, /no user 'bob' in /);
  assert.equal((await passwd(['-D', file, 'ann'])).code, 0);
  assert.equal(await readFile(file, 'utf8'), '# ours\n');
});

test('-U hashes plain passwords', async (t) => {
  const { file, passwd, fits } = await setUp(t, 'ann:plain\n');
  assert.equal((await passwd(['-U', file])).said, '1 password hashed\n');
  assert.equal(await fits('ann', 'plain'), true);
  assert.equal((await passwd(['-U', file])).said, '0 passwords hashed\n');
});

test('-U names the lines that are wrong, and changes nothing', async (t) => {
  const { file, passwd } = await setUp(t, 'ann:plain\nbob\n');
  const { code, said } = await passwd(['-U', file]);
  assert.deepEqual([code, said], [2, `shoal: ${file}:2: a line must be user:hash\n`]);
  assert.equal(await readFile(file, 'utf8'), 'ann:plain\nbob\n');
});

test('a mistake ends with 2 and changes nothing', async (t) => {
  const { file, passwd } = await setUp(t, 'ann:x\n');
  const mistakes: [string[], RegExp][] = [
    [[file], /needs a user name/],
    [['-b', file, 'ann'], /-b needs a password/],
    [[file, 'ann', 'pw'], /needs -b/],
    [['-b', file, 'a:b', 'pw'], /must not contain a colon/],
    [['-b', `${file}2`, 'ann', 'pw'], /-c creates it/],
    [['-b', file, 'ann', ''], /the password is empty/],
    [['-c', '-D', file, 'ann'], /-c, -D and -U exclude each other/],
    [['-D', '-U', file, 'ann'], /-c, -D and -U exclude each other/],
    [['-I', '0', '-b', file, 'ann', 'pw'], /bad value '0' for -I/],
  ];
  for (const [args, message] of mistakes) {
    const { code, said } = await passwd(args);
    assert.equal(code, 2, args.join(' '));
    assert.match(said, message);
  }
  assert.equal(await readFile(file, 'utf8'), 'ann:x\n');
});

test('an unwritable path is reported in words', async (t) => {
  const { file, passwd } = await setUp(t);
  for (const [path, reason] of [
    [`${file}/pw`, 'there is no such folder'],
    [join(file, '..'), 'is a folder, not a file'],
  ] as const) {
    const { code, said } = await passwd(['-c', '-b', path, 'ann', 'one']);
    assert.equal(code, 1);
    assert.equal(said, `shoal: ${path}: ${reason}\n`);
  }
});
