import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { AccessError } from '../../../src/auth/access-error.ts';
import {
  checkToken,
  looksLikeToken,
  readTokenKeys,
  type TokenRules,
} from '../../../src/auth/token-keys.ts';

const SECRET = 'a secret that has thirty-two bytes or more';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const anyRules: TokenRules = { issuer: undefined, audience: undefined };
const nowSeconds = Math.floor(Date.now() / 1000);

function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

/** A token made without the library that verifies it. */
function token(algorithm: string, claims: object, signing: (input: Buffer) => Buffer): Buffer {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg: algorithm, typ: 'JWT' })}.${part(claims)}`;
  return Buffer.from(`${input}.${signing(Buffer.from(input)).toString('base64url')}`);
}

const hs256 = (claims: object, secret: string | Buffer = SECRET): Buffer =>
  token('HS256', claims, (input) => createHmac('sha256', secret).update(input).digest());
const rs256 = (claims: object): Buffer =>
  token('RS256', claims, (input) => sign('sha256', input, rsa.privateKey));
const es256 = (claims: object): Buffer =>
  token('ES256', claims, (input) =>
    sign('sha256', input, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
  );

async function subjectOf(
  password: Buffer,
  keyFile: string,
  rules: TokenRules = anyRules,
): Promise<string> {
  const result = await checkToken(password, readTokenKeys('key', keyFile), rules);
  return typeof result === 'string' ? `refused: ${result}` : result.username;
}

test('tokens of all three algorithms are accepted with their key', async () => {
  assert.equal(await subjectOf(hs256({ sub: 'ann' }), `${SECRET}\n`), 'ann');
  assert.equal(await subjectOf(rs256({ sub: 'bob' }), pem(rsa.publicKey)), 'bob');
  assert.equal(await subjectOf(es256({ sub: 'carl' }), pem(ec.publicKey)), 'carl');
});

test('each of several keys in the file verifies its tokens', async () => {
  const keys = `# old\n${pem(rsa.publicKey)}# new\n${pem(ec.publicKey)}`;
  assert.equal(await subjectOf(rs256({ sub: 'bob' }), keys), 'bob');
  assert.equal(await subjectOf(es256({ sub: 'carl' }), keys), 'carl');
});

test('a token that was altered, or signed with another key, is refused', async () => {
  const good = hs256({ sub: 'ann' }).toString();
  const [head, , signature] = good.split('.');
  const other = Buffer.from('{"sub":"root"}').toString('base64url');
  for (const bad of [`${head}.${other}.${signature}`, good.slice(0, -4), `${good}AAAA`]) {
    assert.match(await subjectOf(Buffer.from(bad), SECRET), /^refused/);
  }
  assert.match(await subjectOf(hs256({ sub: 'ann' }, 'x'.repeat(40)), SECRET), /^refused/);
});

test('a token cannot choose the algorithm that verifies it', async () => {
  const unsigned = token('none', { sub: 'root' }, () => Buffer.alloc(0));
  assert.match(await subjectOf(Buffer.from(`${unsigned}`), SECRET), /^refused/);
  // The public key used as a shared secret.
  const confused = hs256({ sub: 'root' }, pem(rsa.publicKey));
  assert.match(await subjectOf(confused, pem(rsa.publicKey)), /^refused/);
});

test('a token is valid from its not-before time to its expiry', async () => {
  const [past, future] = [nowSeconds - 60, nowSeconds + 60];
  const at = (seconds: number) => new Date(seconds * 1000).toISOString();
  assert.equal(
    await subjectOf(hs256({ sub: 'ann', exp: past }), SECRET),
    `refused: the token expired at ${at(past)}`,
  );
  assert.equal(
    await subjectOf(hs256({ sub: 'ann', nbf: future }), SECRET),
    `refused: the token is not valid before ${at(future)}`,
  );
  assert.match(await subjectOf(hs256({ sub: 'ann', exp: -1e300 }), SECRET), /^refused/);
  const result = await checkToken(
    hs256({ sub: 'ann', exp: future, nbf: past }),
    readTokenKeys('key', SECRET),
    anyRules,
  );
  assert.ok(typeof result !== 'string');
  assert.equal(result.expiresAtMs, future * 1000);
});

test('issuer and audience must equal the configured ones', async () => {
  const rules = { issuer: 'login', audience: 'mqtt' };
  const good = hs256({ sub: 'ann', iss: 'login', aud: ['web', 'mqtt'] });
  assert.equal(await subjectOf(good, SECRET, rules), 'ann');
  for (const claims of [{ iss: 'login' }, { aud: 'mqtt' }, { iss: 'x', aud: 'mqtt' }]) {
    assert.match(await subjectOf(hs256({ sub: 'ann', ...claims }), SECRET, rules), /^refused/);
  }
});

test('topic lists are adopted, and a token with invalid ones is refused', async () => {
  const keys = readTokenKeys('key', SECRET);
  const good = await checkToken(hs256({ sub: 'ann', publ: ['a/+'] }), keys, anyRules);
  assert.ok(typeof good !== 'string');
  assert.deepEqual(good.topics, { publish: ['a/+'], subscribe: [] });
  for (const lists of [{ publ: 'a' }, { subs: [1] }, { subs: ['a#'] }, { publ: null }]) {
    assert.equal(
      typeof (await checkToken(hs256({ sub: 'ann', ...lists }), keys, anyRules)),
      'string',
    );
  }
});

test('a token without a subject is refused', async () => {
  for (const claims of [{}, { sub: '' }, { sub: 7 }]) {
    assert.match(await subjectOf(hs256(claims), SECRET), /no subject/);
  }
});

test('only a password in the form of a token is treated as one', () => {
  assert.equal(looksLikeToken(hs256({ sub: 'ann' })), true);
  for (const password of ['', 'secret', 'eyJ.a.b', 'a.b.c', `${hs256({ sub: 'a' })} `]) {
    assert.equal(looksLikeToken(Buffer.from(password)), false, password);
  }
});

test('a public key in another form than PEM is never used as a secret', () => {
  for (const { publicKey } of [rsa, ec]) {
    const spki = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    const jwk = publicKey.export({ format: 'jwk' });
    const forms = [
      spki,
      spki.replace(/.{64}/g, '$&\n'),
      JSON.stringify(jwk),
      `\n${JSON.stringify({ keys: [jwk] }, undefined, 2)}`,
      `ssh-rsa ${spki} ann@box`,
    ];
    for (const form of forms) {
      assert.throws(() => readTokenKeys('key', `${form}\n`), /key:1: .* not in PEM/, form);
    }
  }
  const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64');
  assert.throws(() => readTokenKeys('key', pkcs1), AccessError);
});

test('an invalid key file is reported with its line', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  const privateKey = ec.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const wrong: [string, RegExp][] = [
    ['short', /^key:1: neither a public key in PEM nor a secret of at least 32 bytes/],
    [`\n${privateKey}`, /^key:2: this is a private key/],
    [pem(small), /^key:1: an RSA key must have at least 2048 bits/],
    [pem(otherCurve), /^key:1: .*P-256/],
    ['-----BEGIN PUBLIC KEY-----\nAAAA', /^key:1: the PEM block is incomplete/],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /^key:1: not a public key/],
  ];
  for (const [source, problem] of wrong) {
    assert.throws(
      () => readTokenKeys('key', source),
      (error) => error instanceof AccessError && problem.test(error.problems[0] ?? ''),
    );
  }
});
