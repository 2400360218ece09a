// Bounds and times of requests between nodes. docs/limits.md and docs/protocol-gossip.md explain them.

/** Bytes of a request or reply in one datagram; the last one of each has fewer. Part of the protocol. */
export const PART_BYTES = 1100;
export const REQUEST_BYTES_MAX = 64 * 1024;
export const REPLY_BYTES_MAX = 256 * 1024;

/** Requests of this node that wait for a reply, to one member and to all. */
export const ASKED_PER_MEMBER_MAX = 24;
export const ASKED_MAX = 256;
/** Requests of other nodes that this node works on, of one member and of all. */
export const SERVED_PER_MEMBER_MAX = 24;
export const SERVED_MAX = 256;

/** Boots whose request numbers are remembered, so that no request is served twice. */
export const BOOTS_MAX = 256;

/** Parts of a reply that may be on their way before one is confirmed. */
export const WINDOW_PARTS_START = 8;
export const WINDOW_PARTS_MIN = 2;
export const WINDOW_PARTS_MAX = 32;
/** The same for all replies that this node awaits together: fits a receive buffer of 208 KB. */
export const NODE_WINDOW_PARTS = 64;
/** A confirmation follows this many parts, or the last of the window. */
export const PARTS_PER_ACK = 4;
/** A part is missing if a part this far behind it has arrived. */
export const REORDER_PARTS = 3;

/** Parts sent in one turn of the event loop, and the pause between two turns, ms. */
export const TURN_PARTS_MAX = 24;
export const TURN_MS = 2;

/** From a datagram without an answer to the next one; doubled each time, ms. */
export const RETRY_MS_MIN = 50;
export const RETRY_MS_MAX = 1000;
/** Without any datagram of the member for this time a request fails, ms. */
export const SILENT_MS = 4000;
/** Longest time that a caller may wait for a reply, ms. */
export const TIMEOUT_MS_MAX = 60_000;
/** A request is forgotten when its sender has not asked for the reply for this time, ms. */
export const SERVED_LEASE_MS = 10_000;
