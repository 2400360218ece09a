// The page of a run: the verdict, a timeline of faults, messages and waits, each rule, and the story of the
// first violations. One HTML file without scripts. Pure.

import type { Verdict } from '../checker.ts';
import { type ChaosEvent, eventsOf } from '../history.ts';
import { endOf, windowsOf } from '../rules/verdict.ts';
import { counted, escaped, seconds } from './markup.ts';
import { type LogLine, story } from './story.ts';
import { anchorOf, legend, timeline } from './timeline.ts';

const STORIES_MAX = 5;

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 78rem; padding: 0 1rem; color: #1c1917; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
table { border-collapse: collapse; width: 100%; } td { padding: 0.25rem 1rem 0.25rem 0; vertical-align: top; border-top: 1px solid #e7e5e4; }
td.figure { text-align: right; font-variant-numeric: tabular-nums; }
.banner { padding: 0.8rem 1rem; margin: 1rem 0; border-radius: 4px; font-size: 1.1rem; }
.banner.good { background: #dcfce7; } .banner.broken { background: #fee2e2; }
.good b { color: #166534; } .broken b, .bad { color: #b91c1c; } .bad, .mark { fill: #b91c1c; }
.faint { color: #78716c; fill: #78716c; }
.legend span { margin-right: 1.2rem; white-space: nowrap; } .legend i { display: inline-block; width: 0.8rem; height: 0.8rem; margin-right: 0.3rem; border-radius: 2px; vertical-align: -1px; }
i.got { background: #d6d3d1; } i.wait { background: #1c1917; }
.scroll { overflow-x: auto; } svg text { font-size: 11px; } svg .node { font-size: 14px; font-weight: 600; }
svg .label { fill: #fff; } svg .grid { stroke: #e7e5e4; } svg .quiet { stroke: #78716c; stroke-dasharray: 3 3; } svg path.got { fill: #d6d3d1; } svg .wait { fill: #1c1917; }
summary { cursor: pointer; padding: 0.2rem 0; } .story { font: 12px/1.5 ui-monospace, monospace; margin: 0.3rem 0 1rem; } .story td { padding: 0 1rem 0 0; border: 0; overflow-wrap: anywhere; }
.story td:first-child { white-space: nowrap; width: 5rem; } .story .fault { color: #c2410c; font-weight: 600; } .story .message { background: #fef9c3; } .story .log { color: #57534e; }
`;

export function page(
  events: readonly ChaosEvent[],
  verdicts: readonly Verdict[],
  log: readonly LogLine[],
  title: string,
): string {
  const broken = verdicts.filter(({ violations }) => violations.length > 0);
  const faults = windowsOf(events);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Chaos test: ${escaped(title)}</title>
<style>${STYLE}</style>
<h1>Chaos test of Shoal: ${escaped(title)}</h1>
${banner(verdicts, broken)}
<p>${counted(eventsOf(events, 'publish').length, 'message')} published,
${counted(eventsOf(events, 'acknowledged').length, 'message')} acknowledged,
${counted(eventsOf(events, 'delivery').length, 'delivery').replace('deliverys', 'deliveries')},
${counted(faults.length, 'fault')} in ${seconds(endOf(events))}.</p>
${timeline(events, verdicts)}
${legend()}
${broken.map((verdict) => violationsOf(verdict, events, log)).join('\n')}
<h2>Rules</h2>
<table>${verdicts.map(row).join('\n')}</table>
<h2>Options</h2>
<table>${optionChanges(events).join('\n')}</table>
<h2>Faults</h2>
<table>${faults.map(({ what, boxes, from, to }) => `<tr><td class="figure">${seconds(from)}</td><td>${escaped(what)}</td><td>${escaped(boxes.join(', '))}</td><td class="figure">${Number.isFinite(to) ? seconds(to - from) : 'not ended'}</td></tr>`).join('\n')}</table>
`;
}

function banner(verdicts: readonly Verdict[], broken: readonly Verdict[]): string {
  const unproven = verdicts.filter(({ looked }) => looked === 0).length;
  if (broken.length === 0 && unproven > 0) {
    const what = `${unproven} of ${verdicts.length} rules have looked at nothing`;
    return `<p class="banner broken"><b>${what}: the run proves too little.</b></p>`;
  }
  if (broken.length === 0) {
    return `<p class="banner good"><b>All ${verdicts.length} rules hold.</b></p>`;
  }
  const names = broken.map(({ rule, violations }) => {
    const first = violations[0]!;
    return `<li><a href="#${anchorOf(rule)}">${escaped(rule)}</a>: ${counted(violations.length, 'time')}, first at ${seconds(first.at)}: ${escaped(first.text)}</li>`;
  });
  return `<div class="banner broken"><b>${broken.length} of ${verdicts.length} rules broken</b><ul>${names.join('')}</ul></div>`;
}

function violationsOf(
  { rule, violations }: Verdict,
  events: readonly ChaosEvent[],
  log: readonly LogLine[],
): string {
  const stories = violations.slice(0, STORIES_MAX).map((one) => story(one, events, log));
  // The first one is open: most of the time it is the one to read.
  const [first = '', ...others] = stories;
  const left = violations.length - STORIES_MAX;
  const more = left > 0 ? `<p class="faint">and ${left} more</p>` : '';
  return `<h2 id="${anchorOf(rule)}" class="bad">${escaped(rule)}</h2>
${first.replace('<details>', '<details open>')}${others.join('\n')}${more}`;
}

/** Each start of a node with other options than before. */
function optionChanges(events: readonly ChaosEvent[]): string[] {
  const before = new Map<string, string>();
  return eventsOf(events, 'start').flatMap(({ at, node, hasData, flags }) => {
    const options = [...flags, hasData ? '-data' : 'no -data'].join(' ');
    if (before.get(node) === options) return [];
    before.set(node, options);
    return `<tr><td class="figure">${seconds(at)}</td><td>${escaped(node)}</td><td>${escaped(options)}</td></tr>`;
  });
}

function row({ rule, looked, violations, measured = '' }: Verdict): string {
  const isProven = violations.length === 0 && looked > 0;
  const verdict = isProven ? 'holds' : looked === 0 ? 'not proven' : 'broken';
  const looks = looked.toLocaleString('en');
  return `<tr class="${isProven ? 'good' : 'broken'}"><td><b>${verdict}</b></td><td>${escaped(rule)}</td><td>${escaped(measured)}</td><td class="figure">${looks} checked</td></tr>`;
}
