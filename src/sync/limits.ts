// Every bound and constant of the sync channel. docs/limits.md says what happens at each bound.

import { ENVELOPE_HEADER_BYTES } from '../shared/envelope.ts';
import { DATA_HEADER_BYTES } from './body-codec.ts';

/** Passes an Ethernet with VLAN tag, PPPoE or a tunnel unfragmented (1500 less IPv6 and UDP = 1452). */
export const DATAGRAM_BYTES_DEFAULT = 1400;
/** Loopback: what the kernel keeps in a block of 64 KB (see kernelBytes()). */
export const DATAGRAM_BYTES_MAX = 65_000;
/** Loopback, where the receive buffer is small. */
const DATAGRAM_BYTES_HALF = 32_000;
/** Jumbo frames: 9000 less IPv6 and UDP. */
const DATAGRAM_BYTES_JUMBO = 8952;
/** A larger repair block would hold live messages up. */
export const REPAIR_DATAGRAM_BYTES_MAX = DATAGRAM_BYTES_JUMBO;
export const DATAGRAM_BYTES_MIN = 576;

/** Offset of the first packet in a datagram. */
export const SEGMENT_START = ENVELOPE_HEADER_BYTES + DATA_HEADER_BYTES;

/** Rule 2 of the cluster: a larger PUBLISH, in MQTT 5 form, stays on its node. */
export const PUBLISH_BYTES_MAX = 4095;

/** The most that -large allows. */
export const LARGE_BYTES_MAX = 16 * 1024 * 1024;

/** The version of a retained value, behind its packet: time (6), sequence (6). */
export const STAMP_BYTES = 12;
/** What one packet takes in the stream at most. */
export const STREAM_PACKET_BYTES_MAX = PUBLISH_BYTES_MAX + STAMP_BYTES;

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
/** From this hello on smaller ones are sent as well, in case the path is too small for the first. */
export const HELLO_SMALLER_FROM = 4;

/** Hellos to peers that have never answered, of the whole node: the first of each peer ... */
export const HELLOS_FIRST = 6;
export const HELLOS_FIRST_PER_SECOND = 256;
/** ... and later ones. */
export const HELLOS_LATER_PER_SECOND = 64;

/** Data datagrams held for peers that have not answered a first hello, ... */
export const HELD_DATAGRAMS_MAX = 64;
/** ... which leave at once when a peer answers, so that they fit into the default receive buffer, as the kernel counts. */
export const HELD_BYTES_MAX = 384 * 1024;

/** A heartbeat goes to each peer at this interval: 88 bytes/s on an Ethernet. */
export const HEARTBEAT_MS = 1500;
/** Interval while it is doubtful whether datagrams pass. */
export const HEARTBEAT_FAST_MS = 250;
/** A direction is doubtful after this time without a datagram from the peer. */
export const INCOMING_DOUBT_MS = 2000;
/** No datagram of the peer has arrived for this time: the incoming direction fails. */
export const INCOMING_FAILED_MS = 4500;
/** A report that misses a heartbeat of ours sent this long before makes the direction doubtful. */
export const OUTGOING_DOUBT_MS = 250;
/** The outgoing direction fails when the peer's reports miss this many heartbeats in a row, ... */
export const OUTGOING_FAILED_HEARTBEATS = 8;
/** ... the first of them for at least this time. */
export const OUTGOING_FAILED_MS = 2500;
/** A failed direction works again when this many heartbeats have passed. */
export const RESTORED_HEARTBEATS = 3;
/** A peer's loss is over after this time without another lost message. */
export const LOSS_OVER_MS = 60_000;
/** A message that the peer has not confirmed after this time counts as lost while a direction fails. */
export const UNCONFIRMED_MS = 1000;
/** A process that has not run its timers for this long has stalled. Above HEARTBEAT_MS. */
export const STALL_MS = 3000;
/** Heartbeats whose acknowledgement is awaited, per peer. Power of two. */
export const SENT_HEARTBEATS_MAX = 32;

