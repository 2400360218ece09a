// Bounds and times of replication. Each is explained in docs/limits.md or docs/protocol.md.

/** Digests are sent to a member whose state differs no more often than this, ms. */
export const DIGEST_INTERVAL_MS = 1000;
/** Two nodes that have just met compare at once, then at this pace until they agree, ms. */
export const DIGEST_FIRST_MS = 100;
/** Members that are sent a digest at once when many come online together. */
export const GREETED_MAX = 8;
/** What a digest shows as missing may be on its way: it is asked for after this time, ms. */
export const GRACE_MS = 200;
/** While subscribers have much to take, the next request waits for this time, ms. */
export const BUSY_MS = 20;
/** Ranges in one request. */
export const REQUEST_RANGES_MAX = 32;
/** Blocks that answer one request; what is left is asked for again. */
export const REQUEST_BLOCKS_MAX = 16;
/** A request is repeated when no further block arrives for this time, ms; earlier where answers come fast. */
export const REQUEST_TIMEOUT_MS = 1000;
export const REQUEST_TIMEOUT_MS_MIN = 25;
/** Requests in a row without an answer before a member's claims are forgotten. */
export const REQUEST_TRIES_MAX = 6;
/** Requests of different members that may wait to be answered. */
export const REQUESTS_WAITING_MAX = 64;
/** Blocks sent in one turn of the event loop, to all members together: live traffic goes first. */
export const TURN_BLOCKS_MAX = 24;
/** Between two turns in which blocks are sent, ms. */
export const TURN_MS = 2;
/** Registers looked at in one turn for what may be forgotten. */
export const EXPIRE_STEPS = 1000;
/** Between two looks through all registers for what may be forgotten, ms. */
export const EXPIRE_INTERVAL_MS = 60_000;
