// What may happen between two looks at the network. All work has a price; whoever has more to do than
// a turn allows gives the rest back with Broker.defer() or Broker.inTurns().

/**
 * In deliveries of some 10 ns: a flood, or a message to very many, holds the others up for a
 * millisecond or two and no longer.
 */
export const WORK_A_TURN = 100_000;