/** Sizes of datagrams to fall back to if larger ones do not reach a peer, bytes. */
export const FALLBACK_DATAGRAM_BYTES: readonly number[] = [
  DATAGRAM_BYTES_HALF,
  DATAGRAM_BYTES_JUMBO,
  4200,
  DATAGRAM_BYTES_DEFAULT,
  1200,
  576,
];
/** A datagram size fails when this many probes are lost while small heartbeats pass. */
export const PROBES_LOST_MAX = 3;
/** After a probe that passed, loss starts another one no earlier than this. */
export const PROBE_INTERVAL_MS = 10_000;
/** How often a larger datagram size is tried again (RFC 8899: PMTU_RAISE_TIMER). */
export const RAISE_INTERVAL_MS = 600_000;

/** What may be under way to a peer before its first ack says more, in bytes of kernel memory. */
export const WINDOW_BYTES_DEFAULT = 32 * 1024;
/** A data datagram asks for an ack at least this often. */
export const ACK_INTERVAL_MS = 250;
/** Asks that had no answer for this time: large datagrams may have stopped arriving. */
export const ACKS_MISSING_MS = 400;
/** Datagrams under way to a peer at most ... */
export const WINDOW_DATAGRAMS_MAX = 512;
/** ... and, however many are lost, at least, if the peer's socket has room for them. */
export const WINDOW_DATAGRAMS_MIN = 16;
/** Part of the receive buffer that a datagram takes at most, so that several can be under way. */
export const DATAGRAM_SHARE_MAX = 1 / 8;
/** Part of the receive buffer that the peers together are granted. */
export const GRANTED_SHARE = 1 / 2;
/** A peer that has sent data within this time has a share of the receive buffer. */
export const SENDING_MS = 1000;
/** While a full window waits for an ack, one more datagram leaves at this interval, and asks again. */
export const ASK_AGAIN_MS = 25;
/** A peer that has not acknowledged a full window for this time is not waited for until it does. */
export const SILENT_WINDOW_MS = 500;
/** Messages wait this long for one peer while others could take them, judged at this interval; ... */
export const SLOW_DELAY_MS = 200;
export const SLOW_CHECK_MS = 50;
/** ... then the peer is not waited for, for this time. */
export const SLOW_PEER_MS = 1000;

/** An answer through the multicast group, or an ack of what came by it, that takes longer is overdue. */
export const GROUP_DOUBT_MS = 400;
/** A peer that answers no hello through the group for this time, but is heard, has a log line. */
export const GROUP_FAULT_MS = 1000;
/** From one hello through the group to the next at most. */
export const GROUP_HELLO_MS = 10_000;
/** Datagrams of the group that a peer may lose, of those sent in this time. */
export const GROUP_LOSS_SHARE_MAX = 0.02;
export const GROUP_LOSS_PERIOD_MS = 1000;
/** A peer that loses more gets unicast for this time, doubled each time up to the longest. */
export const GROUP_REST_FIRST_MS = 10_000;
export const GROUP_REST_LONGEST_MS = 600_000;

/** Messages wait this long for the first peer: after the start, or since the last peer went offline. */
export const JOIN_WAIT_MS = 10_000;
/** From the first peer that accepts messages to the release of those that wait ... */
export const JOIN_GRACE_MS = 300;
/** ... or this long, while other online peers do not accept them yet. */
export const JOIN_GRACE_LONGEST_MS = 1000;
/** Released messages leave in bursts of this many datagrams, which a small receive buffer takes, ... */
export const RELEASE_DATAGRAMS = 32;
/** ... one burst at this interval. */
export const RELEASE_INTERVAL_MS = 5;

/** Stream positions retained of offline peers, so that a recording can't be replayed when they return. */
export const RETIRED_STREAMS_MAX = 1024;
/** Peer names with counters, offline peers included. */
export const PEER_NAMES_MAX = 1024;

/** Repeated events are logged at most this often. */
export const LOG_INTERVAL_MS = 10_000;
