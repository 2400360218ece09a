import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import {
  hashPassword,
  isPassword,
  type PasswordHash,
  parsePasswordHash,
} from '../../../src/auth/password-hash.ts';

/** Made by mosquitto_passwd 2.0.11. */
const PBKDF2_OF_SECRET1 =
  '$7$101$1zyXqEavt7DMIHPB$0JZoSeJuMU0thKTNoJIwmE+uptbuTcvAJ23e4SiLVD9IPqq6OAEOJCIPUtoEl6/IDIEboJEPZF+C3LycMtG8QQ==';
const SHA512_OF_SECRET2 =
  '$6$0oeJz74340tI+4V7$WvGCWwiqXFmMsJyds6ZXPOhCFtbHgRIwgl5UyNpkuj7G9vlUwpJxfqWtDkP/8pLH+o2c1yr32p1yeZYwlNX+iQ==';
/** From the tests of Argon2's reference implementation. */
const ARGON2ID_OF_PASSWORD =
  '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text);
  if (typeof hash === 'string') assert.fail(hash);
  return hash;
}

async function fits(text: string, password: string): Promise<boolean> {
  return isPassword(parsed(text), Buffer.from(password));
}

test('passwords match hashes made by mosquitto_passwd', async () => {
  assert.equal(await fits(PBKDF2_OF_SECRET1, 'secret1'), true);
  assert.equal(await fits(PBKDF2_OF_SECRET1, 'secret2'), false);
  assert.equal(await fits(SHA512_OF_SECRET2, 'secret2'), true);
  assert.equal(await fits(SHA512_OF_SECRET2, ''), false);
});

test('a salt may have 64 bytes as well as 12', async () => {
  const salt = crypto.randomBytes(64);
  const digest = crypto.pbkdf2Sync('pw', salt, 1000, 64, 'sha512');
  const text = `$7$1000$${salt.toString('base64')}$${digest.toString('base64')}`;
  assert.equal(await fits(text, 'pw'), true);
});

test('Argon2id works on Nodes that have it, and is refused with the reason on others', async () => {
  const hash = parsePasswordHash(ARGON2ID_OF_PASSWORD);
  if ('argon2' in crypto) {
    assert.equal(await fits(ARGON2ID_OF_PASSWORD, 'password'), true);
    assert.equal(await fits(ARGON2ID_OF_PASSWORD, 'passwort'), false);
  } else {
    assert.match(String(hash), /needs Node 24\.7 or later, this is v/);
  }
});

test('a new hash matches its password, and differs each time', async () => {
  const first = await hashPassword('pässword', 1000);
  assert.match(first, /^\$7\$1000\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==$/);
  assert.equal(await fits(first, 'pässword'), true);
  assert.notEqual(await hashPassword('pässword', 1000), first);
});

test('an incomplete hash is refused with the reason', () => {
  const salt = 'AAAAAAAAAAAAAAAA';
  const digest = Buffer.alloc(64).toString('base64');
  const wrong: [string, RegExp][] = [
    ['secret', /not hashed; shoal passwd -U/],
    ['$5$x$y', /format '\$5\$' is unknown/],
    ['$6$abc', /\$6\$salt\$hash/],
    ['$7$101$abc', /\$7\$iterations\$salt\$hash/],
    [`$7$0$${salt}$${digest}`, /iterations must be/],
    [`$7$99999999$${salt}$${digest}`, /iterations must be/],
    [`$7$-1$${salt}$${digest}`, /iterations must be/],
    [`$7$101$$${digest}`, /the salt/],
    [`$7$101$not base64$${digest}`, /the salt/],
    [`$7$101$${salt}$${digest.slice(0, 40)}`, /incomplete/],
    [`$6$${salt}$`, /incomplete/],
  ];
  for (const [text, problem] of wrong) assert.match(String(parsePasswordHash(text)), problem);
});
