// Which topics that begin with `$` a client may publish to, as mosquitto has it: `$SYS` belongs to the
// broker, except for the state of a bridge; `$share` names subscriptions, not topics; all others, such
// as `$aws/...`, are ordinary topics of this node. No such topic ever leaves its node.

import { isReservedTopic, isSysTopic, topicMatches } from '../mqtt/topic.ts';

/** A bridge reports 1 or 0 here, by PUBLISH and by its will. */
const BRIDGE_STATE = '$SYS/broker/connection/+/state';

/** @param topic a valid Topic Name */
export function isClosedToClients(topic: string): boolean {
  if (!isReservedTopic(topic)) return false;
  if (isSysTopic(topic)) return !topicMatches(BRIDGE_STATE, topic);
  return topic === '$share' || topic.startsWith('$share/');
}
