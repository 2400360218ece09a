// What the session of a bridge has otherwise than that of a device: the bounds of its queue, and which
// messages it takes. A bridge is a part of this node (local-session.ts), or a client that is the bridge
// of another broker.

import type { QoS } from '../../mqtt/publish-view.ts';

/** Bounds of one session's queue. The options of the broker have the fields for all clients. */
export interface QueueLimits {
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  readonly queueDrop: 'oldest' | 'newest';
}

/** Which messages a bridge takes, and how. Each of them carries its hops (../message/hops.ts). */
export interface BridgeRules {
  /** Messages of a lower QoS get this one, so that they are queued as well. */
  readonly qosMin: QoS;
  /** Leaves out what other nodes forward: their own sessions have it. */
  readonly onlyOfThisNode: boolean;
  readonly retain: boolean;
}

/** For the bridge of another broker, which has its own rules. */
export const FOREIGN_BRIDGE: BridgeRules = { qosMin: 0, onlyOfThisNode: false, retain: true };
