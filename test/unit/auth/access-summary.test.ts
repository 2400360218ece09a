import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessWarnings } from '../../../src/auth/access-summary.ts';
import { loadConfig } from '../../../src/config/load.ts';

const tls = { tls: '8883', cert: 'c', key: 'k', ca: 'a' };
const byCertificate = { 'require-certificate': 'required', 'use-identity-as-username': 'true' };

function warningsOf(flags: Record<string, string>, file = ''): string {
  const given = file === '' ? flags : { ...flags, config: 's.toml' };
  const host = { environment: {}, hostName: 'h', readFile: () => file };
  return accessWarnings(loadConfig(given, host).config).join('\n');
}

test('a node that admits every client warns of it, unless the options confirm it', () => {
  assert.match(
    warningsOf({}),
    /^any client may connect without a password: require one with -auth=FILE/,
  );
  assert.equal(warningsOf({ anonymous: 'true' }), '');
  assert.equal(warningsOf({ auth: 'pw' }), '');
});

test('a WebSocket listener that any web page may use is warned of, unless -ws-origin says so', () => {
  const warning = /^any web page .* at -ws: allow only your own with -ws-origin=/m;
  assert.match(warningsOf({ ws: '8083' }), warning);
  assert.match(warningsOf({ ws: '8083', anonymous: 'true' }), warning);
  assert.match(warningsOf({ ws: '8083', auth: 'pw', anonymous: 'true' }), warning);
  for (const others of [
    { 'ws-origin': 'https://example.org' },
    { 'ws-origin': '*' },
    { auth: 'pw' },
  ]) {
    assert.doesNotMatch(warningsOf({ ws: '8083', ...others }), /web page/);
  }
});

test('there is no warning if only certificates admit clients', () => {
  const only = { ...tls, ...byCertificate, port: 'off' };
  assert.equal(warningsOf(only), '');
  assert.equal(warningsOf({ ...only, acl: 'acl' }), '');
  assert.equal(warningsOf({ ...only, anonymous: 'false' }), '');
});

test('the warning names an open listener beside one for certificates', () => {
  assert.match(warningsOf({ ...tls, ...byCertificate }), /^any client may connect at -port /);
  const file = '[[listener]]\nport = 1\nanonymous = true\n[[listener]]\nport = 2\n';
  assert.match(warningsOf({}, file), /^any client may connect at s\.toml:4 /);
});

test('a listener with its own users is not open, and one with only its own ACL is warned of', () => {
  const file = '[[listener]]\nport = 1\nauth = "p"\n[[listener]]\nport = 2\nacl = "a"\n';
  assert.equal(
    warningsOf({}, file).replace(/:.*/g, ''),
    'any client may connect at s.toml\n-acl without authentication at s.toml',
  );
  assert.match(warningsOf({}, file), /^any client may connect at s\.toml:4 /);
});

test('there is a warning about an ACL if clients may claim any user name', () => {
  const acl = { acl: 'acl', anonymous: 'true' };
  assert.match(warningsOf(acl), /^-acl without authentication: clients may claim any user name/);
  const certificateWithoutName = { ...tls, ...acl, port: 'off', 'require-certificate': 'required' };
  assert.match(warningsOf(certificateWithoutName), /^-acl without authentication: /);
  assert.equal(warningsOf({ ...acl, auth: 'pw' }), '');
});

test('there is a warning about a node or a listener that no client can connect to', () => {
  assert.match(warningsOf({ anonymous: 'false' }), /^no client can connect: anonymous clients/);
  const file = '[[listener]]\nport = 1\nanonymous = false\n[[listener]]\nport = 2\n';
  assert.match(warningsOf({ anonymous: 'true' }, file), /^no client can connect at s\.toml:1: /);
});

test('there is a warning about token and server options without a key or a server', () => {
  for (const flag of ['auth-jwt-issuer', 'auth-jwt-audience']) {
    const flags = { anonymous: 'true', [flag]: 'x' };
    assert.match(warningsOf(flags), /^-auth-jwt-issuer and .* without -auth-jwt-key=FILE$/);
    assert.equal(warningsOf({ ...flags, 'auth-jwt-key': 'k' }), '');
  }
  const json = { auth: 'pw', 'auth-http-format': 'json' };
  assert.equal(warningsOf(json), '-auth-http-format has no effect without -auth-http=URL');
  assert.equal(warningsOf({ ...json, 'auth-http': 'http://localhost/' }), '');
});
