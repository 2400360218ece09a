import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { AccessControl, type AccessOptions } from '../../../src/auth/access-control.ts';
import { AccessError } from '../../../src/auth/access-error.ts';
import { hashPassword } from '../../../src/auth/password-hash.ts';
import type { AuthDecision, ConnectRequest, Identity } from '../../../src/broker/ports.ts';
import type { ListenerAccess } from '../../../src/shared/listener-config.ts';
import { silentLogger } from '../../../src/shared/logger.ts';

const none: AccessOptions = {
  listeners: [],
  anonymousAllowed: undefined,
  tokenKeyFile: undefined,
  tokenIssuer: undefined,
  tokenAudience: undefined,
  authUrl: undefined,
  authFormat: 'form',
  authCacheSeconds: 60,
};
const SECRET = 'a secret that has thirty-two bytes or more';

/** The files of one test, and an AccessControl that uses them. */
async function setUp(
  t: TestContext,
  files: Readonly<Record<string, string | Buffer>>,
  given: Partial<AccessOptions & ListenerAccess> = {},
  log = silentLogger,
) {
  const folder = await mkdtemp(join(tmpdir(), 'access-'));
  t.after(() => rm(folder, { recursive: true }));
  const write = (name: string, text: string | Buffer) => writeFile(join(folder, name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  const pathOf = (name: string) => (name in files ? join(folder, name) : undefined);
  const { aclFile = pathOf('acl'), anonymous, ...others } = given;
  const passwordFile = pathOf('pw');
  const node = { id: 'tcp', place: '-port', passwordFile, aclFile, anonymous, tls: undefined };
  const options: AccessOptions = {
    ...none,
    tokenKeyFile: pathOf('key'),
    listeners: [node],
    ...others,
  };
  const access = await AccessControl.open(options, {
    log,
    now: () => performance.now(),
    wallClock: Date.now,
  });
  t.after(() => access.close());
  const reload = (next: Partial<AccessOptions> = {}, kept?: ReadonlySet<string>) =>
    access.reload({ ...options, ...next }, kept);
  return { access, write, folder, reload, node };
}

function login(
  access: AccessControl,
  username: string | undefined,
  password: string | undefined,
  listener: ConnectRequest['listener'] = { name: 'tcp' },
): Promise<AuthDecision> {
  const request = {
    clientId: 'c1',
    username,
    password: password === undefined ? undefined : Buffer.from(password),
    remoteAddress: '127.0.0.1',
    listener,
  };
  return new Promise((resolve) => {
    const decision = access.authenticate(request, resolve);
    if (decision !== undefined) resolve(decision);
  });
}

async function codeOf(...args: Parameters<typeof login>): Promise<number> {
  return (await login(...args)).reasonCode;
}

async function identity(...args: Parameters<typeof login>): Promise<Identity> {
  const { reasonCode, username = args[1], grant } = await login(...args);
  assert.equal(reasonCode, 0);
  return { clientId: 'c1', username, grant };
}

async function passwords(users: Readonly<Record<string, string>>): Promise<string> {
  const lines = Object.entries(users).map(
    async ([name, pw]) => `${name}:${await hashPassword(pw, 50)}\n`,
  );
  return (await Promise.all(lines)).join('');
}

function token(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg: 'HS256' })}.${part(claims)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

test('without authentication every client is admitted', async (t) => {
  const { access } = await setUp(t, {});
  assert.equal(await codeOf(access, undefined, undefined), 0);
  assert.equal(await codeOf(access, 'ann', 'whatever'), 0);
  assert.equal(access.permissive, true);
});

test('-anonymous=false without users admits no client', async (t) => {
  const closed = await setUp(t, {}, { anonymousAllowed: false });
  assert.equal(await codeOf(closed.access, undefined, undefined), 0x87);
  assert.equal(await codeOf(closed.access, 'ann', 'x'), 0x87);
});

test('with a password file only its users are admitted', async (t) => {
  const { access } = await setUp(t, { pw: await passwords({ ann: 'right' }) });
  assert.equal(await codeOf(access, 'ann', 'right'), 0);
  assert.equal(await codeOf(access, 'ann', 'wrong'), 0x86);
  assert.equal(await codeOf(access, 'ann', undefined), 0x86);
  assert.equal(await codeOf(access, 'bob', 'right'), 0x86);
  assert.equal(await codeOf(access, undefined, 'right'), 0x86);
  assert.equal(await codeOf(access, undefined, undefined), 0x87);
});

test('the log distinguishes an unknown user from a wrong password, the CONNACK does not', async (t) => {
  const { access } = await setUp(t, { pw: await passwords({ ann: 'right' }) });
  const wrong = await login(access, 'ann', 'wrong');
  const unknown = await login(access, 'bob', 'wrong');
  const none = await login(access, 'ann', undefined);
  assert.deepEqual(
    [wrong.reason, unknown.reason, none.reason],
    ['wrong password', 'unknown user', 'no password was sent'],
  );
  assert.equal(none.reasonCode, unknown.reasonCode);
  assert.equal(wrong.reasonCode, unknown.reasonCode);
});

test('a client is refused with a reason in the log if its admission fails', async (t) => {
  const lines: string[] = [];
  const log = {
    ...silentLogger,
    warn: (_text: string, fields?: object) => lines.push(JSON.stringify(fields)),
  };
  const files = { pw: await passwords({ ann: 'right' }) };
  const { access } = await setUp(t, files, {}, log);
  const codes: number[] = [];
  const [username, password] = ['ann', Buffer.from('right')];
  const listener = { name: 'tcp' as const };
  const request = { clientId: 'c1', username, password, remoteAddress: '', listener };
  await new Promise<void>((resolve) => {
    access.authenticate(request, ({ reasonCode }) => {
      codes.push(reasonCode);
      if (codes.length === 2) setImmediate(resolve);
      throw new Error(`fault ${codes.length}`);
    });
  });
  assert.deepEqual(codes, [0, 0x80]);
  const who = '"client":"c1","user":"ann"';
  assert.deepEqual(lines, [`{${who},"reason":"fault 1"}`, `{${who},"reason":"fault 2"}`]);
});

test('anonymous clients are admitted beside users only if configured, a wrong password never', async (t) => {
  const pw = await passwords({ ann: 'right' });
  const { access } = await setUp(t, { pw }, { anonymousAllowed: true });
  assert.equal(await codeOf(access, undefined, undefined), 0);
  assert.equal(await codeOf(access, 'ann', 'wrong'), 0x86);
});

test('a listener may override the rule for anonymous clients', async (t) => {
  const pw = await passwords({ ann: 'right' });
  const inside = await setUp(t, { pw }, { anonymous: true });
  assert.equal(await codeOf(inside.access, undefined, undefined), 0);
  const outside = await setUp(t, {}, { anonymousAllowed: true, anonymous: false });
  assert.equal(await codeOf(outside.access, undefined, undefined), 0x87);
});

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
  assert.equal((await set.reload({ listeners })).faults, 0);
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
  const anybody = await identity(access, undefined, undefined);
  const may = (topic: string) =>
    [inside, outside, anybody].map((who) => {
      const rights = [access.mayPublish(who, topic), access.mayReceive(who, topic)];
      assert.equal(rights[0], rights[1]);
      assert.equal(access.subscriptionRefusal(who, topic) === 0, rights[0]);
      return rights[0];
    });
  assert.deepEqual(may('in'), [true, false, true]);
  assert.deepEqual(may('out'), [false, true, true]);
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
  assert.equal((await reload({ listeners: wrong })).faults, 1);
  assert.equal(access.isStillAuthorized(ann), true);
  assert.equal(await codeOf(access, 'ann', 'inside', { name: 'in' }), 0);
  assert.equal(access.mayReceive(ann, 'in'), true);
  assert.equal(await codeOf(access, 'ann', 'inside', { name: 'new' }), 0x88, 'never been right');
  assert.equal((await reload({ listeners: [of('in', 'pwOut', 'aclOut')] })).faults, 0);
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

test('a certificate verified by the listener provides the user name', async (t) => {
  const { access } = await setUp(t, { pw: await passwords({ ann: 'right' }) });
  const decision = await login(access, 'ann', 'wrong', { name: 'tcp', certificateName: 'box7' });
  assert.deepEqual([decision.reasonCode, decision.username], [0, 'box7']);
});

test('a token admits its subject, with its topics, until it expires', async (t) => {
  const { access } = await setUp(t, { key: SECRET });
  const exp = Math.floor(Date.now() / 1000) + 600;
  const password = token({ sub: 'ann', exp, publ: ['up/ann'], subs: ['down/#'] });
  const decision = await login(access, 'anything', password);
  assert.deepEqual([decision.reasonCode, decision.username], [0, 'ann']);
  assert.ok(Math.abs((decision.expiresInMs ?? 0) - 600_000) < 5000);
  const ann = { clientId: 'c1', username: 'ann', grant: decision.grant };
  assert.equal(access.permissive, false);
  assert.equal(access.mayPublish(ann, 'up/ann'), true);
  assert.equal(access.mayPublish(ann, 'up/bob'), false);
  assert.equal(access.subscriptionRefusal(ann, 'down/x'), 0);
  assert.equal(access.mayReceive(ann, 'up/ann'), false);
  for (const past of [exp - 1200, exp - 602]) {
    assert.equal(await codeOf(access, 'ann', token({ sub: 'ann', exp: past })), 0x86);
  }
  assert.equal(await codeOf(access, 'ann', 'secret'), 0x86);
});

test('a token without topic lists permits everything if there is no ACL', async (t) => {
  const { access } = await setUp(t, { key: SECRET });
  const ann = await identity(access, undefined, token({ sub: 'ann' }));
  assert.equal(access.mayPublish(ann, 'a'), true);
  assert.equal(access.subscriptionRefusal(ann, '#'), 0);
});

test('no client is admitted while the authentication server is unreachable', async (t) => {
  const { access } = await setUp(t, {}, { authUrl: 'http://127.0.0.1:1/' });
  assert.equal(await codeOf(access, 'ann', 'x'), 0x88);
  assert.equal(await codeOf(access, undefined, undefined), 0x87);
});

test('the log names the failed server, without its secrets, and the refused client', async (t) => {
  const lines: object[] = [];
  const log = {
    ...silentLogger,
    warn: (event: string, fields?: object) => lines.push({ event, ...fields }),
  };
  const { access } = await setUp(t, {}, { authUrl: 'http://me:pw@localhost:1/auth?key=k' }, log);
  const event = 'the authentication server failed';
  assert.equal((await login(access, 'ann', 'x')).reason, event);
  const url = 'http://localhost:1/auth';
  const [line] = lines as { reason: string }[];
  const { reason, ...others } = line ?? { reason: '' };
  assert.deepEqual(others, { event, url, client: 'c1', user: 'ann' });
  assert.match(reason, /nothing listens on that port/);
});

test('invalid files are refused at the start, with all problems at once', async (t) => {
  const files = { pw: 'ann\n', acl: 'topic\n', key: 'short' };
  await assert.rejects(setUp(t, files), (error) => {
    assert.ok(error instanceof AccessError);
    const places = error.problems.map((problem) => /(\w+:\d+):/.exec(problem)?.[1]);
    assert.deepEqual(places.sort(), ['acl:1', 'key:1', 'pw:1']);
    return true;
  });
  await assert.rejects(
    setUp(t, {}, { aclFile: '/nowhere/acl' }),
    /^AccessError: -acl=\/nowhere\/acl: there is no such file$/,
  );
});

test('a file that is not UTF-8 is refused, because a denial in it would have no effect', async (t) => {
  const latin = Buffer.from('topic deny caf\xe9\ntopic #\n', 'latin1');
  await assert.rejects(setUp(t, { acl: latin }), /acl: is not UTF-8 text$/);
  await assert.rejects(setUp(t, { key: Buffer.alloc(40, 0xff) }), /key: is not UTF-8 text$/);
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
  const told: unknown[] = [];
  const log = { ...silentLogger, error: (_: string, fields?: object) => told.push(fields) };
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
  assert.equal((await reload()).faults, 2);
  assert.equal(access.isStillAuthorized(ann), true);
  assert.equal(access.mayReceive(ann, 'a'), true);
  assert.equal(await codeOf(access, 'ann', 'right'), 0);
  assert.equal(access.counters.failedReloads, 2);
  assert.equal(told.length, 2);
  assert.match(JSON.stringify(told[1]), new RegExp(`"option":"-acl".*${folder}/acl:2: `));
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

test('clients of one user have the permissions of their own Client Identifier', async (t) => {
  const { access } = await setUp(t, { acl: 'pattern write dev/%c' });
  const { grant } = await login(access, undefined, undefined);
  const first: Identity = { clientId: 'c1', username: undefined, grant };
  const other = await login(access, undefined, undefined);
  const second: Identity = { clientId: 'c2', username: undefined, grant: other.grant };
  assert.equal(access.mayPublish(first, 'dev/c1'), true);
  assert.equal(access.mayPublish(second, 'dev/c1'), false);
  assert.equal(access.mayPublish(second, 'dev/c2'), true);
});
