// Warns of files that other users of the machine can read or change: at the start, at a reload and in
// `shoal check`. Looks at modes only; the operating system enforces them.

import { readFileSync, type Stats, statSync } from 'node:fs';
import { settingsOf } from '../config/listener-settings.ts';
import type { LoadedConfig } from '../config/load.ts';

const GROUP_READ = 0o040;
const READ = 0o044;
const WRITE = 0o022;
const OTHERS = 0o007;
/** Set on /tmp and the like, whose mode must not change. */
const STICKY = 0o1000;

interface NamedFile {
  readonly flag: string;
  readonly path: string;
  /** Follows "and": why the file matters. */
  readonly reason: string;
  /** True if no other user may read it either. */
  readonly isSecret: boolean;
}

/** What the files of each option contain or decide. */
const CONTENTS: Readonly<Record<string, { readonly reason: string; readonly isSecret: boolean }>> =
  {
    auth: { reason: 'it contains the password hashes', isSecret: true },
    acl: { reason: 'it decides on access', isSecret: false },
    cert: { reason: 'it identifies this node', isSecret: false },
    key: { reason: 'it contains a private key', isSecret: true },
    ca: { reason: 'it decides which client certificates are accepted', isSecret: false },
    crl: { reason: 'it decides which client certificates are refused', isSecret: false },
  };

/** One line for each file and for the data folder; empty on Windows, which has no such modes. */
export function exposureWarnings(loaded: LoadedConfig): string[] {
  if (process.platform === 'win32') return [];
  const warnings = namedFiles(loaded).flatMap((file) => {
    const stats = statOf(file.path);
    return stats === undefined ? [] : warningFor(file, stats);
  });
  return [...new Set(warnings)];
}

/** @returns at most one warning */
function warningFor({ flag, path, reason, isSecret }: NamedFile, stats: Stats): string[] {
  // A file of root that its group may read is the usual way to let a service read it.
  const readable = isSecret ? (stats.uid === 0 ? READ & ~GROUP_READ : READ) : 0;
  const excess = stats.mode & (readable | WRITE);
  if (excess === 0) return [];
  const verbs = [
    ...((excess & READ) === 0 ? [] : ['read']),
    ...((excess & WRITE) === 0 ? [] : ['change']),
  ];
  const who = (excess & OTHERS) === 0 ? 'its group' : 'every user of this machine';
  const mode = (stats.mode & 0o777 & ~excess).toString(8);
  const isScratch = (stats.mode & STICKY) !== 0;
  const remedy = isScratch ? 'give the node a folder of its own' : `run: chmod ${mode} ${path}`;
  return [`-${flag}=${path}: ${who} can ${verbs.join(' and ')} it, and ${reason}; ${remedy}`];
}

function namedFiles(loaded: LoadedConfig): NamedFile[] {
  const { config, origins } = loaded;
  const files: NamedFile[] = config.listeners
    .flatMap((listener) => settingsOf(loaded, listener))
    .flatMap(({ row: { flag }, value }) => {
      const contents = CONTENTS[flag];
      if (contents === undefined || value === undefined) return [];
      return [value].flat().map((path) => ({ flag, path: String(path), ...contents }));
    });
  for (const { tls } of config.bridges) {
    const reason = 'it contains a private key';
    if (tls.key !== undefined) files.push({ flag: 'key', path: tls.key, reason, isSecret: true });
  }
  const { tokenFile, configFile, dataFolder } = config;
  for (const tokenKeyFile of new Set(config.listeners.map((listener) => listener.tokenKeyFile))) {
    if (tokenKeyFile === undefined) continue;
    const isSecret = !isPublicKey(tokenKeyFile);
    const reason = 'it decides which tokens are accepted';
    files.push({ flag: 'auth-jwt-key', path: tokenKeyFile, reason, isSecret });
  }
  if (tokenFile !== undefined) {
    const reason = 'it contains the cluster token';
    files.push({ flag: 'csk-file', path: tokenFile, reason, isSecret: true });
  }
  if (configFile !== undefined) {
    const hasToken = origins.tokens.source === 'file' && tokenFile === undefined;
    const hasPassword = config.bridges.some(({ options }) => options.password !== undefined);
    const isSecret = hasToken || hasPassword;
    const secret = hasToken ? 'the cluster token' : 'the password of a bridge';
    const reason = isSecret ? `it contains ${secret}` : 'it decides what this node does';
    files.push({ flag: 'config', path: configFile, reason, isSecret });
  }
  if (dataFolder !== undefined) {
    const reason = 'it contains all sessions and messages';
    files.push({ flag: 'data', path: dataFolder, reason, isSecret: false });
  }
  return files;
}

/** A file of public keys may be read by everyone. */
function isPublicKey(path: string): boolean {
  // Nothing but a regular file is read here: a pipe could be read only once.
  if (statOf(path)?.isFile() !== true) return false;
  try {
    return readFileSync(path, 'utf8').includes('-----BEGIN');
  } catch {
    return false;
  }
}

/** Undefined if the file is missing or out of reach, which is reported elsewhere. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
