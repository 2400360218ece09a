// What the session of a part of this node, such as a bridge, may have otherwise than a client's: the
// bounds of its queue, and which messages it takes.

import type { QoS } from '../../mqtt/publish-view.ts';

/** Bounds of one session's queue. The options of the broker have the fields for all clients. */
export interface QueueLimits {
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  readonly queueDrop: 'oldest' | 'newest';
}

/** What differs for the session of a part of this node (see local-session.ts). */
export interface LocalRules {
  /** Messages of a lower QoS get this one, so that they are queued as well. */
  readonly qosMin: QoS;
  /** Leaves out what other nodes forward: their own sessions have it. */
  readonly onlyOfThisNode: boolean;
  readonly retain: boolean;
}
