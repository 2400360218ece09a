// One row of the option table, and how a row's type becomes the type of its value. The rows stand
// in options-*.ts; parser, environment, file, help, `config show` and the reference page all read
// them, so an option exists everywhere as soon as its row does.

import type { TimingPreset } from '../swim/timing.ts';
import type { ValueType } from './value-types.ts';

export const groups = ['Node', 'Cluster', 'Listeners', 'Access', 'MQTT', 'Limits', 'Log'] as const;
export type Group = (typeof groups)[number];

/** What a default may depend on. */
export interface DefaultContext {
  readonly hostName: string;
  readonly profile: TimingPreset;
  /** The file has [[listener]] tables. */
  readonly hasListenerTables: boolean;
}

export interface Option<T, D extends T | undefined = T | undefined> {
  /** The one name: flag `-queue-length`, environment SHOAL_QUEUE_LENGTH, file key queue-length. */
  readonly flag: string;
  readonly group: Group;
  readonly type: ValueType<T>;
  readonly fallback: D | ((facts: DefaultContext) => D);
  /** The default in words, where the value alone would not tell it. */
  readonly fallbackText?: string;
  /** One sentence without a full stop at its end. */
  readonly help: string;
  /** Taken over on SIGHUP; all others need a restart. */
  readonly reload?: true;
}

// biome-ignore lint/suspicious/noExplicitAny: a table holds rows of every type
export type AnyOption = Option<any, any>;

export type ValueOf<O> =
  O extends Option<infer T, infer D> ? T | (undefined extends D ? undefined : never) : never;

/** What the user has written of an option or of a listener's key. */
export interface RawText {
  readonly text: string;
  /** Of the file that it stands in: relative paths count from there. */
  readonly folder?: string;
}

/** @returns undefined where the text is no such value */
export function readValue({ type }: AnyOption, { text, folder }: RawText): unknown {
  const value: unknown = type.parse(text);
  if (value === undefined || folder === undefined) return value;
  return type.inFolder?.(value, folder) ?? value;
}

/** Only there so that T and D are inferred for each row. */
export function option<T, const D extends T | undefined>(row: Option<T, D>): Option<T, D> {
  return row;
}

export function environmentName(flag: string): string {
  return `SHOAL_${flag.toUpperCase().replaceAll('-', '_')}`;
}
