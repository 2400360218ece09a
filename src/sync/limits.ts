// Every bound and constant of the sync channel in one place. docs/limits.md tells users what
// happens at each.

import { ENVELOPE_HEADER_BYTES } from '../shared/envelope.ts';
import { DATA_HEADER_BYTES } from './body-codec.ts';

/** Passes an Ethernet with VLAN tag, PPPoE or a tunnel unfragmented (1500 less IPv6 and UDP = 1452). */
export const DATAGRAM_BYTES_DEFAULT = 1400;
/** Jumbo frames: 9000 less IPv6 and UDP. */
export const DATAGRAM_BYTES_MAX = 8952;
export const DATAGRAM_BYTES_MIN = 576;

/** Where the packets begin in a datagram. */
export const PIECE_START = ENVELOPE_HEADER_BYTES + DATA_HEADER_BYTES;

/** Rule 2 of the cluster: a larger PUBLISH, in MQTT 5 form, stays on its node. */
export const PUBLISH_BYTES_MAX = 4095;

/** A packet larger than a piece begins in the open datagram if at least this much room is left. */
export const SPLIT_ROOM_BYTES_MIN = 64;

/** One that would fit into the next does so only if else this much of the open one stayed empty. */
export const STRADDLE_ROOM_BYTES_MIN = 168;

/** A datagram that arrived too early waits this long for those before it ... */
export const HOLD_MS = 20;
/** ... or until one this far ahead arrives. Power of two. */
export const HOLD_DATAGRAMS = 64;

/**
 * A split packet of which nothing more comes is forgotten after this time. Long, for it is the
 * sender that may have lost its turn on a busy machine between two pieces; whatever comes next
 * settles it at once.
 */
export const PARTIAL_MS = 5000;

/** Hello is repeated at this interval, doubled each time up to the longest, until it is answered. */
export const HELLO_FIRST_MS = 50;
export const HELLO_LONGEST_MS = 1000;
/** After this time without an answer we say so once in the log. */
export const HELLO_PATIENCE_MS = 5000;

/** Positions of peers that are offline, kept so that a recording can't be replayed on their return. */
export const RETIRED_STREAMS_MAX = 1024;
/** Counters are kept by peer name, also of peers that are gone. */
export const PEER_NAMES_MAX = 1024;

/** Repeated events are logged at most this often. */
export const LOG_INTERVAL_MS = 10_000;
