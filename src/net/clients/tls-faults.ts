// OpenSSL's errors of handshakes and certificates, in words for the log. An error that has no words
// here keeps OpenSSL's own.

/** Many clients that don't trust a certificate hang up without an alert. */
const HUNG_UP = 'the client hung up: does it trust this certificate?';

/** By OpenSSL's reason; an alert comes from the client, and has no `tlsv1 alert` in front here. */
const HANDSHAKE_FAULTS: Readonly<Record<string, string>> = {
  'unknown ca': 'the client does not trust this certificate: it does not know the authority',
  'bad certificate': 'the client does not trust this certificate',
  'certificate unknown': 'the client does not trust this certificate',
  'certificate expired':
    "the client says that this certificate has expired (or the client's clock is wrong)",
  'certificate revoked': 'the client says that this certificate was revoked',
  'http request': 'plain HTTP on the TLS port',
  'https proxy request': 'plain HTTP on the TLS port',
  'wrong version number': 'not TLS: plain MQTT on the TLS port?',
  'packet length too long': 'not TLS: plain MQTT on the TLS port?',
  'unsupported protocol': 'the client has no TLS version that is accepted (-tls-version)',
  'protocol version': 'the client accepts none of the TLS versions here',
  'no shared cipher': 'client and node have no cipher in common',
  'handshake failure': 'the client found no cipher or parameters in common',
  'socket hang up': HUNG_UP,
  'read ECONNRESET': HUNG_UP,
  'no application protocol': 'the client wants another protocol than MQTT (ALPN)',
};

/** By Node's code for the fault of a certificate. */
const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: "it is not valid yet (or this node's clock is wrong)",
  CERT_REVOKED: 'it was revoked',
  CRL_NOT_YET_VALID:
    "the list of revoked certificates (-crl) is not valid yet (or this node's clock is wrong)",
  CRL_HAS_EXPIRED: 'the list of revoked certificates (-crl) is out of date',
  UNABLE_TO_GET_CRL: 'its authority has no list in -crl',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it signed itself: no authority in -ca did',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not in -ca',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not in -ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not in -ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not in -ca',
  CERT_SIGNATURE_FAILURE: 'no authority in -ca signed it',
  INVALID_PURPOSE: 'it is not made for clients',
};

export function handshakeFault(error: Error & { readonly reason?: string }): string {
  const reason = error.reason ?? error.message;
  return HANDSHAKE_FAULTS[reason.replace(/^\S+ alert /, '')] ?? reason;
}

/** @param code as TLSSocket.authorizationError has it */
export function certificateFault(code: string): string {
  const words = CERTIFICATE_FAULTS[code];
  return words === undefined ? code : `${words} (${code})`;
}
