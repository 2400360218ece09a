// The files that a configuration names and that may change while the node runs. Reads nothing.

import type { Config } from './config.ts';

export interface ConfiguredFile {
  /** The option that names it, as `-cert`. */
  readonly option: string;
  readonly path: string;
}

/** Certificates, keys, revocation lists, users, topics and tokens; each path once. */
export function configuredFiles(config: Config): ConfiguredFile[] {
  const files: ConfiguredFile[] = [];
  const add = (option: string, ...paths: readonly (string | undefined)[]): void => {
    for (const path of paths) {
      if (path === undefined || files.some((known) => known.path === path)) continue;
      files.push({ option, path });
    }
  };
  for (const { passwordFile, aclFile, tokenKeyFile, tls } of config.listeners) {
    add('-auth', passwordFile);
    add('-acl', aclFile);
    add('-auth-jwt-key', tokenKeyFile);
    add('-cert', ...(tls?.cert ?? []));
    add('-key', ...(tls?.key ?? []));
    add('-ca', tls?.ca);
    add('-crl', tls?.crl);
  }
  add('-http-cert', config.httpCert);
  add('-http-key', config.httpKey);
  add('-csk-file', config.tokenFile);
  return files;
}
