// Why a connection to a far side can't be opened, or has ended, in words, and how far it had come.

import { describeSystemError } from '../../shared/describe-system-error.ts';

/** What failed: our own files, the path to the host, the TLS handshake, or the upgrade to a WebSocket. */
export type FarStep = 'files' | 'reach' | 'tls' | 'websocket';

export interface FarFault {
  readonly step: FarStep;
  /** A phrase without a full stop. */
  readonly reason: string;
}

export const ENDED_BY_FAR_SIDE = 'the far side ended the connection';

const UNKNOWN_AUTHORITY = 'the authority of its certificate is not known: set ca';
const WANTS_CERTIFICATE = 'it wants a client certificate: set cert and key';
const REFUSES_CERTIFICATE = 'it does not accept the client certificate';

/** By Node's code: a certificate that is not accepted here, or what the far side's alert says. */
const TLS_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: "its certificate is not valid yet (or this node's clock is wrong)",
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate signed itself: set ca to that certificate',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on that port',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: WANTS_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'it refuses the TLS handshake: no cipher in common, or it wants a client certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: REFUSES_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: REFUSES_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'it says that the client certificate has expired',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'it says that the client certificate is revoked',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not know the authority of the client certificate',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it speaks no TLS 1.2 or newer',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'it does not serve this host name',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'it does not take this protocol: see alpn',
};

/** How the message of `ws` begins where the answer to an upgrade is another one than 101. */
const NO_UPGRADE = 'Unexpected server response: ';

export function describeFarFault(error: unknown): FarFault {
  const { code = '', message = '' } = error as NodeJS.ErrnoException;
  const known = TLS_FAULTS[code];
  if (known !== undefined) return { step: 'tls', reason: known };
  if (/^ERR_(SSL|TLS)_|^EPROTO$/.test(code)) {
    return { step: 'tls', reason: `the TLS handshake fails: ${code}` };
  }
  if (message.startsWith(NO_UPGRADE)) {
    const status = message.slice(NO_UPGRADE.length);
    return { step: 'websocket', reason: `it answers ${status} to the WebSocket: see the path` };
  }
  return { step: 'reach', reason: describeSystemError(error, 'network') };
}
