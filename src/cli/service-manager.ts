// What systemd expects of a service: a notice that the node is ready, and the priority of each log
// line. Node has no Unix datagram sockets, so systemd's own program sends the notice; the unit needs
// NotifyAccess=all. Sources: sd_notify(3), sd-daemon(3), systemd.exec(5).

import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import type { Logger, LogLevel } from '../shared/logger.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The priorities of syslog, as the journal reads them at the beginning of a line. */
export const JOURNAL_PREFIX: Readonly<Record<LogLevel, string>> = {
  debug: '<7>',
  info: '<6>',
  warn: '<4>',
  error: '<3>',
};

/** Notifies the service manager, if there is one, that the node serves clients. Logs a failure. */
export function notifyReady(environment: Environment, log: Logger): void {
  if (environment.NOTIFY_SOCKET === undefined) return;
  const fail = (reason: string): void =>
    log.warn('the service manager does not know that the node is ready', {
      reason,
      hint: 'systemd-notify must be installed, and the unit needs NotifyAccess=all',
    });
  const child = spawn('systemd-notify', ['--ready'], {
    env: { PATH: environment.PATH, NOTIFY_SOCKET: environment.NOTIFY_SOCKET },
    stdio: 'ignore',
  });
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code) => {
    if (code !== 0) fail(`systemd-notify ended with ${code}`);
  });
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
