import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admissionWarnings } from '../../../src/auth/access-summary.ts';
import { loadConfig } from '../../../src/config/load.ts';

const tls = { tls: '8883', cert: 'c', key: 'k', ca: 'a' };
const byCertificate = { 'require-certificate': 'required', 'use-identity-as-username': 'true' };

function warningsOf(flags: Record<string, string>, file = ''): string {
  const given = file === '' ? flags : { ...flags, config: 's.toml' };
  const surroundings = { environment: {}, hostName: 'h', readFile: () => file };
  return admissionWarnings(loadConfig(given, surroundings).config).join('\n');
}

test('a node that lets anybody in warns of it, until that is said to be meant', () => {
  assert.match(warningsOf({}), /^anybody may connect, without a password: -auth=FILE/);
  assert.equal(warningsOf({ anonymous: 'true' }), '');
  assert.equal(warningsOf({ auth: 'pw' }), '');
});

test('where certificates alone let in there is nothing to warn of', () => {
  const only = { ...tls, ...byCertificate, port: 'off' };
  assert.equal(warningsOf(only), '');
  assert.equal(warningsOf({ ...only, acl: 'acl' }), '');
  assert.equal(warningsOf({ ...only, anonymous: 'false' }), '');
});

test('an open listener beside one for certificates is named', () => {
  assert.match(warningsOf({ ...tls, ...byCertificate }), /^anybody may connect at -port, /);
  const file = '[[listener]]\nport = 1\nanonymous = true\n[[listener]]\nport = 2\n';
  assert.match(warningsOf({}, file), /^anybody may connect at s\.toml:4, /);
});

test('a listener with users of its own is not open, and one with its own ACL alone is warned of', () => {
  const file = '[[listener]]\nport = 1\nauth = "p"\n[[listener]]\nport = 2\nacl = "a"\n';
  assert.equal(
    warningsOf({}, file).replace(/:.*/g, ''),
    'anybody may connect at s.toml\n-acl without authentication at s.toml',
  );
  assert.match(warningsOf({}, file), /^anybody may connect at s\.toml:4,/);
});

test('an ACL is warned of where clients may use any user name', () => {
  const acl = { acl: 'acl', anonymous: 'true' };
  assert.match(warningsOf(acl), /^-acl without authentication: clients may use any user name/);
  const certificateWithoutName = { ...tls, ...acl, port: 'off', 'require-certificate': 'required' };
  assert.match(warningsOf(certificateWithoutName), /^-acl without authentication: /);
  assert.equal(warningsOf({ ...acl, auth: 'pw' }), '');
});

test('a node or a listener that nobody can connect to is warned of', () => {
  assert.match(warningsOf({ anonymous: 'false' }), /^nobody can connect: anonymous clients/);
  const file = '[[listener]]\nport = 1\nanonymous = false\n[[listener]]\nport = 2\n';
  assert.match(warningsOf({ anonymous: 'true' }, file), /^nobody can connect at s\.toml:1: /);
});

test('what belongs to a token key or a server, without one, is said to change nothing', () => {
  for (const flag of ['auth-jwt-issuer', 'auth-jwt-audience']) {
    const flags = { anonymous: 'true', [flag]: 'x' };
    assert.match(warningsOf(flags), /^-auth-jwt-issuer and .* without -auth-jwt-key=FILE$/);
    assert.equal(warningsOf({ ...flags, 'auth-jwt-key': 'k' }), '');
  }
  const json = { auth: 'pw', 'auth-http-format': 'json' };
  assert.equal(warningsOf(json), '-auth-http-format changes nothing without -auth-http=URL');
  assert.equal(warningsOf({ ...json, 'auth-http': 'http://localhost/' }), '');
});
