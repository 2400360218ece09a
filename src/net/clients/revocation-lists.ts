// Certificate revocation lists (CRL): whether a client certificate is revoked. The list of the authority
// that issued it is required; the authorities above are checked if the file has their lists. OpenSSL
// behind Node requires a list for every authority of the chain, which few files contain; mosquitto and
// others check the client's certificate alone. Source: RFC 5280, 5.

import { verify, type X509Certificate } from 'node:crypto';
import { DerError, DerReader, DerTag, derTime, oidText } from './der-reader.ts';

const { bitString, boolean, integer, octetString, oid, sequence } = DerTag;
const { utcTime, generalizedTime } = DerTag;
/** Context-specific, constructed: the extensions of a list; indirectCRL of its distribution point. */
const EXTENSIONS = 0xa0;
const INDIRECT = 0x84;
const ISSUING_DISTRIBUTION_POINT = '2.5.29.28';
const DELTA_INDICATOR = '2.5.29.27';
const PEM_BLOCK = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g;
/** More authorities above a client than this are not looked at. */
const CHAIN_MAX = 16;

/** By the identifier of the signature algorithm. Null: the key alone determines the digest. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
};

interface RevocationList {
  /** Name of the authority, in DER. */
  readonly issuer: Buffer;
  readonly fromMs: number;
  /** When the next list is due; Infinity if it does not say. */
  readonly untilMs: number;
  /** Serial numbers in hex. */
  readonly serials: ReadonlySet<string>;
  /** The signed bytes, the digest and the signature. */
  readonly signed: Buffer;
  readonly digest: string | null;
  readonly signature: Buffer;
  /** Set once the signature was verified with the authority's key. */
  isVerified: boolean;
}

/** Why a certificate is refused, by OpenSSL's names. */
export type RevocationFault =
  | 'CERT_REVOKED'
  | 'UNABLE_TO_GET_CRL'
  | 'CRL_HAS_EXPIRED'
  | 'CRL_NOT_YET_VALID';

export class RevocationLists {
  readonly #lists: readonly RevocationList[];
  readonly #authorities: readonly X509Certificate[];

  /**
   * @param authorities that client certificates are verified with
   * @throws DerError for a text without lists, and for a list that cannot be applied
   */
  constructor(pem: string, authorities: readonly X509Certificate[]) {
    this.#authorities = authorities;
    const blocks = [...pem.matchAll(PEM_BLOCK)];
    if (blocks.length === 0) throw new DerError('there is no list in PEM form');
    this.#lists = blocks.map(([, base64 = '']) => parseList(Buffer.from(base64, 'base64')));
  }

  /**
   * @param certificate of a client whose chain is verified; linked to the issuers that the client sent
   * @param now wall clock, in ms
   * @returns undefined if no list revokes it
   */
  faultOf(certificate: X509Certificate, now: number): RevocationFault | undefined {
    try {
      return this.#faultOfChain(certificate, now);
    } catch (error) {
      // A certificate that OpenSSL accepts and DER forbids: no list can be found for it.
      if (error instanceof DerError) return 'UNABLE_TO_GET_CRL';
      throw error;
    }
  }

  #faultOfChain(certificate: X509Certificate, now: number): RevocationFault | undefined {
    let subject = certificate;
    for (let depth = 0; depth < CHAIN_MAX; depth++) {
      const issuer = this.#issuerOf(subject);
      const fault = this.#faultOfOne(subject, issuer, now);
      if (fault !== undefined && !(depth > 0 && fault === 'UNABLE_TO_GET_CRL')) return fault;
      if (issuer === undefined || issuer.fingerprint256 === subject.fingerprint256) break;
      subject = issuer;
    }
    return undefined;
  }

  /** Authorities without a list that issue certificates of clients: all such clients are refused. */
  get authoritiesWithoutList(): X509Certificate[] {
    return this.#authorities.filter((authority) => {
      const isAbove = this.#authorities.some(
        (other) => other !== authority && other.checkIssued(authority),
      );
      return !isAbove && this.#listsOf(subjectOf(authority), authority).length === 0;
    });
  }

  /** When the first list of an authority expires, in ms since 1970. */
  get expiresMs(): number {
    return Math.min(...this.#lists.map(({ untilMs }) => untilMs));
  }

  #issuerOf(subject: X509Certificate): X509Certificate | undefined {
    const known = this.#authorities.find(
      (authority) => subject.checkIssued(authority) && subject.verify(authority.publicKey),
    );
    return known ?? subject.issuerCertificate;
  }

  #faultOfOne(
    subject: X509Certificate,
    issuer: X509Certificate | undefined,
    now: number,
  ): RevocationFault | undefined {
    const lists = this.#listsOf(issuerOf(subject), issuer);
    if (lists.length === 0) return 'UNABLE_TO_GET_CRL';
    const serial = serialOf(subject);
    if (lists.some(({ serials }) => serials.has(serial))) return 'CERT_REVOKED';
    if (lists.some(({ fromMs, untilMs }) => fromMs <= now && now < untilMs)) return undefined;
    return lists.some(({ untilMs }) => untilMs <= now) ? 'CRL_HAS_EXPIRED' : 'CRL_NOT_YET_VALID';
  }

  /**
   * The lists of an authority, signed with its key. A resumed session knows no issuer: for it the lists
   * count that an earlier handshake has verified.
   */
  #listsOf(name: Buffer, authority: X509Certificate | undefined): RevocationList[] {
    return this.#lists.filter((list) => {
      if (!list.issuer.equals(name)) return false;
      if (authority === undefined || list.isVerified) return list.isVerified;
      list.isVerified = isSignedBy(list, authority);
      return list.isVerified;
    });
  }
}

