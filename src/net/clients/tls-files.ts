// Reads certificates, keys, authorities and revocation lists for a TLS server. Every fault names its
// file. Knows nothing of connections.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { ListenerTls } from '../../shared/listener-config.ts';
import { RevocationLists } from './revocation-lists.ts';

/** Certificates of ninety days are renewed after sixty: one that has a week left was not renewed. */
const RENEWAL_MS = 7 * 86_400_000;

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** A file can't be used. The message names it and says why. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
}

export interface TlsMaterial {
  /** With the first certificate, for clients that name no server (SNI). */
  readonly options: TlsOptions;
  /** The context of the certificate for this name, or the first. */
  contextFor(serverName: string): SecureContext;
  /** Undefined without -crl. */
  readonly revocations: RevocationLists | undefined;
  /** Certificates that have expired, soon expire, or are not valid yet; missing revocation lists. */
  readonly warnings: readonly string[];
}

/** @throws TlsFileError */
export function loadTls(files: ListenerTls): TlsMaterial {
  const { minVersion } = files;
  const ca = files.ca === undefined ? undefined : readAuthorities(files.ca);
  const revocations = files.crl === undefined ? undefined : readRevocations(files.crl, ca ?? '');
  const served = files.cert.map((certFile, index) => {
    const keyFile = files.key[index] ?? certFile;
    const cert = readText('-cert', certFile);
    const certificate = readCertificate(certFile, cert);
    const key = readText('-key', keyFile);
    if (!certificate.checkPrivateKey(parseKey(keyFile, key))) {
      throw new TlsFileError(`${keyFile}: is not the key of ${certFile}`);
    }
    const options: SecureContextOptions = {
      cert,
      key,
      minVersion,
      ...(ca !== undefined && { ca }),
    };
    return { certFile, certificate, options, context: contextOf(certFile, options) };
  });
  const [first] = served;
  if (first === undefined) throw new TlsFileError('no certificate is given');
  return {
    options: first.options,
    contextFor: (serverName) =>
      (served.find(({ certificate }) => isFor(certificate, serverName)) ?? first).context,
    revocations,
    warnings: [
      ...served.flatMap(({ certFile, certificate }) => datesOf(certFile, certificate)),
      ...(revocations === undefined ? [] : listWarnings(files.crl ?? '', revocations)),
    ],
  };
}

/** The Common Name of the client's certificate; undefined where it has none or several. */
export function commonNameOf(socket: TLSSocket): string | undefined {
  // With several Common Names this is a list, in spite of the types.
  // Of a socket that has been destroyed there is no certificate at all.
  const certificate = socket.getPeerCertificate() as PeerCertificate | undefined;
  const name: unknown = certificate?.subject?.CN;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function readText(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TlsFileError(`${option}=${file}: ${describeSystemError(error, 'read')}`);
  }
}

function readCertificate(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new TlsFileError(`${file}: holds no certificate in PEM form`);
  }
}

function parseKey(file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const locked = pem.includes('ENCRYPTED');
    throw new TlsFileError(
      locked
        ? `${file}: the key is encrypted; store it without a passphrase`
        : `${file}: holds no private key in PEM form`,
    );
  }
}

function readAuthorities(file: string): string {
  const pem = readText('-ca', file);
  readCertificate(file, pem);
  return pem;
}

/** @param ca the text of the -ca file */
function readRevocations(file: string, ca: string): RevocationLists {
  const pem = readText('-crl', file);
  const authorities = [...ca.matchAll(PEM_CERTIFICATE)].map(([one]) => readCertificate('-ca', one));
  try {
    return new RevocationLists(pem, authorities);
  } catch (error) {
    throw new TlsFileError(
      `${file}: holds no certificate revocation list that can be used: ${reasonOf(error)}`,
    );
  }
}

function listWarnings(file: string, revocations: RevocationLists): string[] {
  const missing = revocations.authoritiesWithoutList.map(({ subject }) => {
    const name = subject.replaceAll('\n', ', ');
    return `${file}: has no list of the authority ${name}: all clients with its certificates are refused`;
  });
  const isExpired = Date.now() > revocations.expiresMs;
  const until = new Date(revocations.expiresMs).toISOString();
  const expired = `${file}: a list expired ${until}: all clients of its authority are refused`;
  return isExpired ? [...missing, expired] : missing;
}

function contextOf(certFile: string, options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options);
  } catch (error) {
    throw new TlsFileError(`${certFile}: ${reasonOf(error)}`);
  }
}

/** @param serverName any bytes that a client sent */
function isFor(certificate: X509Certificate, serverName: string): boolean {
  try {
    return certificate.checkHost(serverName) !== undefined;
  } catch {
    // OpenSSL refuses what can't be a name.
    return false;
  }
}

/** Warnings only: many machines have a wrong clock when they start. */
function datesOf(file: string, certificate: X509Certificate): string[] {
  const now = Date.now();
  const { validTo } = certificate;
  if (now > Date.parse(validTo)) return [`${file}: expired ${validTo}`];
  if (now + RENEWAL_MS > Date.parse(validTo)) return [`${file}: expires ${validTo}`];
  if (now < Date.parse(certificate.validFrom)) {
    return [`${file}: not valid before ${certificate.validFrom}`];
  }
  return [];
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
