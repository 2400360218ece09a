// The timeline of a run as SVG: for each node its faults, the messages that its clients got, and the waits of the
// client that only measures; above them where each broken rule was broken. Pure.

import type { Verdict } from '../checker.ts';
import { type ChaosEvent, eventsOf } from '../history.ts';
import { endOf, type Window, windowsOf } from '../rules/verdict.ts';
import { escaped, seconds } from './markup.ts';

const LEFT = 150;
const WIDTH_MIN = 1210;
/** Wide enough for the name of a fault of some seconds. */
const PX_PER_SECOND_MIN = 6;
const RULE_HEIGHT = 20;
const FAULT_HEIGHT = 20;
const PLOT_HEIGHT = 34;
const NODE_HEIGHT = FAULT_HEIGHT + PLOT_HEIGHT + 14;
const CHAR_PX = 6;
/** The waits of a second reach the top of the plot at this length. */
const WAIT_MS_TOP = 1000;

const KINDS: readonly (readonly [name: string, color: string, faults: RegExp])[] = [
  ['process', '#c2410c', /kill|boxes off|SIGSTOP|descriptors/],
  ['network', '#1d4ed8', /partition|link|lost|blocked|MTU|address/],
  ['disk', '#7e22ce', /disk/],
  ['clock', '#a16207', /clock/],
  ['upgrade or new options', '#15803d', /upgrade|options/],
];

export function legend(): string {
  const kinds = KINDS.map(
    ([name, color]) => `<span><i style="background:${color}"></i>${name}</span>`,
  );
  return `<p class="legend">${kinds.join('')}<span><i class="got"></i>messages that clients got, for each second</span>
<span><i class="wait"></i>longest wait of the measuring client in that second (top: ${WAIT_MS_TOP} ms or more)</span></p>`;
}

export function timeline(events: readonly ChaosEvent[], verdicts: readonly Verdict[]): string {
  const end = Math.max(1000, endOf(events));
  const pxPerMs = Math.max(PX_PER_SECOND_MIN / 1000, (WIDTH_MIN - LEFT) / end);
  const x = (at: number): number => Math.round((LEFT + Math.min(at, end) * pxPerMs) * 10) / 10;
  const broken = verdicts.filter(({ violations }) => violations.length > 0);
  const windows = windowsOf(events);
  const nodes = [...new Set(eventsOf(events, 'sample').map(({ node }) => node))].sort();
  const top = 18 + broken.length * RULE_HEIGHT;
  const height = top + nodes.length * NODE_HEIGHT + 24;
  const parts = [
    ...grid(end, x, height),
    ...eventsOf(events, 'quiet').map(({ at }) => quietLine(x(at), height)),
    ...broken.map((verdict, i) => ruleRow(verdict, 14 + i * RULE_HEIGHT, x)),
    ...nodes.map((node, i) => {
      const y = top + i * NODE_HEIGHT;
      return nodeRow(events, windows, node, { x, y, end });
    }),
  ];
  const width = x(end) + 20;
  return `<div class="scroll"><svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Faults, messages, waits and broken rules over time">${parts.join('\n')}</svg></div>`;
}

type Scale = (at: number) => number;

function grid(end: number, x: Scale, height: number): string[] {
  const step = [5, 10, 30, 60, 300, 600].find((one) => (end / 1000 / one) * 60 < x(end)) ?? 600;
  const lines: string[] = [];
  for (let at = 0; at <= end; at += step * 1000) {
    lines.push(
      `<line class="grid" x1="${x(at)}" x2="${x(at)}" y1="0" y2="${height - 18}"/>`,
      `<text class="faint" x="${x(at)}" y="${height - 4}" text-anchor="middle">${at / 1000} s</text>`,
    );
  }
  return lines;
}

function quietLine(place: number, height: number): string {
  return `<line class="quiet" x1="${place}" x2="${place}" y1="0" y2="${height - 18}"/>
<text class="faint" x="${place + 4}" y="11">quiet</text>`;
}

