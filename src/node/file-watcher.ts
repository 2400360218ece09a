// Notices that files of the configuration have changed: by the folders that hold them, as editors and
// certificate tools rename a new file over the old one and Kubernetes swaps a symbolic link, and by looking
// every few seconds, for file systems that report nothing. Knows nothing of what is in them.
// Invariants: a file is compared by what its path leads to now (device, inode, size, times); a change
// is reported once, when the files have been at rest for a moment.

import { type BigIntStats, type FSWatcher, statSync, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const POLL_MS = 5_000;
/** A certificate and its key are two files, and a file may be written in pieces. */
const REST_MS = 1_000;

const MISSING = 'missing';

export interface FileWatcherOptions {
  readonly pollMs?: number;
  readonly restMs?: number;
  /** Files have changed, and have been at rest for a moment. Calls take() to learn which. */
  readonly onChange: () => void;
}

export class FileWatcher {
  readonly #options: FileWatcherOptions;
  readonly #restMs: number;
  /** What each file was when its contents were last taken over. */
  #known: Map<string, string>;
  readonly #folders = new Map<string, FSWatcher | undefined>();
  /** What differed at the last look. */
  #lastSeen = '';
  readonly #poll: NodeJS.Timeout;
  #restTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Call it before the files are read, so that no change is missed. */
  constructor(paths: readonly string[], options: FileWatcherOptions) {
    this.#options = options;
    this.#known = new Map(paths.map((path) => [path, signatureNow(path)]));
    this.#watchFolders(new Set(paths.map((path) => dirname(path))));
    this.#restMs = options.restMs ?? REST_MS;
    this.#poll = setInterval(() => void this.#look(), options.pollMs ?? POLL_MS);
    this.#poll.unref();
  }

  /**
   * The files are about to be read: what they are now is what is known from here on.
   * @param paths the files to watch from now on
   * @returns those that have changed since the last call; a path that was not watched has not
   */
  async take(paths: readonly string[]): Promise<string[]> {
    const before = this.#known;
    const now = await signaturesOf(paths);
    this.#known = now;
    this.#watchFolders(new Set(paths.map((path) => dirname(path))));
    return paths.filter((path) => before.has(path) && before.get(path) !== now.get(path));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#restTimer);
    this.#watchFolders(new Set());
  }

  async #look(): Promise<void> {
    const seen = await signaturesOf([...this.#known.keys()]);
    if (this.#isClosed) return;
    const changed = [...seen].filter(([path, signature]) => this.#known.get(path) !== signature);
    const text = changed.join('\n');
    if (text === '') {
      this.#lastSeen = '';
    } else if (text === this.#lastSeen) {
      this.#lastSeen = '';
      this.#options.onChange();
    } else {
      this.#lastSeen = text;
      this.#lookAtRest();
    }
  }

  /** Looks once nothing has happened for a moment. */
  #lookAtRest(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => void this.#look(), this.#restMs);
    this.#restTimer.unref();
  }

  #watchFolders(wanted: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.#folders) {
      if (wanted.has(folder)) continue;
      watcher?.close();
      this.#folders.delete(folder);
    }
    for (const folder of wanted) {
      if (!this.#folders.has(folder)) this.#folders.set(folder, this.#watchFolder(folder));
    }
  }

  /** @returns undefined where the system can't watch it: then the files are looked at every few seconds */
  #watchFolder(folder: string): FSWatcher | undefined {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookAtRest());
      watcher.on('error', () => {
        watcher.close();
        this.#folders.delete(folder);
      });
      return watcher;
    } catch {
      return undefined;
    }
  }
}

async function signaturesOf(paths: readonly string[]): Promise<Map<string, string>> {
  const signatures = await Promise.all(paths.map(signatureOf));
  return new Map(paths.map((path, index) => [path, signatures[index] ?? MISSING]));
}

async function signatureOf(path: string): Promise<string> {
  try {
    return describe(await stat(path, { bigint: true }));
  } catch {
    return MISSING;
  }
}

function signatureNow(path: string): string {
  try {
    return describe(statSync(path, { bigint: true }));
  } catch {
    return MISSING;
  }
}

/** The change time as well: it moves with the rights, which may make a file readable. */
function describe({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
