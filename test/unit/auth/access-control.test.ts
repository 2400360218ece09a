import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { AccessError } from '../../../src/auth/access-error.ts';
import { hashPassword } from '../../../src/auth/password-hash.ts';
import type { Identity } from '../../../src/broker/ports.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { codeOf, identity, login, passwords, SECRET, setUp, token } from '../../support/access.ts';

test('without authentication every client is admitted', async (t) => {
  const { access } = await setUp(t, {});
  assert.equal(await codeOf(access, undefined, undefined), 0);
  assert.equal(await codeOf(access, 'ann', 'whatever'), 0);
  assert.equal(access.permissive, true);
  assert.equal(access.provesUsers, false);
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
  assert.equal(access.provesUsers, true);
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

test('an empty password admits no client, whatever the file, the certificate or the server says', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('allow');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ofEmpty = [`$6$c2FsdA==$${sha512Of('', 'salt')}`, await hashPassword('', 50)];
  const pw = ofEmpty.map((hash, index) => `user${index}:${hash}\n`).join('');
  const { access } = await setUp(t, { pw }, { authUrl: `http://127.0.0.1:${port}/` });
  const certified = { name: 'tcp', isCertified: true };
  for (const password of ['', undefined]) {
    for (const user of ['user0', 'user1', 'asked']) {
      assert.equal(await codeOf(access, user, password), 0x86, `${user}, ${password}`);
      assert.equal(await codeOf(access, user, password, certified), 0x86, `${user}, certified`);
    }
  }
  assert.deepEqual(asked, []);
  assert.equal(await codeOf(access, 'asked', 'x'), 0);
});

test('a failing authentication server is logged once a minute, and when it answers again', async (t) => {
  let isFailing = true;
  const server = createServer((_, response) => {
    response.writeHead(isFailing ? 500 : 200).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const lines: string[] = [];
  const note = (event: string): void => void lines.push(event);
  const log = { ...silentLogger, warn: note, info: note };
  const { access } = await setUp(t, {}, { authUrl: `http://127.0.0.1:${port}/` }, log);
  for (let attempt = 0; attempt < 5; attempt++) assert.equal(await codeOf(access, 'a', 'x'), 0x88);
  isFailing = false;
  for (let attempt = 0; attempt < 2; attempt++) assert.equal(await codeOf(access, 'a', 'x'), 0);
  assert.deepEqual(lines, [
    'the authentication server failed',
    'the authentication server answers again',
  ]);
});

test('the expiry of an acceptance counts from the decision, however long the server takes', async (t) => {
  const expiresAt = Math.ceil(Date.now() / 1000) + 100;
  const server = createServer((_, response) => {
    setTimeout(() => {
      response.end(JSON.stringify({ result: 'allow', expire_at: expiresAt }));
    }, 100);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { access } = await setUp(t, {}, { authUrl: `http://127.0.0.1:${port}/` });
  const { expiresInMs = 0 } = await login(access, 'a', 'x');
  assert.ok(Math.abs(Date.now() + expiresInMs - expiresAt * 1000) < 50, `${expiresInMs}`);
});

test('a flood of logins is logged once, and when it has passed', async (t) => {
  const lines: string[] = [];
  const note = (event: string): void => void lines.push(event);
  const log = { ...silentLogger, warn: note, info: note };
  const { access } = await setUp(t, { pw: await passwords({ ann: 'right' }) }, {}, log);
  const flood = Array.from({ length: 2200 }, (_, index) => codeOf(access, 'ann', `wrong ${index}`));
  const codes = await Promise.all(flood);
  assert.ok(codes.filter((code) => code === 0x89).length > 100);
  assert.equal(await codeOf(access, 'ann', 'right'), 0);
  assert.deepEqual(lines, [
    'logins are refused: too many wait',
    'logins are no longer refused as too many',
  ]);
});

/** The digest of a $6$ hash: SHA-512 of password and salt. */
function sha512Of(password: string, salt: string): string {
  return createHash('sha512').update(password).update(salt).digest('base64');
}

test('a listener may have keys of its own, and its tokens admit to no other', async (t) => {
  const { access, write, folder, reload, node } = await setUp(t, { key: SECRET });
  await write('own', 'another secret that has thirty-two bytes');
  const own = { ...node, id: 'own', tokenKeyFile: join(folder, 'own') };
  await reload({ listeners: [node, own] });
  const admitted = (password: string, name: string) => codeOf(access, 'ann', password, { name });
  const nodeToken = token({ sub: 'ann' });
  assert.equal(await admitted(nodeToken, 'tcp'), 0);
  assert.notEqual(await admitted(nodeToken, 'own'), 0);
  await write('own', SECRET);
  await reload({ listeners: [node, own] });
  assert.equal(await admitted(nodeToken, 'own'), 0);
});

test('a listener may ask a server of its own', async (t) => {
  const server = createServer((_, response) => response.end('allow')).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { access, reload, node } = await setUp(t, {}, { authUrl: 'http://127.0.0.1:1/' });
  const own = { ...node, id: 'own', authUrl: `http://127.0.0.1:${port}/` };
  await reload({ listeners: [node, own] });
  assert.equal(await codeOf(access, 'ann', 'pw', { name: 'own' }), 0);
  assert.notEqual(await codeOf(access, 'ann', 'pw', { name: 'tcp' }), 0);
});

test('a token without an expiry is refused where one is required', async (t) => {
  const { access } = await setUp(t, { key: SECRET }, { tokenExpiryRequired: true });
  const exp = Math.floor(Date.now() / 1000) + 60;
  assert.equal(await codeOf(access, 'ann', token({ sub: 'ann', exp })), 0);
  const { reason } = await login(access, 'ann', token({ sub: 'ann' }));
  assert.match(reason ?? '', /no expiry \(exp\), which -auth-jwt-require-exp asks for/);
});
