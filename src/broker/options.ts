// Limits and choices of the broker core, with their defaults. CONNACK announces those that MQTT 5 has
// a property for. The rows of src/config/options-mqtt.ts read these defaults.

import { STRING_BYTES_MAX } from '../mqtt/limits.ts';
import type { QoS } from '../mqtt/publish-view.ts';

export interface BrokerOptions {
  /** Largest packet taken from a client, bytes, fixed header included. */
  packetBytesMax: number;
  /** Largest payload of a PUBLISH, bytes; a larger message is acknowledged and dropped. */
  payloadBytesMax: number;
  /** QoS 1 and 2 messages that a client may have unacknowledged towards us. */
  receiveMaximum: number;
  /** Topic Aliases that a client may set on its connection, and most that we set towards it. */
  topicAliasMaximum: number;
  maximumQos: QoS;
  retainAvailable: boolean;
  wildcardAvailable: boolean;
  sharedAvailable: boolean;
  subscriptionIdentifiersAvailable: boolean;
  /** Longest Keep Alive, seconds; 0: any value, also none. */
  keepAliveSecondsMax: number;
  connectionsMax: number;
  /** Sessions, connected or not. */
  sessionsMax: number;
  /** Longest Session Expiry Interval, seconds; Infinity: any value. */
  sessionExpirySecondsMax: number;
  emptyClientIdAllowed: boolean;
  /** The user name becomes the Client Identifier; clients without one are refused. */
  useUsernameAsClientId: boolean;
  /** Client Identifiers must begin with one of these; undefined: any. */
  clientIdPrefixes: readonly string[] | undefined;
  /** `user`: a session belongs to its user name, and no other user can take or end it. */
  clientIdOwner: 'any' | 'user';
  /** A retained message is served only while its publisher may still publish to the topic. */
  checkRetainSource: boolean;
  /** Unacknowledged messages towards a client, even if its Receive Maximum is higher. */
  inflightMax: number;
  /** Queued messages of one session, and their bytes. */
  queueMessagesMax: number;
  queueBytesMax: number;
  queueDrop: 'oldest' | 'newest';
  /** Memory of the messages that wait for all sessions together, and of those in flight, bytes. */
  queueMemoryBytesMax: number;
  /** Memory of everything that clients make the node keep, bytes. */
  memoryBytesMax: number;
  topicLevelsMax: number;
  topicBytesMax: number;
  subscriptionsPerClientMax: number;
  retainedMessagesMax: number;
  retainedBytesMax: number;
  /** Deliver at the subscription's QoS where it is higher than the message's. */
  upgradeQos: boolean;
  /** Where several subscriptions of a client match: one copy with all identifiers, or one each. */
  overlapping: 'once' | 'each';
  /** Seconds between two rounds of $SYS; 0: none. */
  sysIntervalSeconds: number;
  /** Seconds until CONNECT must have arrived. */
  connectTimeoutSeconds: number;
  /** Wrong passwords of one address in a minute that ban it; Infinity: none do. */
  banFailures: number;
  /** Connections of one client from one address in a minute; one more bans it. Infinity: none does. */
  banConnects: number;
  /** How long a ban lasts, seconds. */
  banSeconds: number;
  /** The version under $SYS/broker/version. */
  version: string;
}

export const defaultBrokerOptions: Readonly<BrokerOptions> = {
  packetBytesMax: 1_048_576,
  payloadBytesMax: Number.POSITIVE_INFINITY,
  receiveMaximum: 100,
  topicAliasMaximum: 10,
  maximumQos: 2,
  retainAvailable: true,
  wildcardAvailable: true,
  sharedAvailable: true,
  subscriptionIdentifiersAvailable: true,
  keepAliveSecondsMax: 0,
  connectionsMax: 50_000,
  sessionsMax: 200_000,
  sessionExpirySecondsMax: Number.POSITIVE_INFINITY,
  emptyClientIdAllowed: true,
  useUsernameAsClientId: false,
  clientIdPrefixes: undefined,
  clientIdOwner: 'any',
  checkRetainSource: true,
  inflightMax: 100,
  queueMessagesMax: 1000,
  queueBytesMax: 16_777_216,
  queueDrop: 'newest',
  queueMemoryBytesMax: 268_435_456,
  memoryBytesMax: Number.POSITIVE_INFINITY,
  topicLevelsMax: 128,
  topicBytesMax: STRING_BYTES_MAX,
  subscriptionsPerClientMax: 10_000,
  retainedMessagesMax: 1_000_000,
  retainedBytesMax: 268_435_456,
  upgradeQos: false,
  overlapping: 'once',
  sysIntervalSeconds: 10,
  connectTimeoutSeconds: 10,
  banFailures: Number.POSITIVE_INFINITY,
  banConnects: Number.POSITIVE_INFINITY,
  banSeconds: 300,
  version: '0.0.0',
};
