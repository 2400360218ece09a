import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { RevocationLists } from '../../../../src/net/clients/revocation-lists.ts';
import { noOpenssl, TestAuthority } from '../../../support/certificates.ts';

const DAY_MS = 86_400_000;
const base = mkdtempSync(join(tmpdir(), 'shoal-crl-'));
after(() => rmSync(base, { recursive: true }));

function authorityIn(name: string, issuer?: TestAuthority): TestAuthority {
  const folder = join(base, name);
  mkdirSync(folder);
  return new TestAuthority(folder, name, issuer);
}

const read = (file: string): string => readFileSync(file, 'utf8');
const certificate = (file: string): X509Certificate => new X509Certificate(read(file));

describe('revocation lists', { skip: noOpenssl() }, () => {
  let root: TestAuthority;
  let middle: TestAuthority;
  let client: X509Certificate;
  let revoked: X509Certificate;
  let authorities: X509Certificate[];

  before(() => {
    root = authorityIn('Root');
    middle = authorityIn('Middle', root);
    client = certificate(middle.issue('client', '/CN=client').cert);
    const files = middle.issue('revoked', '/CN=revoked');
    middle.revoke(files);
    revoked = certificate(files.cert);
    authorities = [certificate(root.ca), certificate(middle.ca)];
  });

  test('the list of the issuing authority is enough, without one of the root', () => {
    const lists = new RevocationLists(read(middle.crl), authorities);
    assert.equal(lists.faultOf(client, Date.now()), undefined);
    assert.equal(lists.faultOf(revoked, Date.now()), 'CERT_REVOKED');
    assert.deepEqual(lists.authoritiesWithoutList, []);
  });

  test('a client is refused without a list of its issuer, and the authority is named', () => {
    const lists = new RevocationLists(read(root.crl), authorities);
    assert.equal(lists.faultOf(client, Date.now()), 'UNABLE_TO_GET_CRL');
    const missing = lists.authoritiesWithoutList.map(({ subject }) => subject);
    assert.deepEqual(missing, ['CN=Middle']);
  });

  test('clients of an authority that the root has revoked are refused', () => {
    const folder = authorityIn('Closed', root);
    const theirs = certificate(folder.issue('theirs', '/CN=theirs').cert);
    root.revoke({ cert: folder.ca });
    const both = [...authorities, certificate(folder.ca)];
    const lists = new RevocationLists(read(root.crl) + read(folder.crl), both);
    assert.equal(lists.faultOf(theirs, Date.now()), 'CERT_REVOKED');
  });

  test('a list signed by another authority of the same name does not count', () => {
    const folder = join(base, 'impostor');
    mkdirSync(folder);
    const impostor = new TestAuthority(folder, 'Middle', root);
    const lists = new RevocationLists(read(impostor.crl), authorities);
    assert.equal(lists.faultOf(client, Date.now()), 'UNABLE_TO_GET_CRL');
  });

  test('outside its validity a list refuses all clients of its authority', () => {
    const lists = new RevocationLists(read(middle.crl), authorities);
    assert.equal(lists.faultOf(client, Date.now() + 31 * DAY_MS), 'CRL_HAS_EXPIRED');
    assert.equal(lists.faultOf(client, Date.now() - DAY_MS), 'CRL_NOT_YET_VALID');
    assert.ok(Math.abs(lists.expiresMs - Date.now() - 30 * DAY_MS) < DAY_MS);
  });

  test('a truncated list is refused at every length, and a text without a list too', () => {
    const [, base64 = ''] = /CRL-----([^-]*)/.exec(read(middle.crl)) ?? [];
    const der = Buffer.from(base64, 'base64');
    const pem = (bytes: Buffer): string =>
      `-----BEGIN X509 CRL-----\n${bytes.toString('base64')}\n-----END X509 CRL-----`;
    assert.ok(new RevocationLists(pem(der), authorities));
    for (let length = 0; length < der.length; length++) {
      assert.throws(() => new RevocationLists(pem(der.subarray(0, length)), authorities), {
        name: 'DerError',
      });
    }
    assert.throws(() => new RevocationLists('', authorities), { name: 'DerError' });
  });

  test('a list with any flipped byte is refused, does not count, or says the same', () => {
    const [, base64 = ''] = /CRL-----([^-]*)/.exec(read(middle.crl)) ?? [];
    const der = Buffer.from(base64, 'base64');
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der);
      changed[at]! ^= 0x55;
      const text = `-----BEGIN X509 CRL-----\n${changed.toString('base64')}\n-----END X509 CRL-----`;
      try {
        const lists = new RevocationLists(text, authorities);
        const fault = lists.faultOf(revoked, Date.now());
        assert.ok(fault === 'UNABLE_TO_GET_CRL' || fault === 'CERT_REVOKED', `${fault} at ${at}`);
      } catch (error) {
        assert.equal((error as Error).name, 'DerError', String(error));
      }
    }
  });
});