function isSignedBy({ digest, signed, signature }: RevocationList, authority: X509Certificate) {
  try {
    return verify(digest, signed, authority.publicKey, signature);
  } catch {
    return false;
  }
}

/** CertificateList (RFC 5280, 5.1). */
function parseList(der: Buffer): RevocationList {
  const outer = new DerReader(der).enter(sequence);
  const body = outer.read(sequence);
  const algorithm = oidText(outer.enter(sequence).read(oid).value);
  const signature = outer.read(bitString).value.subarray(1);
  const digest = DIGESTS[algorithm];
  if (digest === undefined) throw new DerError(`the signature algorithm ${algorithm} is unknown`);
  const list = new DerReader(body.value);
  if (list.isNext(integer)) list.read(integer);
  list.read(sequence);
  const issuer = list.read(sequence).whole;
  const fromMs = derTime(list.read(utcTime, generalizedTime));
  const hasNext = list.isNext(utcTime, generalizedTime);
  const untilMs = hasNext ? derTime(list.read(utcTime, generalizedTime)) : Number.POSITIVE_INFINITY;
  const serials = list.isNext(sequence) ? readSerials(list.enter(sequence)) : new Set<string>();
  if (list.isNext(EXTENSIONS)) checkExtensions(list.enter(EXTENSIONS).enter(sequence));
  return {
    issuer: Buffer.from(issuer),
    fromMs,
    untilMs,
    serials,
    signed: Buffer.from(body.whole),
    digest,
    signature: Buffer.from(signature),
    isVerified: false,
  };
}

function readSerials(entries: DerReader): Set<string> {
  const serials = new Set<string>();
  while (!entries.atEnd) serials.add(hexOf(entries.enter(sequence).read(integer).value));
  return serials;
}

/** Refuses lists that say less, or something else, than which certificates of the authority are revoked. */
function checkExtensions(extensions: DerReader): void {
  while (!extensions.atEnd) {
    const extension = extensions.enter(sequence);
    const id = oidText(extension.read(oid).value);
    const isCritical = extension.isNext(boolean) && extension.read(boolean).value[0] !== 0;
    const { value } = extension.read(octetString);
    if (id === DELTA_INDICATOR) throw new DerError('a delta list needs its base list');
    if (id === ISSUING_DISTRIBUTION_POINT)
      checkDistributionPoint(new DerReader(value).enter(sequence));
    else if (isCritical) throw new DerError(`the critical extension ${id} is unknown`);
  }
}

function checkDistributionPoint(point: DerReader): void {
  while (!point.atEnd) {
    const { tag, value } = point.read();
    if (tag === INDIRECT && value[0] !== 0) throw new DerError('indirect lists are not supported');
  }
}

/** The fields of TBSCertificate (RFC 5280, 4.1) from the serial number on. */
function fieldsOf({ raw }: X509Certificate): DerReader {
  const fields = new DerReader(raw).enter(sequence).enter(sequence);
  if (fields.isNext(EXTENSIONS)) fields.read(EXTENSIONS);
  return fields;
}

function serialOf(certificate: X509Certificate): string {
  return hexOf(fieldsOf(certificate).read(integer).value);
}

function issuerOf(certificate: X509Certificate): Buffer {
  const fields = fieldsOf(certificate);
  fields.read(integer);
  fields.read(sequence);
  return fields.read(sequence).whole;
}

function subjectOf(certificate: X509Certificate): Buffer {
  const fields = fieldsOf(certificate);
  fields.read(integer);
  for (let field = 0; field < 3; field++) fields.read(sequence);
  return fields.read(sequence).whole;
}

function hexOf(value: Buffer): string {
  return value.toString('hex').replace(/^(00)+(?=.)/, '');
}
