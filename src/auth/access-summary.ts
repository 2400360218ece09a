// Summarizes how clients may connect to each listener according to the options, for warnings and for the
// banner. Decides nothing: AccessControl does, and listeners check certificates.

import type { ListenerAccess } from '../shared/listener-config.ts';

export interface SummaryOptions {
  readonly tokenKeyFile: string | undefined;
  readonly tokenIssuer: string | undefined;
  readonly tokenAudience: string | undefined;
  readonly authUrl: string | undefined;
  readonly authFormat: 'form' | 'json';
  /** Undefined: only without authentication. */
  readonly anonymousAllowed: boolean | undefined;
  readonly listeners: readonly ListenerAccess[];
}

/** What a listener requires of its clients. */
export interface AccessSummary {
  /** A certificate is required, whatever else is. */
  readonly needsCertificate: boolean;
  /** A certificate is sufficient. */
  readonly byCertificate: boolean;
  /** The password or token in CONNECT is checked. */
  readonly byPassword: boolean;
  /** Clients without a proof may connect; without authentication, under any user name. */
  readonly byNothing: boolean;
}

export function accessSummaryOf(options: SummaryOptions, listener: ListenerAccess): AccessSummary {
  const { clientCertificate = 'no', identityAsUsername = false } = listener.tls ?? {};
  const needsCertificate = clientCertificate === 'required';
  const byCertificate = clientCertificate !== 'no' && identityAsUsername;
  // Every client then has a certificate that names it, and needs nothing else.
  const isDecided = needsCertificate && byCertificate;
  const { passwordFile, tokenKeyFile, authUrl } = listener;
  const proofs = [passwordFile, tokenKeyFile ?? options.tokenKeyFile, authUrl ?? options.authUrl];
  const byPassword = !isDecided && proofs.some((proof) => proof !== undefined);
  const isAllowed = listener.anonymous ?? options.anonymousAllowed ?? !byPassword;
  return { needsCertificate, byCertificate, byPassword, byNothing: !isDecided && isAllowed };
}

export function isClosed({ byCertificate, byPassword, byNothing }: AccessSummary): boolean {
  return !byCertificate && !byPassword && !byNothing;
}

/** True if every client that reaches the listener may connect, and no option says that this is intended. */
export function isLeftOpen(options: SummaryOptions, listener: ListenerAccess): boolean {
  const { needsCertificate, byPassword, byNothing } = accessSummaryOf(options, listener);
  const isIntended = (listener.anonymous ?? options.anonymousAllowed) !== undefined;
  return byNothing && !byPassword && !needsCertificate && !isIntended;
}

/** True if the script of any page can connect by WebSocket: it needs no proof that only a user has. */
function isOpenToPages(listener: ListenerAccess & AccessSummary): boolean {
  const { protocol, origins, needsCertificate, byNothing } = listener;
  const isWebSocket = protocol === 'ws' || protocol === 'wss';
  return isWebSocket && origins === undefined && byNothing && !needsCertificate;
}

/** Warnings for the start and for `shoal check`. */
export function accessWarnings(options: SummaryOptions): string[] {
  const { listeners } = options;
  const named = listeners.map((one) => ({ ...one, ...accessSummaryOf(options, one) }));
  const at = (some: readonly ListenerAccess[]): string =>
    some.length === listeners.length ? '' : ` at ${some.map(({ place }) => place).join(', ')}`;
  const warnings: string[] = [];
  const open = listeners.filter((listener) => isLeftOpen(options, listener));
  if (open.length > 0) {
    warnings.push(
      `any client may connect${at(open)} without a password: require one with -auth=FILE, or confirm this with -anonymous=true`,
    );
  }
  const toPages = named.filter(isOpenToPages);
  if (toPages.length > 0) {
    warnings.push(
      `any web page that a browser on this network shows may connect${at(toPages)}: allow only your own with -ws-origin=https://example.org, or confirm this with -ws-origin=*`,
    );
  }
  const unproven = named.filter(
    ({ aclFile, byPassword, byNothing }) => aclFile !== undefined && byNothing && !byPassword,
  );
  if (unproven.length > 0) {
    warnings.push(
      `-acl without authentication${at(unproven)}: clients may claim any user name, so the ACL restricts only honest clients`,
    );
  }
  const closed = named.filter(isClosed);
  if (closed.length > 0) {
    warnings.push(
      `no client can connect${at(closed)}: anonymous clients are refused, and there are no users (add them with -auth=FILE)`,
    );
  }
  const { tokenIssuer, tokenAudience, authFormat } = options;
  const tokenKeyFile =
    options.tokenKeyFile ?? listeners.find((one) => one.tokenKeyFile)?.tokenKeyFile;
  const authUrl = options.authUrl ?? listeners.find((one) => one.authUrl)?.authUrl;
  if (tokenKeyFile === undefined && (tokenIssuer ?? tokenAudience) !== undefined) {
    warnings.push(
      '-auth-jwt-issuer and -auth-jwt-audience have no effect without -auth-jwt-key=FILE',
    );
  }
  if (authUrl === undefined && authFormat !== 'form') {
    warnings.push('-auth-http-format has no effect without -auth-http=URL');
  }
  return warnings;
}
