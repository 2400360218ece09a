// Looks at the nodes from outside: members, clients and members of shared groups over their control sockets,
// retained values by a subscription, memory and descriptors in /proc.

import { setTimeout as delay } from 'node:timers/promises';
import mqtt from 'mqtt';
import { History, type MessageId } from './history.ts';
import type { Site } from './site.ts';

/** Retained values have come when nothing has arrived for this time. */
const SILENCE_MS = 1000;

interface Nodes {
  readonly nodes: readonly { readonly name: string; readonly state: string }[];
}

interface Clients {
  readonly items: readonly {
    readonly id: string;
    readonly node: string;
    readonly isConnected: boolean;
  }[];
}

interface Metrics {
  readonly metrics: readonly {
    readonly name: string;
    readonly series: readonly { readonly value: unknown }[];
  }[];
}

/** @returns what each node holds now, as events of their own */
export async function observe(site: Site, now: number): Promise<History> {
  const seen = new History(now);
  for (const node of site.names) {
    const { nodes } = (await site.ask(node, '/api/v1/nodes')) as Nodes;
    const online = nodes.filter(({ state }) => state === 'alive').map(({ name }) => name);
    seen.add({ kind: 'members', node, online });
    const { items } = (await site.ask(node, `/api/v1/clients?node=${node}&limit=1000`)) as Clients;
    const here = items.filter((one) => one.isConnected && one.node === node);
    seen.add({ kind: 'clients', node, connected: here.map(({ id }) => id) });
    seen.add({ kind: 'retained', node, values: await retainedOf(site, node) });
  }
  return seen;
}

/** Whether all nodes know this many members of shared groups. */
export async function knowMembers(site: Site, count: number): Promise<boolean> {
  for (const node of site.names) {
    const { metrics } = (await site.ask(node, '/api/v1/metrics')) as Metrics;
    const value = (name: string): unknown =>
      metrics.find((one) => one.name.endsWith(name))?.series[0]?.value;
    if (value('cluster_groups_members') !== count) return false;
    if (value('cluster_groups_differing_nodes') !== 0) return false;
  }
  return true;
}

export function sampleAll(site: Site, history: History): void {
  for (const node of site.names) {
    try {
      const pid = site.pidOf(node);
      const residentBytes = site.residentBytes(node);
      const descriptors = site.descriptors(node);
      if (residentBytes > 0) history.add({ kind: 'sample', node, pid, residentBytes, descriptors });
    } catch {
      // The node is down.
    }
  }
}

async function retainedOf(site: Site, node: string): Promise<MessageId[]> {
  const client = new mqtt.MqttClient((() => site.dial(node)) as never, { reconnectPeriod: 300 });
  client.on('error', () => undefined);
  const values: MessageId[] = [];
  let heardAt = performance.now();
  client.on('message', (topic, payload, { retain }) => {
    const [publisher = '', number = ''] = payload.toString().split(' ');
    if (retain) values.push({ publisher, topic, number: Number(number) });
    heardAt = performance.now();
  });
  await new Promise<void>((done) => client.once('connect', () => done()));
  await client.subscribeAsync('state/#', { qos: 1 });
  heardAt = performance.now();
  while (performance.now() - heardAt < SILENCE_MS) await delay(100);
  await client.endAsync(true);
  return values;
}
