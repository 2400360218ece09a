// Keeps docs/sys-topics.md in step with the list of metrics. After a change of the list:
// UPDATE_DOCS=1 npx tsx test/run.ts test/unit/metrics

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Metric } from '../../../src/metrics/metric.ts';
import { type MetricGroupId, metricGroups } from '../../../src/metrics/metric-list.ts';

const PAGE = 'docs/sys-topics.md';

const HEAD = `# Metrics under $SYS

Every \`-sys-interval\` (10 s) a node publishes the values that changed, retained, under \`$SYS/broker/\`.
These topics never leave their node, so each node answers for itself:

    mosquitto_sub -h 192.168.1.100 -t '$SYS/broker/#' -v

With an ACL, a monitoring user needs \`topic read $SYS/#\`. A *total* counts since the start of the node;
a value marked *now* may rise and fall. A word in capitals stands for one level of the topic;
DIRECTION is \`in\`, from the member to this node, or \`out\`.

Changes of the cluster are published on \`cluster/event\` as they happen, as JSON and not retained: \`event\` is
\`online\`, \`suspect\`, \`offline\`, \`left\` or \`updated\` (with \`node\`, \`address\`, \`reason\`), or \`sync failed\`, \`sync
restored\`, \`sync losing\`, \`sync loss-over\`, \`sync slow\`, \`sync slow-over\`, \`sync size\`, \`sync multicast\` or
\`sync unicast\` (with \`node\`, \`direction\`, \`text\`).
`;

/** In the order of the page. */
const SECTIONS: readonly (readonly [string, MetricGroupId])[] = [
  ["Clients and messages (mosquitto's names)", 'broker'],
  ['The whole site', 'site'],
  ['Guards', 'guards'],
  ['Bridges', 'bridges'],
  ['Memory', 'process'],
  ['HTTP API', 'http'],
  ['Program that embeds the node', 'program'],

  ['Access', 'access'],
  ['Listeners', 'listeners'],
  ['Cluster (with `-csk`): members', 'cluster'],
  ['Cluster: each member, seen from this node', 'members'],
  ['Cluster: gossip', 'gossip'],
  ['Cluster: beacons (`-beacon`)', 'beacon'],
  ['Cluster: new boxes (`shoal invite`)', 'invitations'],
  ['mDNS (`-mdns`)', 'mdns'],
  ['Cluster: the address of the clients (`-address`)', 'address'],
  ['Cluster: sync channel', 'sync'],
  ['Cluster: all peers together', 'peers'],
  ['Cluster: retained messages on all nodes', 'retained'],
  ['Cluster: clients of all nodes', 'clients'],
  ['Cluster: shared groups of all nodes (`-shared=cluster`)', 'groups'],
  ['Cluster: requests between nodes', 'queries'],
  ['Cluster: subscriptions of all nodes', 'interest'],
  ['Cluster: large messages and sessions (`-large`, `-roaming`)', 'bulk'],
  ['Cluster: sessions that follow their clients (`-roaming`)', 'roaming'],
  ['Cluster: probes (`shoal ping`, `shoal doctor`)', 'probes'],
  ['Storage (with `-data`)', 'storage'],
];

const KINDS: Readonly<Record<Metric['kind'], string>> = {
  counter: 'total',
  gauge: 'now',
  info: 'text',
  histogram: 'counts',
};

function metricsOf(group: MetricGroupId): Metric[] {
  return Object.values(metricGroups[group]);
}

test('docs/sys-topics.md lists every topic as the list of metrics has it', () => {
  const page = renderPage();
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, 'utf8'), page);
});

test('the page has a section for every group of metrics that has topics', () => {
  const groups = Object.keys(metricGroups) as MetricGroupId[];
  const shown = groups.filter((id) => metricsOf(id).some(({ sysTopics }) => sysTopics.length > 0));
  assert.deepEqual(SECTIONS.map(([, group]) => group).sort(), shown.sort());
});

function renderPage(): string {
  const sections = SECTIONS.map(([title, group]) => {
    const rows = metricsOf(group).filter(({ sysTopics }) => sysTopics.length > 0);
    return `\n## ${title}\n\n| topic | kind | unit | meaning |\n| --- | --- | --- | --- |\n${rows.map(renderRow).join('')}`;
  });
  return HEAD + sections.join('') + renderLoads();
}

function renderRow({ sysTopics, kind, unit, help }: Metric): string {
  const topics = sysTopics.map((topic) => `\`${topicOf(topic)}\``).join(', ');
  const cells = [topics, KINDS[kind], unit === 'none' ? '' : unit, help];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

/** `cluster/members/{state}` as the page writes it: `cluster/members/STATE`. */
function topicOf(template: string): string {
  return template.replace(/\{(\w+)\}/g, (_, label: string) => label.toUpperCase());
}

function renderLoads(): string {
  const rows = SECTIONS.flatMap(([, group]) => metricsOf(group)).filter(({ load }) => load);
  return `
## Load

\`load/NAME/1min\`, \`load/NAME/5min\` and \`load/NAME/15min\` are averages per minute over this time, computed
as mosquitto does.

| NAME | of what |
| --- | --- |
${rows.map(({ load, help }) => `| \`${load}\` | ${help} |\n`).join('')}`;
}
