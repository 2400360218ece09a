// What one object of each kind takes in memory, in bytes, without the texts and payloads that it
// holds: those count by their length. Measured on the heap, and rounded up, by
// `node --expose-gc --import tsx test/bench/memory-costs.ts`, which fails if one is too low.
// Knows no broker.

import { textBytes } from '../shared/text-bytes.ts';

/** A user of Accounts. */
export const USER_BYTES = 300;
/** A session of an absent client, without its subscriptions, messages and will. */
export const SESSION_BYTES = 1_900;
export const WILL_BYTES = 1_300;
/** What a connection adds: its state here, its socket, and what the socket takes outside of the heap. */
export const CONNECTION_BYTES = 4_000;
/** A subscription in its session and at its node of the tree. */
const SUBSCRIPTION_BYTES = 500;
/** A topic level in the subscription tree. */
export const TREE_NODE_BYTES = 300;
/** A shape of filters. */
export const SHAPE_BYTES = 600;
/** A shared group, with its shape. */
export const GROUP_BYTES = 1_800;
/** A retained message with its topic, and its part of the tree; more if it has to leave at a deadline. */
export const RETAINED_BYTES = 320;
export const RETAINED_EXPIRY_BYTES = 250;
/** A message that waits or is in flight. */
export const MESSAGE_BYTES = 430;
/** Its topic, if it is the first of it. */
export const TOPIC_BYTES = 550;
/** Its place in one queue, or in flight to one client. */
export const DELIVERY_BYTES = 170;
/** A topic alias in one direction, with the topic that it keeps. */
export const ALIAS_BYTES = 560;
/** A topic in the cache of topics, with its route. */
export const CACHED_TOPIC_BYTES = 450;
/** MQTT 5 properties that a message has, whatever they are. */
const PROPERTIES_BYTES = 180;

/** Memory of a subscription, without its levels in the tree. */
export function subscriptionBytes(filter: string): number {
  return SUBSCRIPTION_BYTES + textBytes(filter);
}

/** Bytes of a topic as bytes and as a name. */
export function topicBytes({ name, bytes }: { name: string; bytes: Buffer }): number {
  const isAscii = name.length === bytes.length;
  return bytes.length + (isAscii ? name.length : name.length * 2);
}

/** Bytes of what a message contains, its topic excluded. */
export function contentBytes(payloadBytes: number, properties: Buffer): number {
  const propertyBytes = properties.length > 0 ? PROPERTIES_BYTES + properties.length : 0;
  return payloadBytes + propertyBytes;
}
