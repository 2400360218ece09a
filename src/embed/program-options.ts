// What a program may give besides settings: its log, its hooks. Checks them, and makes the parts of them
// that the broker calls.

import type { Authorizer, ClientEvents } from '../broker/ports.ts';
import type { Logger, LogLevel } from '../shared/logger.ts';
import type * as api from './api.ts';
import { CallGuard } from './call-guard.ts';
import { callbackLog } from './callback-log.ts';
import { ShoalError } from './errors.ts';
import { EventHooks } from './event-hooks.ts';
import { type HookName, HookRunner } from './hook-runner.ts';
import { HookedAuthorizer } from './hooked-authorizer.ts';

/** Options that are no rows of the option table. */
export const PROGRAM_OPTIONS: readonly string[] = ['log', 'hooks', 'hookTimeout'];

const HOOK_NAMES: readonly HookName[] = [
  'authenticate',
  'authorizePublish',
  'authorizeSubscribe',
  'authorizeReceive',
  'connected',
  'disconnected',
  'subscribed',
  'unsubscribed',
  'published',
];
const TIMEOUT_MS_DEFAULT = 5_000;
const TIMEOUT_MS_MAX = 600_000;

export interface ProgramParts {
  readonly guard: CallGuard;
  readonly log: Logger;
  readonly runner: HookRunner;
  /** Undefined without hooks. */
  readonly authorizer: ((own: Authorizer) => Authorizer) | undefined;
  readonly events: ClientEvents | undefined;
}

/** @throws ShoalError `INVALID_OPTIONS` */
export function programParts(options: api.ProgramOptions, logLevel: LogLevel): ProgramParts {
  const problems = problemsOf(options);
  if (problems.length > 0) throw new ShoalError('INVALID_OPTIONS', problems);
  const { hooks, hookTimeout: timeoutMs = TIMEOUT_MS_DEFAULT } = options;
  const guard = new CallGuard();
  const log = callbackLog(options.log, logLevel, guard);
  const runner = new HookRunner({ guard, log, timeoutMs });
  return {
    guard,
    log,
    runner,
    authorizer: hooks && ((own) => new HookedAuthorizer(own, hooks, runner)),
    events: hooks && new EventHooks(hooks, runner),
  };
}

function problemsOf({ log, hooks, hookTimeout }: api.ProgramOptions): string[] {
  const problems: string[] = [];
  if (log !== undefined && typeof log !== 'function') {
    problems.push('bad value for log: expected a function');
  }
  const isTime =
    hookTimeout === undefined ||
    (Number.isInteger(hookTimeout) && hookTimeout >= 1 && hookTimeout <= TIMEOUT_MS_MAX);
  if (!isTime) {
    const range = `a whole number of milliseconds from 1 to ${TIMEOUT_MS_MAX}`;
    problems.push(`bad value '${String(hookTimeout)}' for hookTimeout: expected ${range}`);
  }
  return hooks === undefined ? problems : [...problems, ...problemsOfHooks(hooks)];
}

function problemsOfHooks(hooks: unknown): string[] {
  if (hooks === null || typeof hooks !== 'object') {
    return ['bad value for hooks: expected an object with functions'];
  }
  const known: readonly string[] = HOOK_NAMES;
  const unknown = Object.keys(hooks).filter((name) => !known.includes(name));
  const wrong = HOOK_NAMES.filter((name) => {
    const hook = (hooks as Record<string, unknown>)[name];
    return hook !== undefined && typeof hook !== 'function';
  });
  return [
    ...unknown.map((name) => `unknown hook '${name}'; the hooks are ${known.join(', ')}`),
    ...wrong.map((name) => `bad value for hooks.${name}: expected a function`),
  ];
}
