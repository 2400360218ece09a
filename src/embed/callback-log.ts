// The log of an embedded node: passes each line to the program's callback, from the level on that the
// program has asked for, with the names of options that a program uses. A callback that throws loses its line, never the event that it was about.

import type { LogFields, Logger, LogLevel } from '../shared/logger.ts';
import type * as api from './api.ts';
import type { CallGuard } from './call-guard.ts';
import { inOptionNames } from './option-names.ts';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export function callbackLog(
  callback: api.LogCallback | undefined,
  level: LogLevel,
  guard: CallGuard,
): Logger {
  const least = LEVELS.indexOf(level);
  const write =
    (at: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (callback === undefined || LEVELS.indexOf(at) < least) return;
      const { hint, ...others } = fields;
      const words = typeof hint === 'string' ? { hint: inOptionNames(hint) } : {};
      const shown = withoutUndefined({ ...others, ...words });
      const line = { time: new Date(), level: at, event: inOptionNames(event), fields: shown };
      try {
        guard.within(() => callback(line));
      } catch {
        // The program's own fault; there is no other place to report it.
      }
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function withoutUndefined(fields: LogFields): api.LogLine['fields'] {
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as api.LogLine['fields'];
}
