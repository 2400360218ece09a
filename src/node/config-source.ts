// The port between the node and the program that has read its configuration: where values come from, and how a
// request changes one while the node runs. src/cli/reloader.ts implements it over flags, variables and files.

import type { LoadedConfig } from '../config/load.ts';
import type { DoctorContext } from '../doctor/context.ts';
import type { OptionSet } from '../http/node-api.ts';

/** The request can't be met, and nothing has changed. The message is one sentence without its full stop. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

export interface ConfigSource {
  /** Where each option comes from now. */
  origins(): LoadedConfig['origins'];
  /** For the doctor; read anew each time. */
  warnings(): DoctorContext['warnings'];
  /**
   * @param option without its dash
   * Rejects with SettingError.
   */
  set(option: string, value: string): Promise<OptionSet>;
  /** Why replaceTokens() would fail, as the end of a sentence about this node; undefined: it would not. */
  tokensObstacle(): Promise<string | undefined>;
  /**
   * Writes the cluster tokens into the file that has them and uses them: the first one signs, all are accepted.
   * Rejects with SettingError.
   */
  replaceTokens(tokens: readonly string[]): Promise<void>;
}

/** Of a node that is part of another program, which has its options. */
export function fixedSource({ origins, warnings }: LoadedConfig): ConfigSource {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new SettingError('this node has its options from the program that it is part of'),
    );
  return {
    origins: () => origins,
    warnings: () => ({ configuration: warnings, exposure: [] }),
    set: refuse,
    tokensObstacle: async () => 'has its token from the program that it is part of',
    replaceTokens: refuse,
  };
}
