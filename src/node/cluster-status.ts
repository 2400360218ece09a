// The cluster's figures as they appear under $SYS/broker/cluster. Reads counters and member records;
// changes nothing.

import type { Gossip } from '../net/cluster/gossip.ts';
import type { SyncChannel } from '../net/cluster/sync-channel.ts';

/** Values by topic, below `$SYS/broker/`. */
export function clusterSysValues(
  nodeName: string,
  gossip: Gossip,
  sync: SyncChannel,
): Record<string, string> {
  const states = { alive: 0, suspect: 0, offline: 0, left: 0 };
  for (const member of gossip.members()) states[member.state] += 1;
  const values: Record<string, string> = { 'cluster/node': nodeName };
  for (const [state, count] of Object.entries(states)) {
    values[`cluster/members/${state}`] = String(count);
  }
  for (const [name, value] of numbersIn(gossip.counters)) values[`cluster/gossip/${name}`] = value;
  for (const [name, value] of numbersIn(sync.counters)) values[`cluster/sync/${name}`] = value;
  for (const [name, value] of numbersIn(sumOfPeers(sync))) values[`cluster/peers/${name}`] = value;
  return values;
}

function sumOfPeers(sync: SyncChannel): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counters } of sync.peers()) {
    for (const [name, value] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

/** The numbers of an object, those of a nested object as `name/inner`. */
function* numbersIn(counters: object): Generator<[string, string]> {
  for (const [name, value] of Object.entries(counters)) {
    if (typeof value === 'number') yield [name, String(value)];
    else for (const [inner, number] of numbersIn(value)) yield [`${name}/${inner}`, number];
  }
}
