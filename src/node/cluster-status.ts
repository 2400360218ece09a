// The cluster's figures for the metrics. Reads counters and member records; changes nothing.

import type { SysTopics } from '../broker/sys-topics.ts';
import type { LabelledValue } from '../metrics/metric.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import type { Gossip } from '../net/cluster/gossip.ts';
import type { SyncChannel } from '../net/cluster/sync-channel.ts';
import { newPeerCounters, type PeerCounters } from '../sync/counters.ts';

export function addClusterMetrics(
  sys: SysTopics,
  nodeName: string,
  gossip: Gossip,
  sync: SyncChannel,
): void {
  sys.addSource('cluster', () => ({ node: nodeName, members: membersByState(gossip) }));
  sys.addSource('gossip', () => gossipValues(gossip));
  sys.addSource('sync', () => ({
    ...sync.counters,
    droppedDatagrams: byReason(sync.counters.droppedDatagrams),
  }));
  sys.addSource('peers', () => sumOfPeers(sync));
}

function membersByState(gossip: Gossip): LabelledValue<'state'>[] {
  const counts = { alive: 0, suspect: 0, offline: 0, left: 0 };
  for (const member of gossip.members()) counts[member.state] += 1;
  return Object.entries(counts).map(([state, value]) => ({ labels: { state }, value }));
}

function gossipValues(gossip: Gossip): ValuesOf<'gossip'> {
  const { counters } = gossip;
  const { unknownKey, wrongMode, badMac, short, tooLong, foreign, malformed, replayed, own } =
    counters;
  const dropped = {
    unknownKey,
    wrongMode,
    badMac,
    short,
    tooLong,
    foreign,
    malformed,
    replayed,
    own,
  };
  return { ...counters, droppedDatagrams: byReason(dropped) };
}

function byReason(counts: Readonly<Record<string, number>>): LabelledValue<'reason'>[] {
  return Object.entries(counts).map(([reason, value]) => ({ labels: { reason }, value }));
}

function sumOfPeers(sync: SyncChannel): PeerCounters {
  const sums = newPeerCounters();
  for (const { counters } of sync.peers()) {
    for (const name of Object.keys(sums) as (keyof PeerCounters)[]) sums[name] += counters[name];
  }
  return sums;
}
