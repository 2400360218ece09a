// How clients come in at each listener, as the options say it: for the warnings of the start and for
// what it tells the user. Decides nothing; AccessControl does, and listeners do with certificates.

import type { ListenerAccess } from '../shared/listener-config.ts';

export interface AdmissionOptions {
  readonly tokenKeyFile: string | undefined;
  readonly tokenIssuer: string | undefined;
  readonly tokenAudience: string | undefined;
  readonly authUrl: string | undefined;
  readonly authFormat: 'form' | 'json';
  /** Undefined: only while there is no authentication. */
  readonly anonymousAllowed: boolean | undefined;
  readonly listeners: readonly ListenerAccess[];
}

/** What a listener asks of its clients. */
export interface AccessSummary {
  /** There is no way in without one, whatever else is needed. */
  readonly needsCertificate: boolean;
  /** A certificate is enough. */
  readonly byCertificate: boolean;
  /** Or a token: what CONNECT brings is checked. */
  readonly byPassword: boolean;
  /** Without anything; under any user name as well where there are no passwords. */
  readonly byNothing: boolean;
}

export function admissionOf(options: AdmissionOptions, listener: ListenerAccess): AccessSummary {
  const { clientCertificate = 'no', identityAsUsername = false } = listener.tls ?? {};
  const needsCertificate = clientCertificate === 'required';
  const byCertificate = clientCertificate !== 'no' && identityAsUsername;
  // Every client has a certificate then, and is asked for nothing else.
  const isDecided = needsCertificate && byCertificate;
  const proofs = [listener.passwordFile, options.tokenKeyFile, options.authUrl];
  const byPassword = !isDecided && proofs.some((proof) => proof !== undefined);
  const isAllowed = listener.anonymous ?? options.anonymousAllowed ?? !byPassword;
  return { needsCertificate, byCertificate, byPassword, byNothing: !isDecided && isAllowed };
}

export function isClosed({ byCertificate, byPassword, byNothing }: AccessSummary): boolean {
  return !byCertificate && !byPassword && !byNothing;
}

/** Whether all that reach it may come in, and nobody has said that this is meant. */
export function isLeftOpen(options: AdmissionOptions, listener: ListenerAccess): boolean {
  const { needsCertificate, byPassword, byNothing } = admissionOf(options, listener);
  const isMeant = (listener.anonymous ?? options.anonymousAllowed) !== undefined;
  return byNothing && !byPassword && !needsCertificate && !isMeant;
}

/** What is worth a warning at the start. */
export function admissionWarnings(options: AdmissionOptions): string[] {
  const { listeners } = options;
  const named = listeners.map((one) => ({ ...one, ...admissionOf(options, one) }));
  const at = (some: readonly ListenerAccess[]): string =>
    some.length === listeners.length ? '' : ` at ${some.map(({ place }) => place).join(', ')}`;
  const warnings: string[] = [];
  const open = listeners.filter((listener) => isLeftOpen(options, listener));
  if (open.length > 0) {
    warnings.push(
      `anybody may connect${at(open)}, without a password: -auth=FILE asks for one, -anonymous=true says that this is meant`,
    );
  }
  const unproven = named.filter(
    ({ aclFile, byPassword, byNothing }) => aclFile !== undefined && byNothing && !byPassword,
  );
  if (unproven.length > 0) {
    warnings.push(
      `-acl without authentication${at(unproven)}: clients may use any user name, the ACL holds only for those who are honest`,
    );
  }
  const closed = named.filter(isClosed);
  if (closed.length > 0) {
    warnings.push(
      `nobody can connect${at(closed)}: anonymous clients are refused, and there is nothing that others could prove themselves by (-auth=FILE gives users)`,
    );
  }
  const { tokenKeyFile, tokenIssuer, tokenAudience, authUrl, authFormat } = options;
  if (tokenKeyFile === undefined && (tokenIssuer ?? tokenAudience) !== undefined) {
    warnings.push('-auth-jwt-issuer and -audience change nothing without -auth-jwt-key=FILE');
  }
  if (authUrl === undefined && authFormat !== 'form') {
    warnings.push('-auth-http-format changes nothing without -auth-http=URL');
  }
  return warnings;
}
