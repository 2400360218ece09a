import assert from 'node:assert/strict';
import { test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { fakeContext } from '../../support/fake-context.ts';

const ACL = `topic read news/#
user ann
topic readwrite home/#
topic deny home/door
pattern write dev/%c/up
`;

async function explain(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const context = { ...fakeContext(), readFile: () => ACL };
  const code = await main(['explain', ...args], context);
  return { code, lines: [...context.out, ...context.err].join('').trimEnd().split('\n') };
}

test('each answer names the ACL line that decides', async () => {
  assert.deepEqual(await explain('ann', 'c1', 'home/lamp', '-acl', '/a.acl'), {
    code: 0,
    lines: [
      'read       allowed  /a.acl:3: topic readwrite home/#',
      'write      allowed  /a.acl:3: topic readwrite home/#',
      'subscribe  allowed  /a.acl:3: topic readwrite home/#',
    ],
  });
  const { lines } = await explain('ann', 'c1', 'home/door', '-acl=/a.acl');
  assert.ok(lines.every((line) => line.endsWith('denied   /a.acl:4: topic deny home/door')));
});

test('an answer says when no line allows the topic', async () => {
  const { lines } = await explain('-', 'c1', 'dev/c1/up', '-acl=/a.acl');
  assert.deepEqual(lines, [
    'read       denied   no line of /a.acl for clients without a user name allows it',
    'write      allowed  /a.acl:5: pattern write dev/%c/up',
    'subscribe  denied   no line of /a.acl for clients without a user name allows it',
  ]);
});

test('for a topic filter only the answer on subscribing is printed', async () => {
  const { lines } = await explain('ann', 'c1', '$share/g/home/lamp/+', '-acl=/a.acl');
  assert.deepEqual(lines, ['subscribe  allowed  /a.acl:3: topic readwrite home/#']);
});

test("a subscription wider than the user's rights is reported as delivering only a part", async () => {
  const part =
    /^subscribe +in part +\/a\.acl:3: topic readwrite home\/# \(accepted, but only messages that the user may read are delivered\)$/;
  // home/door is denied.
  for (const filter of ['home/#', '#', '+/door/x']) {
    const { code, lines } = await explain('ann', 'c1', filter, '-acl=/a.acl');
    assert.equal(code, 0);
    assert.match(lines.join(), part);
  }
  for (const filter of ['home/+/temp', 'home/lamp/#']) {
    const { lines } = await explain('ann', 'c1', filter, '-acl=/a.acl');
    assert.deepEqual(lines, ['subscribe  allowed  /a.acl:3: topic readwrite home/#']);
  }
});

test('an empty user name is refused with a hint at -, for clients without one', async () => {
  const { code, lines } = await explain('', 'c1', 'a', '-acl=/a.acl');
  assert.deepEqual(
    [code, lines],
    [2, ['shoal: the user name is empty; write - for a client without one']],
  );
});

test('with different ACLs on the listeners, one listener must be chosen', async () => {
  const files = new Map([
    ['s.toml', 'acl = "/a.acl"\n[[listener]]\nport = 1\n[[listener]]\nport = 2\nacl = "/b.acl"\n'],
    ['/a.acl', ACL],
    ['/b.acl', 'topic read b\n'],
  ]);
  const context = { ...fakeContext(), readFile: (path: string) => files.get(path) ?? '' };
  const ask = async (...flags: string[]) => {
    context.out.length = 0;
    context.err.length = 0;
    await main(['explain', '-', 'c1', 'b', '-config=s.toml', ...flags], context);
    return [...context.out, ...context.err].join('');
  };
  assert.match(
    await ask(),
    /listeners have different ACLs: choose one with -listener=PORT \(1, 2\)/,
  );
  assert.match(await ask('-listener=1'), /^read +denied +no line of \/a\.acl /);
  assert.match(await ask('-listener', '2'), /^read +allowed +\/b\.acl:1: topic read b\n/);
  assert.match(await ask('-listener=3'), /no listener has port 3; the ports are 1, 2/);
});

test('explain without an ACL, or for an invalid topic, ends with 2', async () => {
  assert.equal((await explain('ann', 'c1', 'a')).code, 2);
  assert.equal((await explain('ann', 'c1', 'a#', '-acl=/a.acl')).code, 2);
});
