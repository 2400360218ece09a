// Calls the hooks of a program: none of them may break the core, keep it waiting or answer nonsense.
// What fails counts as a refusal, is counted, and has a line in the log when it begins and when it is over.

import { performance } from 'node:perf_hooks';
import type { Logger } from '../shared/logger.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';
import type * as api from './api.ts';
import type { CallGuard } from './call-guard.ts';

export type HookName = keyof api.Hooks;

/** The answer of a hook, or why there is none. */
export type Answer<T> =
  | { readonly value: T; readonly fault?: undefined }
  | { readonly fault: string };

export interface HookRunnerParts {
  readonly guard: CallGuard;
  readonly log: Logger;
  /** Longest time that an answer may take, milliseconds. */
  readonly timeoutMs: number;
}

export class HookRunner {
  /** Since the start. */
  faults = 0;
  readonly #parts: HookRunnerParts;
  readonly #ongoing = new OngoingFaults();

  constructor(parts: HookRunnerParts) {
    this.#parts = parts;
  }

  /**
   * Calls a hook that has to answer at once.
   * @param read makes the value of the answer, or undefined of one that is no answer
   */
  callNow<T>(
    name: HookName,
    call: () => unknown,
    read: (answer: unknown) => T | undefined,
  ): Answer<T> {
    try {
      const answer = this.#parts.guard.within(call);
      if (!isThenable(answer)) return this.#read(name, answer, read);
      Promise.resolve(answer).catch(() => undefined);
      return this.#failed(name, 'the hook returned a promise, and has to answer at once');
    } catch (error) {
      return this.#failed(name, reasonOf(error));
    }
  }

  /** Calls a hook that may answer later. The promise resolves in any case. */
  call<T>(
    name: HookName,
    call: () => unknown,
    read: (answer: unknown) => T | undefined,
  ): Answer<T> | Promise<Answer<T>> {
    try {
      const answer = this.#parts.guard.within(call);
      if (!isThenable(answer)) return this.#read(name, answer, read);
      return this.#inTime(name, Promise.resolve(answer), read);
    } catch (error) {
      return this.#failed(name, reasonOf(error));
    }
  }

  /** Calls a hook that only learns of something. */
  notify(name: HookName, call: () => unknown): void {
    try {
      const answer = call();
      if (isThenable(answer)) {
        Promise.resolve(answer).catch((error: unknown) => this.#failed(name, reasonOf(error)));
      }
    } catch (error) {
      this.#failed(name, reasonOf(error));
    }
  }

  #inTime<T>(
    name: HookName,
    answer: Promise<unknown>,
    read: (answer: unknown) => T | undefined,
  ): Promise<Answer<T>> {
    const { timeoutMs } = this.#parts;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(this.#failed(name, `no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      const settle = (result: () => Answer<T>): void => {
        clearTimeout(timer);
        resolve(result());
      };
      answer.then(
        (value) => settle(() => this.#read(name, value, read)),
        (error: unknown) => settle(() => this.#failed(name, reasonOf(error))),
      );
    });
  }

  #read<T>(name: HookName, answer: unknown, read: (answer: unknown) => T | undefined): Answer<T> {
    const value = read(answer);
    if (value === undefined) return this.#failed(name, `wrong answer: ${typeof answer}`);
    const lastedMs =
      this.#ongoing.size === 0 ? undefined : this.#ongoing.resolve(name, performance.now());
    if (lastedMs !== undefined)
      this.#parts.log.info('hook answers again', { hook: name, lastedMs });
    return { value };
  }

  #failed(name: HookName, reason: string): { readonly fault: string } {
    this.faults += 1;
    if (this.#ongoing.report(name, performance.now())) {
      this.#parts.log.warn('hook failed', { hook: name, reason, count: this.faults });
    }
    return { fault: reason };
  }
}

/** For hooks that answer yes or no. */
export function readBoolean(answer: unknown): boolean | undefined {
  return typeof answer === 'boolean' ? answer : undefined;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function';
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
