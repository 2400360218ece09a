import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hashPassword } from '../../../src/auth/password-hash.ts';
import type { Identity } from '../../../src/broker/ports.ts';
import type { ListenerAccess } from '../../../src/shared/listener-config.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { codeOf, identity, passwords, SECRET, setUp, token } from '../../support/access.ts';

/** Two listeners with files of their own, and a third with the node's, which has none. */
async function setUpTwo(t: TestContext) {
  const files = {
    pwIn: await passwords({ ann: 'inside' }),
    aclIn: 'user ann\ntopic in\n',
    pwOut: await passwords({ ann: 'outside', bob: 'outside' }),
    aclOut: 'user ann\ntopic out\n',
  };
  const set = await setUp(t, files);
  const of = (id: string, pw: string, acl: string): ListenerAccess => ({
    ...set.node,
    id,
    passwordFile: join(set.folder, pw),
    aclFile: join(set.folder, acl),
  });
  const listeners = [set.node, of('in', 'pwIn', 'aclIn'), of('out', 'pwOut', 'aclOut')];
  assert.equal((await set.reload({ listeners })).faults.length, 0);
  return { ...set, of, listeners };
}

test("a listener's users and topics apply to its own clients only", async (t) => {
  const { access } = await setUpTwo(t);
  assert.equal(access.permissive, false);
  assert.equal(await codeOf(access, 'ann', 'inside', { name: 'out' }), 0x86);
  assert.equal(await codeOf(access, 'bob', 'outside', { name: 'in' }), 0x86);
  assert.equal(await codeOf(access, undefined, undefined, { name: 'in' }), 0x87);
  const inside = await identity(access, 'ann', 'inside', { name: 'in' });
  const outside = await identity(access, 'ann', 'outside', { name: 'out' });
  const nameless = await identity(access, undefined, undefined);
  const may = (topic: string) =>
    [inside, outside, nameless].map((who) => {
      const rights = [access.mayPublish(who, topic), access.mayReceive(who, topic)];
      assert.equal(rights[0], rights[1]);
      assert.equal(access.subscriptionRefusal(who, topic) === 0, rights[0]);
      return rights[0];
    });
  assert.deepEqual(may('in'), [true, false, true]);
  assert.deepEqual(may('out'), [false, true, true]);
});

test('clients of a removed listener lose their authorization, and others keep it', async (t) => {
  const { access, reload, listeners } = await setUpTwo(t);
  const inside = await identity(access, 'ann', 'inside', { name: 'in' });
  const outside = await identity(access, 'ann', 'outside', { name: 'out' });
  await reload({ listeners: listeners.slice(0, 2) });
  assert.deepEqual(
    [access.isStillAuthorized(inside), access.isStillAuthorized(outside)],
    [true, false],
  );
  assert.equal(await codeOf(access, 'ann', 'outside', { name: 'out' }), 0x88);
});

test('a listener adopts new files, or keeps the previous ones if they are invalid', async (t) => {
  const { access, reload, of, write } = await setUpTwo(t);
  const ann = await identity(access, 'ann', 'inside', { name: 'in' });
  await write('wrong', 'topic reed a\n');
  const wrong = [of('in', 'pwOut', 'wrong'), of('new', 'pwIn', 'wrong')];
  assert.equal((await reload({ listeners: wrong })).faults.length, 1);
  assert.equal(access.isStillAuthorized(ann), true);
  assert.equal(await codeOf(access, 'ann', 'inside', { name: 'in' }), 0);
  assert.equal(access.mayReceive(ann, 'in'), true);
  assert.equal(await codeOf(access, 'ann', 'inside', { name: 'new' }), 0x88, 'never been right');
  assert.equal((await reload({ listeners: [of('in', 'pwOut', 'aclOut')] })).faults.length, 0);
  assert.equal(access.isStillAuthorized(ann), false);
  assert.equal(access.mayReceive(ann, 'out'), true);
  assert.equal(await codeOf(access, 'ann', 'outside', { name: 'in' }), 0);
});

test('a client admitted without a proof loses its authorization when one is required', async (t) => {
  const { access, reload, node, of } = await setUpTwo(t);
  const [nameless, named] = [
    await identity(access, undefined, undefined),
    await identity(access, 'ann', undefined),
  ];
  const asking = of('tcp', 'pwIn', 'aclIn');
  await reload({ listeners: [node] });
  assert.deepEqual(
    [access.isStillAuthorized(nameless), access.isStillAuthorized(named)],
    [true, true],
  );
  await reload({ listeners: [asking], anonymousAllowed: true });
  assert.deepEqual(
    [access.isStillAuthorized(nameless), access.isStillAuthorized(named)],
    [true, false],
  );
  await reload({ listeners: [asking] });
  assert.equal(access.isStillAuthorized(nameless), false);
});

