// What a program sees of the broker at one moment.

import { performance } from 'node:perf_hooks';
import type { SessionFacts } from '../broker/administration.ts';
import type { Broker } from '../broker/broker.ts';
import type * as api from './api.ts';

export function clientInfo(facts: SessionFacts): api.ClientInfo {
  const sinceMs = performance.now() - (facts.connectedAt ?? 0);
  return {
    id: facts.id,
    username: facts.user ?? undefined,
    address: facts.address ?? '',
    listener: facts.listener ?? '',
    version: facts.mqtt as api.ClientInfo['version'],
    connectedAt: new Date(Date.now() - sinceMs),
    subscriptions: facts.subscriptions,
    queued: facts.queued,
    inflight: facts.inflight,
  };
}

export function statsOf({ stats, context, queuedMessages }: Broker) {
  return {
    clients: stats.clientsConnected,
    subscriptions: context.tree.size,
    retained: context.retained.count,
    queued: queuedMessages,
    messagesReceived: stats.publishReceived,
    messagesSent: stats.publishSent,
    messagesDropped: stats.publishDropped,
    bytesReceived: stats.bytesReceived,
    bytesSent: stats.bytesSent,
    denied: stats.denied,
  };
}
