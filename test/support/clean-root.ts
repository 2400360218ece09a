// A throw-away copy of this machine: an overlay on its root, in namespaces of its own for mounts, processes
// and the network, so that a test may install packages, add users and open the default ports. Needs
// root and Linux. Invariant: nothing that runs or is written inside survives close().

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { missingPrograms } from './programs.ts';
import { WatchedProcess } from './watched-process.ts';

/** The folder of the test, inside. */
export const SHARED = '/mnt/shared';
/** The folder of the Node that runs the tests, inside. */
const NODE_FOLDER = '/mnt/node';
export const NODE_INSIDE = `${NODE_FOLDER}/node`;

/** Mounts the overlay on a tmpfs, since an upper layer can't be on another overlay; then waits. */
const MAKE_ROOT = `set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mkdir -p "$1/root${SHARED}" "$1/root${NODE_FOLDER}"
mount --bind "$2" "$1/root${SHARED}"
mount --bind "$3" "$1/root${NODE_FOLDER}"
mount --rbind /dev "$1/root/dev"
mount -t proc none "$1/root/proc"
mount -t tmpfs none "$1/root/run"
mount -t tmpfs none "$1/root/tmp"
chmod 1777 "$1/root/tmp"
ip link set lo up
echo ready
exec sleep infinity`;

const READY_MS_MAX = 60_000;
const NAMESPACES = ['--mount', '--net', '--pid', '--uts', '--ipc'];

export function missingForCleanRoot(...programs: readonly string[]): string | false {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return missingPrograms('unshare', 'nsenter', 'ip', 'runuser', ...programs);
}

export class CleanRoot {
  /** What the test shares with the inside, at SHARED. */
  readonly folder: string;
  readonly #place: string;
  readonly #holder: WatchedProcess;

  private constructor() {
    this.#place = mkdtempSync(join(tmpdir(), 'shoal-root-'));
    this.folder = mkdtempSync(join(tmpdir(), 'shoal-shared-'));
    chmodSync(this.folder, 0o755);
    const mounts = [this.#place, this.folder, dirname(process.execPath)];
    this.#holder = new WatchedProcess([
      ...['unshare', ...NAMESPACES, '--fork', '--kill-child', '--propagation=private'],
      ...['sh', '-c', MAKE_ROOT, 'sh', ...mounts],
    ]);
  }

  static async create(): Promise<CleanRoot> {
    const root = new CleanRoot();
    await root.#holder.waitFor(/^ready$/, READY_MS_MAX);
    return root;
  }

  /** Runs a command of the shell as root to its end. @returns what it printed @throws if it failed */
  run(command: string): string {
    const [program = '', ...words] = this.#enter(command);
    const { status, stdout, stderr } = spawnSync(program, words, {
      encoding: 'utf8',
      env: environment,
    });
    if (status !== 0) throw new Error(`${command}: exit code ${status}\n${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  }

  /** Starts a command of the shell as root; it ends with this root at the latest. */
  start(command: string): WatchedProcess {
    return new WatchedProcess(this.#enter(`exec ${command}`), { env: environment });
  }

  async close(): Promise<void> {
    await this.#holder.kill();
    for (const folder of [this.#place, this.folder]) rmSync(folder, { recursive: true });
  }

  #enter(command: string): string[] {
    // The holder is unshare; the first process of the namespaces is its child.
    const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', `${this.#holder.pid}`], {
      encoding: 'utf8',
    });
    const inside = ['chroot', `${this.#place}/root`, 'sh', '-c', command];
    return ['nsenter', '--target', stdout.trim(), ...NAMESPACES, ...inside];
  }
}

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  DEBIAN_FRONTEND: 'noninteractive',
};