test('a client without a certificate loses its authorization when the listener requires one', async (t) => {
  const { access, reload, node } = await setUp(t, {});
  const bare = await identity(access, 'ann', undefined);
  const certified = await identity(access, 'ann', undefined, { name: 'tcp', isCertified: true });
  await reload({
    listeners: [{ ...node, tls: { clientCertificate: 'required', identityAsUsername: false } }],
  });
  assert.deepEqual(
    [access.isStillAuthorized(bare), access.isStillAuthorized(certified)],
    [false, true],
  );
  assert.equal(await codeOf(access, 'ann', undefined), 0x87, 'a socket from before the change');
});

test('a listener that keeps its configuration keeps its users', async (t) => {
  const { access, reload, node } = await setUp(t, { pw: await passwords({ ann: 'right' }) });
  const open = { ...node, passwordFile: undefined };
  assert.deepEqual([...(await reload({ listeners: [open] }, new Set(['tcp']))).kept], ['tcp']);
  assert.equal(await codeOf(access, undefined, undefined), 0x87);
  assert.deepEqual([...(await reload({ listeners: [open] })).kept], []);
  assert.equal(await codeOf(access, undefined, undefined), 0);
});

test('after a reload a new ACL applies to connected clients', async (t) => {
  const { access, write, reload } = await setUp(t, { acl: 'topic read a\n' });
  const someone = await identity(access, undefined, undefined);
  const kept: Identity = { clientId: 'c2', username: undefined };
  for (const who of [someone, kept]) assert.equal(access.mayReceive(who, 'a'), true);
  await write('acl', 'topic read b\n');
  await reload();
  for (const who of [someone, kept]) {
    assert.equal(access.mayReceive(who, 'a'), false);
    assert.equal(access.mayReceive(who, 'b'), true);
  }
});

test('a removed user, and one with a new password, loses its authorization', async (t) => {
  const pw = await passwords({ ann: '1', bob: '2', carl: '3' });
  const { access, write, reload } = await setUp(t, { pw });
  const [ann, bob, carl] = await Promise.all([
    identity(access, 'ann', '1'),
    identity(access, 'bob', '2'),
    identity(access, 'carl', '3'),
  ]);
  const [annLine] = pw.split('\n');
  await write('pw', `${annLine}\n${await passwords({ bob: 'new' })}`);
  await reload();
  assert.deepEqual(
    [ann, bob, carl].map((who) => access.isStillAuthorized(who)),
    [true, false, false],
  );
  assert.equal(await codeOf(access, 'bob', '2'), 0x86);
  assert.equal(await codeOf(access, 'bob', 'new'), 0);
});

test('a token loses its authorization when its key is removed from the file', async (t) => {
  const { access, write, reload } = await setUp(t, { key: SECRET });
  const ann = await identity(access, undefined, token({ sub: 'ann' }));
  await reload();
  assert.equal(access.isStillAuthorized(ann), true);
  await write('key', SECRET.toUpperCase());
  await reload();
  assert.equal(access.isStillAuthorized(ann), false);
});

test('an invalid new file changes nothing, is logged with its line, and counted', async (t) => {
  const logged: unknown[] = [];
  const log = { ...silentLogger, error: (_: string, fields?: object) => logged.push(fields) };
  const pw = await passwords({ ann: 'right' });
  const { access, write, folder, reload } = await setUp(
    t,
    { pw, acl: 'user ann\ntopic read a\n' },
    {},
    log,
  );
  const ann = await identity(access, 'ann', 'right');
  await write('pw', 'ann:plain\n');
  await write('acl', '\ntopic reed a\n');
  assert.equal((await reload()).faults.length, 2);
  assert.equal(access.isStillAuthorized(ann), true);
  assert.equal(access.mayReceive(ann, 'a'), true);
  assert.equal(await codeOf(access, 'ann', 'right'), 0);
  assert.equal(access.counters.failedReloads, 2);
  assert.equal(logged.length, 2);
  assert.match(JSON.stringify(logged[1]), new RegExp(`"option":"-acl".*${folder}/acl:2: `));
});

test('a login in progress while its password changes is refused', async (t) => {
  // Slow enough for the reload to finish first.
  const slow = `ann:${await hashPassword('old', 1_000_000)}\n`;
  const { access, write, reload } = await setUp(t, { pw: slow });
  await write('pw', await passwords({ ann: 'new' }));
  const pending = codeOf(access, 'ann', 'old');
  await reload();
  assert.equal(await pending, 0x86);
});

test('a restored session may receive what any listener permits, and publish what all permit', async (t) => {
  const { access, reload, listeners, write } = await setUpTwo(t);
  await reload({ listeners: listeners.slice(1) });
  const ann: Identity = { clientId: 'c1', username: 'ann' };
  assert.deepEqual(
    ['in', 'out', 'x'].map((topic) => access.mayReceive(ann, topic)),
    [true, true, false],
  );
  assert.deepEqual(
    ['in', 'out', 'x'].map((topic) => access.subscriptionRefusal(ann, topic)),
    [0, 0, 0x87],
  );
  assert.equal(access.mayPublish(ann, 'in'), false);
  await write('aclOut', 'user ann\ntopic in\n');
  await reload({ listeners: listeners.slice(1) });
  assert.equal(access.mayPublish(ann, 'in'), true);
});
