import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { describeSystemError } from '../../../src/shared/describe-system-error.ts';

function readError(path: string): string {
  try {
    readFileSync(path);
  } catch (error) {
    return describeSystemError(error, 'read');
  }
  return 'none';
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

test('a file that cannot be read is described in words, without its path', () => {
  assert.equal(readError('/nowhere/at/all'), 'there is no such file');
  assert.equal(readError(import.meta.dirname), 'is a folder, not a file');
  assert.match(readError(`${import.meta.filename}/x`), /a part of its path is a file/);
});

test('the same code has other words for a file that is written and for the network', () => {
  const denied = withCode('EACCES', "EACCES: permission denied, open '/x'");
  assert.equal(describeSystemError(denied, 'read'), 'this user may not read it');
  assert.equal(describeSystemError(denied, 'write'), 'this user may not write there');
  assert.match(describeSystemError(denied, 'network'), /^a firewall on this machine/);
});

test('a host name that no name server knows is described with what to do', async () => {
  const error: unknown = await lookup('nowhere.invalid').catch((reason: unknown) => reason);
  const words = describeSystemError(error, 'network');
  assert.match(words, /^the name server .*; check/);
  assert.doesNotMatch(words, /getaddrinfo|EAI_|ENOTFOUND/);
});

test('running out of descriptors names the limit, whatever the program was doing', () => {
  for (const action of ['read', 'write', 'network'] as const) {
    assert.match(describeSystemError(withCode('EMFILE', 'too many'), action), /ulimit -n/);
  }
});

test('an error without words of its own keeps the text of the system, without the path', () => {
  const busy = withCode('EBUSY', "EBUSY: resource busy or locked, open '/x'");
  assert.equal(describeSystemError(busy, 'read'), 'EBUSY: resource busy or locked');
  assert.equal(describeSystemError('odd', 'read'), 'odd');
});

test('an error with a code and no message, as of several refused addresses, is not empty', () => {
  assert.equal(describeSystemError(withCode('EFOO', ''), 'network'), 'EFOO');
  assert.match(describeSystemError(withCode('ECONNREFUSED', ''), 'network'), /nothing listens/);
});

test('an error of a program that has failed has its exit code for a code', () => {
  const failed = Object.assign(new Error('Command failed: hook take'), { code: 1 });
  assert.equal(describeSystemError(failed, 'read'), 'Command failed: hook take');
});

test('a fault of TLS has the reason of OpenSSL alone', () => {
  const message = '80DC:error:0A000410:SSL routines:read:alert:../deps/openssl/rec.c:1:\n';
  const reason = 'sslv3 alert handshake failure';
  const fault = Object.assign(new Error(message), { code: 'ERR_SSL_ALERT', reason });
  assert.equal(describeSystemError(fault, 'network'), `TLS: ${reason}`);
});
