// What a metric is, and the type of the values that a part of the node supplies for a group of
// metrics. Holds no metric and no value. Source of the naming rules: prometheus.io, "Metric and
// label naming".

import type { HistogramValue } from './histogram.ts';

/**
 * A counter only rises and begins at 0 with the process; a gauge is a value of now; an info is a text; a
 * histogram counts observations by size, and has no $SYS topic.
 */
export type MetricKind = 'counter' | 'gauge' | 'info' | 'histogram';

/** Base units only: no milliseconds, no kilobytes. `none` is a plain number of things. */
export type MetricUnit = 'none' | 'bytes' | 'seconds';

export interface Metric<Kind extends MetricKind = MetricKind, Label extends string = string> {
  /** For Prometheus: `shoal_` first, the unit behind, `_total` at the end of a counter. */
  readonly name: string;
  readonly kind: Kind;
  readonly unit: MetricUnit;
  /** One sentence fragment, as a page and a Prometheus HELP line show it. */
  readonly help: string;
  readonly labels: readonly Label[];
  /** Topics below `$SYS/broker/`; `{label}` is replaced by the label's value. */
  readonly sysTopics: readonly string[];
  /** What follows the number in the $SYS payload, as mosquitto has it. */
  readonly sysSuffix: string;
  /** Name below `$SYS/broker/load/` where the rate per minute is published, averaged. */
  readonly load: string | undefined;
}

interface MetricDetails<Label extends string> {
  readonly sys?: string | readonly string[];
  readonly sysSuffix?: string;
  readonly unit?: MetricUnit;
  readonly labels?: readonly Label[];
  readonly load?: string;
}

/** A value of a metric that has labels. */
export interface LabelledValue<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}

/** One series of any metric that has labels. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string | number | HistogramValue;
}

/** A value of any metric. */
export type MetricValue = string | number | HistogramValue | readonly Series[];

type Single<Kind extends MetricKind> = Kind extends 'info'
  ? string
  : Kind extends 'histogram'
    ? HistogramValue
    : number;

/** The value that a metric of this definition takes. */
type ValueOf<M> =
  M extends Metric<infer Kind, infer Label>
    ? [Label] extends [never]
      ? Single<Kind>
      : readonly {
          readonly labels: Readonly<Record<Label, string>>;
          readonly value: Single<Kind>;
        }[]
    : never;

/** One value for each metric of a group; a missing or misspelt id does not compile. */
export type MetricValues<Group> = { readonly [Id in keyof Group]: ValueOf<Group[Id]> };

/** @param name without the `shoal_` in front and the `_total` behind */
export function counter<Label extends string = never>(
  name: string,
  help: string,
  details: MetricDetails<Label> = {},
): Metric<'counter', Label> {
  return define('counter', `${name}_total`, help, details);
}

/** @param name without the `shoal_` in front */
export function gauge<Label extends string = never>(
  name: string,
  help: string,
  details: MetricDetails<Label> = {},
): Metric<'gauge', Label> {
  return define('gauge', name, help, details);
}

/** @param name without the `shoal_` in front and the `_info` behind */
export function info<Label extends string = never>(
  name: string,
  help: string,
  sys: string,
  labels: readonly Label[] = [],
): Metric<'info', Label> {
  return define('info', `${name}_info`, help, { sys, labels });
}

/**
 * @param name without the `shoal_` in front; its unit is seconds
 * @param labels of each series
 */
export function histogram<Label extends string = never>(
  name: string,
  help: string,
  labels: readonly Label[] = [],
): Metric<'histogram', Label> {
  return define('histogram', `${name}_seconds`, help, { unit: 'seconds', labels });
}

function define<Kind extends MetricKind, Label extends string>(
  kind: Kind,
  name: string,
  help: string,
  details: MetricDetails<Label>,
): Metric<Kind, Label> {
  const { sys = [], sysSuffix = '', unit = 'none', labels = [], load } = details;
  const sysTopics = typeof sys === 'string' ? [sys] : sys;
  return { name: `shoal_${name}`, kind, unit, help, labels, sysTopics, sysSuffix, load };
}

/** What one $SYS topic shows now; `topic` is below `$SYS/broker/`. */
export interface SysValue {
  readonly topic: string;
  readonly text: string;
}

/** The $SYS topics of one metric, each with its text. @param value of the type that ValueOf gives */
export function sysValuesOf(metric: Metric, value: MetricValue): SysValue[] {
  if (metric.kind === 'histogram') return [];
  if (Array.isArray(value)) {
    return value.flatMap((one: Series) =>
      metric.sysTopics.map((template) => ({
        topic: template.replace(/\{(\w+)\}/g, (_, label: string) => topicLevel(one.labels[label])),
        text: `${one.value}${metric.sysSuffix}`,
      })),
    );
  }
  return metric.sysTopics.map((topic) => ({ topic, text: `${value}${metric.sysSuffix}` }));
}

/** A label's value as one topic level: a node name may hold characters that a level may not. */
function topicLevel(value = ''): string {
  return value.replace(/[/+#\0]/g, '_');
}