function ruleRow({ rule, violations }: Verdict, y: number, x: Scale): string {
  const marks = new Map<number, string>();
  for (const [i, { at, text }] of violations.entries()) {
    // Violations at one place of the picture are one mark.
    const place = Math.round(x(at));
    if (marks.has(place)) continue;
    const title = `<title>${escaped(`${seconds(at)}: ${text}`)}</title>`;
    const path = `<path class="mark" d="M${place} ${y}l5 12h-10z">${title}</path>`;
    marks.set(place, i === 0 ? `<a href="#${anchorOf(rule)}">${path}</a>` : path);
  }
  const short = rule.length > 24 ? `${rule.slice(0, 23)}…` : rule;
  return `<text class="bad" x="0" y="${y + 11}">${escaped(short)}</text>${[...marks.values()].join('')}`;
}

function nodeRow(
  events: readonly ChaosEvent[],
  windows: readonly Window[],
  node: string,
  { x, y, end }: { x: Scale; y: number; end: number },
): string {
  const here = windows.filter(({ boxes }) => boxes.includes(node));
  const bars = here.map((one, i) => bar(one, node, { x, y, next: here[i + 1]?.from ?? end }));
  const bottom = y + FAULT_HEIGHT + PLOT_HEIGHT + 4;
  const got = perSecond(
    eventsOf(events, 'delivery').filter((one) => one.node === node),
    end,
    (sum) => sum + 1,
  );
  const most = Math.max(1, ...got);
  const waits = perSecond(
    eventsOf(events, 'ping').filter((one) => one.node === node),
    end,
    (longest, { ms }) => Math.max(longest, ms),
  );
  const points = got.map((count, i) => `${x(i * 1000)} ${at(bottom, count / most)}`);
  const area = `M${x(0)} ${bottom}L${points.join('L')}L${x(end)} ${bottom}z`;
  const ticks = waits.map((ms, i) => {
    if (ms === 0) return '';
    const height = Math.min(1, Math.log10(1 + ms) / Math.log10(1 + WAIT_MS_TOP));
    const title = `<title>${seconds(i * 1000)}: ${ms} ms</title>`;
    return `<rect class="wait" x="${x(i * 1000)}" y="${at(bottom, height)}" width="3" height="3">${title}</rect>`;
  });
  return `<text class="node" x="0" y="${y + 15}">${escaped(node)}</text>
<text class="faint" x="0" y="${y + 34}">up to ${most} messages a second</text>
<path class="got" d="${area}"/>${ticks.join('')}${bars.join('')}`;
}

/** @param place `next`: begin of the next fault at the node; up to there is room for the name */
function bar(
  { what, from, to }: Window,
  node: string,
  { x, y, next }: { x: Scale; y: number; next: number },
): string {
  const width = Math.max(3, x(to) - x(from));
  const [, color] = KINDS.find(([, , faults]) => faults.test(what)) ?? ['', '#57534e'];
  const until = Number.isFinite(to) ? seconds(to) : 'the end';
  const title = `${what} at ${node}, from ${seconds(from)} to ${until}`;
  const needs = what.length * CHAR_PX + 6;
  const label =
    needs <= width || x(from) + width + needs > x(next)
      ? `<text class="label" x="${x(from) + 3}" y="${y + 13}">${escaped(shortened(what, width))}</text>`
      : `<text fill="${color}" x="${x(from) + width + 3}" y="${y + 13}">${escaped(what)}</text>`;
  const shade = `<rect x="${x(from)}" y="${y}" width="${width}" height="${NODE_HEIGHT - 10}" fill="${color}" opacity="0.12"/>`;
  const head = `<rect x="${x(from)}" y="${y}" width="${width}" height="${FAULT_HEIGHT - 2}" rx="2" fill="${color}"/>`;
  return `<g><title>${escaped(title)}</title>${shade}${head}${label}</g>`;
}

function shortened(what: string, width: number): string {
  const fits = Math.floor((width - 6) / CHAR_PX);
  if (what.length <= fits) return what;
  return fits > 3 ? `${what.slice(0, fits - 1)}…` : '';
}

function at(bottom: number, share: number): number {
  return Math.round((bottom - share * PLOT_HEIGHT) * 10) / 10;
}

function perSecond<Event extends ChaosEvent>(
  events: readonly Event[],
  end: number,
  add: (sum: number, event: Event) => number,
): number[] {
  const sums = new Array<number>(Math.ceil(end / 1000) + 1).fill(0);
  for (const event of events) {
    const second = Math.floor(event.at / 1000);
    sums[second] = add(sums[second] ?? 0, event);
  }
  return sums;
}

export function anchorOf(rule: string): string {
  return rule.replaceAll(/\W+/g, '-');
}
