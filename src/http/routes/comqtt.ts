// The three paths that users of Comqtt know, in its shapes (mqtt/system, cluster/discovery). What Shoal
// has no counterpart for is left out.

import type { NodeApi, NodeView } from '../node-api.ts';
import { route } from '../route.ts';
import { any, array, integer, object, record, text } from '../schema.ts';

/** Field of Comqtt, and the metric that has its value. */
const FIELDS = {
  bytes_received: 'shoal_received_bytes_total',
  bytes_sent: 'shoal_sent_bytes_total',
  clients_connected: 'shoal_clients_connected',
  clients_disconnected: 'shoal_sessions_disconnected',
  clients_maximum: 'shoal_clients_connected_max',
  clients_total: 'shoal_sessions',
  messages_received: 'shoal_publish_received_total',
  messages_sent: 'shoal_publish_sent_total',
  messages_dropped: 'shoal_messages_dropped_total',
  packets_received: 'shoal_packets_received_total',
  packets_sent: 'shoal_packets_sent_total',
  retained: 'shoal_retained_messages',
  subscriptions: 'shoal_subscriptions',
  memory_alloc: 'shoal_heap_bytes',
  uptime: 'shoal_uptime_seconds',
} as const;

function statsOf(node: NodeApi): Record<string, string | number> {
  const values = new Map<string, unknown>();
  for (const [, { name }, value] of node.metrics()) values.set(name, value);
  const stats: Record<string, string | number> = { version: node.version };
  for (const [field, name] of Object.entries(FIELDS)) stats[field] = Number(values.get(name) ?? 0);
  const time = Math.floor(Date.now() / 1000);
  return { ...stats, time, started: time - Number(stats.uptime) };
}

function memberOf({ name, address, state }: NodeView) {
  const [, host = '', port = '0'] = /^\[?([^\]]*)\]?:(\d+)$/.exec(address ?? '') ?? [];
  return { name, addr: host, port: Number(port), state };
}

export const comqttRoutes = [
  route({
    method: 'GET',
    path: '/mqtt/stats',
    access: 'read',
    scope: 'node',
    summary: 'figures of this node, as Comqtt names them',
    response: record(any('A number; the version is a text')),
    handler: ({ node }) => statsOf(node),
  }),
  route({
    method: 'GET',
    path: '/cluster/conf',
    access: 'read',
    scope: 'node',
    summary: 'options of this node by flag, without secrets; the path is that of Comqtt',
    response: record(text()),
    handler: ({ node }) =>
      Object.fromEntries(node.config().map(({ flag, value }) => [flag, value])),
  }),
  route({
    method: 'GET',
    path: '/cluster/ms',
    access: 'read',
    scope: 'cluster',
    summary: 'members of the cluster, as Comqtt lists them',
    response: array(
      object({ name: text(), addr: text(), port: integer(0, 65_535), state: text() }),
    ),
    handler: ({ node }) => node.nodes().map(memberOf),
  }),
];
