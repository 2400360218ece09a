// What has to hold between several options. Each rule gives a line for the user that names the
// options and what would be right.

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

function timingConflicts({ periodMs, pingTimeoutMs }: Config): string[] {
  // Beyond this an answer through other nodes comes after the verdict.
  if (2 * pingTimeoutMs < periodMs) return [];
  return [
    `-ping-timeout=${pingTimeoutMs}ms is too long for -period=${periodMs}ms: it has to be less than half of it`,
  ];
}
