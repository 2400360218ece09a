// Every bound and constant of the sync channel. docs/limits.md says what happens at each bound.

import { ENVELOPE_HEADER_BYTES } from '../shared/envelope.ts';
import { DATA_HEADER_BYTES } from './body-codec.ts';

/** Passes an Ethernet with VLAN tag, PPPoE or a tunnel unfragmented (1500 less IPv6 and UDP = 1452). */
export const DATAGRAM_BYTES_DEFAULT = 1400;
/** Jumbo frames: 9000 less IPv6 and UDP. */
export const DATAGRAM_BYTES_MAX = 8952;
export const DATAGRAM_BYTES_MIN = 576;

/** Offset of the first packet in a datagram. */
export const SEGMENT_START = ENVELOPE_HEADER_BYTES + DATA_HEADER_BYTES;

/** Rule 2 of the cluster: a larger PUBLISH, in MQTT 5 form, stays on its node. */
export const PUBLISH_BYTES_MAX = 4095;

/** A packet that must be split begins in the open datagram if at least this much room is left. */
export const SPLIT_ROOM_BYTES_MIN = 64;

/** A packet that would fit into the next datagram is split if else this much of the open one stayed empty. */
export const STRADDLE_ROOM_BYTES_MIN = 168;

/** A datagram that arrives early waits this long for those before it ... */
export const HOLD_MS = 20;
/** ... or until one this far ahead arrives. Power of two. */
export const HOLD_DATAGRAMS = 64;

/**
 * An incomplete split packet is discarded if no datagram arrives for this time. The time is long
 * because a busy sender may pause between two segments; any later datagram settles it at once.
 */
export const PARTIAL_MS = 5000;

/** Hello is repeated at this interval, doubled each time up to the longest, until it is answered. */
export const HELLO_FIRST_MS = 50;
export const HELLO_LONGEST_MS = 1000;
/** A peer that has not answered after this time is logged. */
export const HELLO_PATIENCE_MS = 5000;

/** Stream positions retained of offline peers, so that a recording can't be replayed when they return. */
export const RETIRED_STREAMS_MAX = 1024;
/** Peer names with counters, offline peers included. */
export const PEER_NAMES_MAX = 1024;

/** Repeated events are logged at most this often. */
export const LOG_INTERVAL_MS = 10_000;
