// What a bridge counts since the start of the node, for status and metrics.

export interface BridgeCounters {
  /** PUBLISH packets to the far side, repetitions included. */
  sent: number;
  /** PUBLISH packets of the far side. */
  received: number;
  /** Messages to the far side that it can't take: too large, or without a rule. */
  unsendable: number;
  /** Messages that the far side has refused with a Reason Code. */
  refusedFar: number;
  /** Messages of the far side that this node has refused. */
  refusedHere: number;
  /** Messages of the far side that had come from here. */
  looped: number;
  /** Connections that the far side has accepted, and attempts that failed. */
  connects: number;
  failures: number;
}

export function makeCounters(): BridgeCounters {
  return {
    sent: 0,
    received: 0,
    unsendable: 0,
    refusedFar: 0,
    refusedHere: 0,
    looped: 0,
    connects: 0,
    failures: 0,
  };
}
