// What systemd expects of a service: notices that the node is ready, that its event loop runs, and how
// the site is; and the priority of each log line. Node has no Unix datagram sockets, so systemd's own
// program sends the notices; the unit needs NotifyAccess=all.
// Invariant: notices come from the event loop, one at a time. A hung loop sends none, and systemd
// restarts the node. Sources: sd_notify(3), sd_watchdog_enabled(3), sd-daemon(3), systemd.exec(5).

import { type ChildProcess, spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Logger, LogLevel } from '../shared/logger.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** From one status to the next where there is no watchdog. */
const STATUS_MS = 60_000;
const FAULT = 'systemd-notify';

/** The priorities of syslog, as the journal reads them at the beginning of a line. */
export const JOURNAL_PREFIX: Readonly<Record<LogLevel, string>> = {
  debug: '<7>',
  info: '<6>',
  warn: '<4>',
  error: '<3>',
};

export interface ServiceNoticesOptions {
  readonly environment: Environment;
  readonly log: Logger;
  /** One sentence on how the site is, for `systemctl status`. */
  readonly status: () => string;
}

/** Notices to the service manager. Without one, nothing happens. */
export class ServiceNotices {
  readonly #options: ServiceNoticesOptions;
  readonly #watchdogMs: number | undefined;
  readonly #faults = new OngoingFaults();
  #child: ChildProcess | undefined;
  #lastStatus = '';

  constructor(options: ServiceNoticesOptions) {
    this.#options = options;
    this.#watchdogMs = watchdogMs(options.environment);
  }

  /** The node serves clients. From now on its event loop keeps systemd's watchdog quiet. */
  ready(): void {
    if (this.#options.environment.NOTIFY_SOCKET === undefined) return;
    this.#send(['READY=1', this.#status()]);
    // Twice as often as systemd expects it, as sd_watchdog_enabled(3) advises.
    const intervalMs = this.#watchdogMs === undefined ? STATUS_MS : this.#watchdogMs / 2;
    setInterval(() => this.#repeat(), intervalMs).unref();
  }

  #repeat(): void {
    const before = this.#lastStatus;
    const status = this.#status();
    if (this.#watchdogMs !== undefined) this.#send(['WATCHDOG=1', status]);
    else if (status !== before) this.#send([status]);
  }

  #status(): string {
    this.#lastStatus = `STATUS=${this.#options.status().replaceAll('\n', ' ')}`;
    return this.#lastStatus;
  }

  #send(assignments: readonly string[]): void {
    // Notices that systemd does not take in time must not pile up.
    if (this.#child !== undefined) return;
    const { PATH, NOTIFY_SOCKET } = this.#options.environment;
    const child = spawn('systemd-notify', assignments, {
      env: { PATH, NOTIFY_SOCKET },
      stdio: 'ignore',
    });
    this.#child = child;
    const end = (reason: string | undefined): void => {
      this.#child = undefined;
      this.#report(reason);
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code) => end(code === 0 ? undefined : `systemd-notify ended with ${code}`));
  }

  /** @param reason undefined: the notice has been taken */
  #report(reason: string | undefined): void {
    const { log } = this.#options;
    const now = performance.now();
    if (reason === undefined) {
      const lastedMs = this.#faults.resolve(FAULT, now);
      if (lastedMs !== undefined) log.info('the service manager hears the node', { lastedMs });
      return;
    }
    if (!this.#faults.report(FAULT, now)) return;
    log.warn('the service manager does not know that the node is ready', {
      reason,
      hint: 'systemd-notify must be installed, and the unit needs NotifyAccess=all',
    });
  }
}

/** How often systemd expects a notice; undefined without a watchdog for this process. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: Environment): number | undefined {
  const microseconds = Number(WATCHDOG_USEC);
  if (!Number.isInteger(microseconds) || microseconds <= 0) return undefined;
  const isForUs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid);
  return isForUs ? microseconds / 1000 : undefined;
}

/**
 * Whether the journal reads this output. systemd sets JOURNAL_STREAM to its device and inode; a
 * program may have redirected the output since.
 */
export function isJournal(environment: Environment, descriptor: number): boolean {
  if (environment.JOURNAL_STREAM === undefined) return false;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return environment.JOURNAL_STREAM === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
