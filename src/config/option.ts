// The type of one row of the option table, and of the value that a row yields. The rows are in
// options-*.ts. The parser, the environment, the file, the help, `config show` and the reference
// page all read the same rows, so a new row is a new option everywhere.

import type { TimingPreset } from '../swim/timing.ts';
import type { ValueType } from './value-types.ts';

/** The keys of a [[bridge]] have no flags, so that the help does not list their group. */
export type Group =
  | 'Node'
  | 'Cluster'
  | 'Listeners'
  | 'Access'
  | 'MQTT'
  | 'Limits'
  | 'Management'
  | 'Log'
  | 'Bridge';
export const groups: readonly Group[] = [
  'Node',
  'Cluster',
  'Listeners',
  'Access',
  'MQTT',
  'Limits',
  'Management',
  'Log',
];

/** The facts that a default may depend on. */
export interface DefaultContext {
  readonly hostName: string;
  /** What this program may use, bytes. */
  readonly memoryBytes: number;
  readonly profile: TimingPreset;
  /** Whether the file has [[listener]] tables. */
  readonly hasListenerTables: boolean;
}

export interface Option<T, D extends T | undefined = T | undefined> {
  /** The one name: flag `-queue-length`, environment SHOAL_QUEUE_LENGTH, file key queue-length. */
  readonly flag: string;
  readonly group: Group;
  readonly type: ValueType<T>;
  readonly fallback: D | ((context: DefaultContext) => D);
  /** The default in words, where its value alone says too little. */
  readonly fallbackText?: string;
  /** One sentence without the full stop. */
  readonly help: string;
  /** Applied on SIGHUP; a change of any other option needs a restart. */
  readonly reload?: true;
}

// biome-ignore lint/suspicious/noExplicitAny: a table holds rows of every type
export type AnyOption = Option<any, any>;

export type ValueOf<O> =
  O extends Option<infer T, infer D> ? T | (undefined extends D ? undefined : never) : never;

/** The text that the user wrote for an option or for a listener's key. */
export interface RawText {
  readonly text: string;
  /** Relative paths count from there: the folder of the file with this text; else the working folder. */
  readonly folder?: string;
}

/** @returns the value, with absolute paths; undefined if the text is not a value of the row's type */
export function readValue({ type }: AnyOption, { text, folder = process.cwd() }: RawText): unknown {
  const value: unknown = type.parse(text);
  return value === undefined ? undefined : (type.inFolder?.(value, folder) ?? value);
}

/** The identity; it exists so that TypeScript infers T and D for each row. */
export function option<T, const D extends T | undefined>(row: Option<T, D>): Option<T, D> {
  return row;
}

export function environmentName(flag: string): string {
  return `SHOAL_${flag.toUpperCase().replaceAll('-', '_')}`;
}
