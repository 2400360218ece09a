// What has to hold between several options. Each rule gives a line for the user that names the
// options and what would be right.

import { timingFault } from '../swim/profile.ts';
import { type Config, isClustered } from './config.ts';
import { formatHostPort } from './value-types.ts';

export function findConflicts(config: Config): string[] {
  return [...clusterConflicts(config), ...timingConflicts(config)];
}

function clusterConflicts(config: Config): string[] {
  const problems: string[] = [];
  if (config.members.length > 0 && !isClustered(config)) {
    problems.push(
      '-mbs needs -csk: give the cluster token, the same on every node (-csk=TOKEN, SHOAL_CSK or -csk-file=FILE)',
    );
  }
  if (config.gossipPort === config.syncPort && config.gossipPort !== 0) {
    problems.push(
      `-crp and -csp are both ${config.gossipPort}: gossip and sync need a UDP port each`,
    );
  }
  const seen = new Set<string>();
  for (const member of config.members) {
    const address = formatHostPort(member).toLowerCase();
    if (seen.has(address)) problems.push(`-mbs names ${address} twice`);
    seen.add(address);
  }
  return problems;
}

function timingConflicts(config: Config): string[] {
  const fault = timingFault(config);
  return fault === undefined ? [] : [`-period and -ping-timeout don't fit: ${fault}`];
}
