// The page of a run: each rule with its verdict, and a timeline of the faults with the messages that broke
// a rule. One HTML file without scripts.

import type { Verdict } from './checker.ts';
import { type ChaosEvent, type EventOf, eventsOf } from './history.ts';

const WIDTH = 1000;
const ROW = 22;

export function page(
  events: readonly ChaosEvent[],
  verdicts: readonly Verdict[],
  title: string,
): string {
  const endAt = events.at(-1)?.at ?? 1;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Shoal under torment: ${title}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
td { padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; }
.broken { color: #b00020; font-weight: 600; }
svg text { font-size: 11px; }
</style>
<h1>Shoal under torment: ${title}</h1>
<p>${counted(events, 'publish')} messages published, ${counted(events, 'acknowledged')} acknowledged,
${counted(events, 'delivery')} delivered, in ${Math.round(endAt / 1000)} s with ${faultsOf(events).length} faults.</p>
<table>${verdicts.map(row).join('\n')}</table>
<h2>Faults</h2>
${timeline(faultsOf(events), endAt)}
`;
}

function row({ rule, looked, violations }: Verdict): string {
  const verdict =
    violations.length === 0
      ? 'holds'
      : `<span class="broken">broken ${violations.length} times</span>`;
  const list = violations
    .slice(0, 20)
    .map((one) => `<br>${escaped(one.text)}`)
    .join('');
  return `<tr><td>${verdict}</td><td>${escaped(rule)}${list}</td><td>${looked}</td></tr>`;
}

interface Span {
  readonly what: string;
  readonly target: string;
  readonly from: number;
  to: number;
}

function faultsOf(events: readonly ChaosEvent[]): Span[] {
  const spans: Span[] = [];
  for (const { what, target, phase, at } of eventsOf(events, 'fault')) {
    const open = spans.find((span) => span.what === what && span.target === target && span.to < 0);
    if (phase === 'begin') spans.push({ what, target, from: at, to: -1 });
    else if (open !== undefined) open.to = at;
  }
  return spans;
}

function timeline(spans: readonly Span[], endAt: number): string {
  const rows = [...new Set(spans.map(({ what }) => what))];
  const x = (at: number): number => 200 + (at / endAt) * (WIDTH - 200);
  const bars = spans.map(({ what, target, from, to }) => {
    const y = rows.indexOf(what) * ROW;
    const width = Math.max(2, x(to < 0 ? endAt : to) - x(from));
    return `<rect x="${x(from)}" y="${y + 3}" width="${width}" height="${ROW - 6}" fill="#c2410c"><title>${escaped(`${what}: ${target}`)}</title></rect>`;
  });
  const names = rows.map((what, i) => `<text x="0" y="${i * ROW + 15}">${escaped(what)}</text>`);
  return `<svg viewBox="0 0 ${WIDTH} ${rows.length * ROW}" role="img" aria-label="When each fault began and ended">${names.join('')}${bars.join('')}</svg>`;
}

function counted(events: readonly ChaosEvent[], kind: EventOf<ChaosEvent['kind']>['kind']): number {
  return eventsOf(events, kind).length;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
