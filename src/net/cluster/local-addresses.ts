// The addresses of this machine's interfaces. Invariant: has() never throws. The system may refuse to
// list them, when the process has no file descriptor left; then the last list is used.

import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import { getSystemErrorName } from 'node:util';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { isUnspecified } from '../../shared/endpoint.ts';
import { normalAddress } from '../../shared/ip-address.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';

/** Listing them costs some system calls; seeds ask often. */
const REFRESH_MS = 1000;

export class LocalAddresses {
  readonly #log: Logger;
  readonly #list: () => readonly string[];
  readonly #limiter = new LogLimiter();
  #addresses: ReadonlySet<string> = new Set();
  #refreshAt = Number.NEGATIVE_INFINITY;
  #failures = 0;

  /** @param list in place of the system's list, for tests */
  constructor(log: Logger, list: () => readonly string[] = systemList) {
    this.#log = log;
    this.#list = list;
  }

  /** How often the system refused to list the addresses. */
  get failures(): number {
    return this.#failures;
  }

  /** @param address in the form of normalAddress() */
  has(address: string): boolean {
    const now = performance.now();
    if (now >= this.#refreshAt) {
      this.#refreshAt = now + REFRESH_MS;
      this.#refresh(now);
    }
    return this.#addresses.has(address);
  }

  /** Whether a socket with this -bind receives datagrams to the address. */
  isBound(address: string, bind: string | undefined): boolean {
    const bound = specificAddress(bind);
    return bound === undefined ? this.has(address) : normalAddress(bound) === address;
  }

  #refresh(now: number): void {
    try {
      this.#addresses = new Set(this.#list());
    } catch (error) {
      this.#failures += 1;
      const event = 'the addresses of this machine cannot be listed';
      if (this.#limiter.admit(event, now) === 0) return;
      this.#log.warn(event, { reason: describeSystemError(withCode(error), 'network') });
    }
  }
}

interface SystemError extends Error {
  readonly info?: { readonly errno?: number };
}

/** Node throws this error with the number of the system, positive, and without its name. */
function withCode(error: unknown): unknown {
  const { errno } = (error as SystemError).info ?? {};
  if (errno === undefined || errno === 0) return error;
  return Object.assign(new Error(String(error)), { code: getSystemErrorName(-Math.abs(errno)) });
}

function systemList(): string[] {
  return Object.values(networkInterfaces()).flatMap(
    (all) => all?.map(({ address }) => normalAddress(address) ?? address) ?? [],
  );
}

/** @returns undefined for `0.0.0.0` and `::`, which are no address of a particular machine */
export function specificAddress(bind: string | undefined): string | undefined {
  return bind === undefined || isUnspecified(bind) ? undefined : bind;
}
