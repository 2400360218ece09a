// The metrics in the text format of Prometheus. Pure: definitions and values in, text out.
// Source: prometheus.io, "Exposition formats", text format 0.0.4.

import type { HistogramValue } from './histogram.ts';
import type { Metric, MetricValue, Series } from './metric.ts';

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A text that changes all the time would be a new series each time. */
const SENTENCES: ReadonlySet<string> = new Set(['shoal_verdict_info', 'shoal_member_since_info']);

/** @param values each metric once */
export function prometheusText(
  values: Iterable<readonly [id: string, Metric, MetricValue]>,
): string {
  const lines: string[] = [];
  for (const [id, metric, value] of values) {
    const { name, kind, help } = metric;
    if (SENTENCES.has(name)) continue;
    const series = seriesOf(id, metric, value);
    if (series.length === 0) continue;
    lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\')}`);
    lines.push(`# TYPE ${name} ${kind === 'info' ? 'gauge' : kind}`, ...series);
  }
  return `${lines.join('\n')}\n`;
}

function seriesOf(id: string, { name, kind }: Metric, value: MetricValue): string[] {
  if (typeof value === 'number') return [`${name} ${value}`];
  if (typeof value === 'string') return [`${name}${labelsText({ [labelOf(id)]: value })} 1`];
  if (!isList(value)) return bucketsOf(name, {}, value);
  return value.flatMap(({ labels, value: one }: Series) => {
    if (typeof one === 'object') return bucketsOf(name, labels, one);
    if (typeof one === 'number') return [`${name}${labelsText(labels)} ${one}`];
    return kind === 'info' ? [`${name}${labelsText({ ...labels, [labelOf(id)]: one })} 1`] : [];
  });
}

function isList(value: HistogramValue | readonly Series[]): value is readonly Series[] {
  return Array.isArray(value);
}

function bucketsOf(
  name: string,
  labels: Labels,
  { bounds, counts, sum }: HistogramValue,
): string[] {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    const le = bounds[index] === undefined ? '+Inf' : String(bounds[index]);
    return `${name}_bucket${labelsText({ ...labels, le })} ${total}`;
  });
  const text = labelsText(labels);
  return [...buckets, `${name}_sum${text} ${sum}`, `${name}_count${text} ${total}`];
}

type Labels = Readonly<Record<string, string>>;

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => {
    const escaped = value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
    return `${label}="${escaped}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** The label that holds the text of an info: its id in the list, as `member_state`. */
function labelOf(id: string): string {
  return id.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
