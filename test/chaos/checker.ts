// Judges a history: what Shoal promises, one rule after the other. A rule that finds a violation names the
// message and the time. Pure: no clock, no network.
// The topics say what holds for them: `local/` is published and read at one node, under sessions that
// outlive connections and restarts; `cross/` is read at other nodes without a session; `state/` is
// retained; `jobs/` is served by a shared group, and `call/` read at all nodes, when nothing breaks.

import type { ChaosEvent } from './history.ts';
import { descriptorsBounded, innocentsServed, memoryBounded } from './rules/bounds.ts';
import {
  jobsOnce,
  membershipConverged,
  oneConnection,
  retainedConverged,
  willsOnce,
} from './rules/cluster.ts';
import {
  exactlyOnce,
  forwardedOnce,
  inOrder,
  nothingAcknowledgedIsLost,
  reachesAll,
} from './rules/messages.ts';
import { noneEnds, noUnexplainedError } from './rules/processes.ts';
import type { Judgement, Rule } from './rules/verdict.ts';

export const RULES = {
  'no acknowledged message is lost at its node': nothingAcknowledgedIsLost,
  'QoS 2 never comes twice': exactlyOnce,
  'a message crosses to another node once at most': forwardedOnce,
  'a message reaches every node of a quiet cluster, once': reachesAll,
  'messages of one publisher and topic keep their order': inOrder,
  'a will is published once': willsOnce,
  'retained values are equal on all nodes, and the newest': retainedConverged,
  'all nodes see all nodes': membershipConverged,
  'a client identifier is connected at one node': oneConnection,
  'a job of a shared group is done once': jobsOnce,
  'a fault at one node does not disturb the clients of others': innocentsServed,
  'no node ends by itself': noneEnds,
  'no node logs an error that no fault explains': noUnexplainedError,
  'memory stays bounded': memoryBounded,
  'descriptors stay bounded': descriptorsBounded,
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;

export interface Verdict extends Judgement {
  readonly rule: RuleName;
}

export function check(
  events: readonly ChaosEvent[],
  rules: readonly RuleName[] = Object.keys(RULES) as RuleName[],
): Verdict[] {
  return rules.map((rule) => ({ rule, ...RULES[rule](events) }));
}

export function isHeld(events: readonly ChaosEvent[], ...rules: readonly RuleName[]): boolean {
  return check(events, rules).every(({ violations }) => violations.length === 0);
}
