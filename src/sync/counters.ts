// The counters of the sync channel, for metrics, $SYS and logs. Counters only grow. They are plain
// numbers in plain objects, so that counting costs an addition.

import type { EnvelopeFault } from '../shared/envelope.ts';
import { PEER_NAMES_MAX } from './limits.ts';

/** Counters of a peer name; a restart of the peer does not reset them. */
export interface PeerCounters {
  sentDatagrams: number;
  sentMessages: number;
  sentBytes: number;
  /** Messages that were not sent to the peer because it has no subscriber for them (-forward=interest). */
  skippedMessages: number;
  /** Authentic datagrams of this peer, duplicate and late ones included. */
  receivedDatagrams: number;
  receivedBytes: number;
  /** Messages passed on to the broker. */
  receivedMessages: number;
  /** Messages that the peer sent to this node and that never arrived whole. */
  lostMessages: number;
  /** Data datagrams of the peer that did not arrive in time. */
  lostDatagrams: number;
  /** Messages that left before the peer had answered a hello, and for which there was no room to wait. */
  missedMessages: number;
  /** Messages of this node that the peer has reported as lost. */
  lostOutMessages: number;
  /** Data datagrams of this node that the peer has reported as lost. */
  lostOutDatagrams: number;
  /** Times that messages left without waiting for the peer, because it was silent or slow. */
  unpaced: number;
  /** Times that the peer got unicast because the multicast group no longer seemed to reach it. */
  multicastFallbacks: number;
  sentHeartbeats: number;
  receivedHeartbeats: number;
  /** Heartbeats of this node that the peer has not acknowledged. */
  lostOutHeartbeats: number;
  /** Datagrams that arrived early and were put in order. */
  reorderedDatagrams: number;
  /** Datagrams that arrived after their gap had been skipped, or are older than the peer's welcome. */
  lateDatagrams: number;
  /** Datagrams that had arrived before: repeated by the network, or replayed. */
  duplicateDatagrams: number;
  /** Authentic bodies or packets that break docs/protocol.md: a fault in the peer's program. */
  malformed: number;
  /** Datagrams that arrived before the peer's welcome and found no room to wait for it. */
  earlyDropped: number;
  /** Datagrams dropped because -encrypt differs between this node and the peer. */
  wrongMode: number;
}

/** The counters of every peer since the start of the process; the names that came first are forgotten first. */
export class CountersByName {
  readonly #counters = new Map<string, PeerCounters>();

  of(name: string): PeerCounters {
    let counters = this.#counters.get(name);
    if (counters === undefined) {
      if (this.#counters.size >= PEER_NAMES_MAX) deleteOldest(this.#counters);
      counters = newPeerCounters();
      this.#counters.set(name, counters);
    }
    return counters;
  }

  [Symbol.iterator](): Iterator<[string, PeerCounters]> {
    return this.#counters[Symbol.iterator]();
  }
}

export function deleteOldest<K>(map: Map<K, unknown>): void {
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}

/** Why a datagram was dropped before it could be assigned to a peer. Nothing answers it. */
export type DropReason = EnvelopeFault | 'unknownSender';

export interface ChannelCounters {
  /** Messages accepted for forwarding, each counted once for all peers. */
  forwardedMessages: number;
  forwardedBytes: number;
  /** Messages not forwarded because they have 4096 bytes or more in MQTT 5 form. */
  tooLargeMessages: number;
  /** Messages not forwarded because no other node was online, though others are expected. */
  noPeerMessages: number;
  /** Messages not forwarded because of -topics. */
  filteredMessages: number;
  /** Messages discarded by -queue-policy because the network did not keep up. */
  queueDroppedMessages: number;
  /** Data datagrams sent through the multicast group, once for all peers on a network. */
  multicastDatagrams: number;
  /** Datagrams in the send queue now. */
  queuedDatagrams: number;
  readonly droppedDatagrams: Record<DropReason, number>;
}

export function newPeerCounters(): PeerCounters {
  return {
    sentDatagrams: 0,
    sentMessages: 0,
    sentBytes: 0,
    skippedMessages: 0,
    receivedDatagrams: 0,
    receivedBytes: 0,
    receivedMessages: 0,
    lostMessages: 0,
    lostDatagrams: 0,
    missedMessages: 0,
    lostOutMessages: 0,
    lostOutDatagrams: 0,
    unpaced: 0,
    multicastFallbacks: 0,
    sentHeartbeats: 0,
    receivedHeartbeats: 0,
    lostOutHeartbeats: 0,
    reorderedDatagrams: 0,
    lateDatagrams: 0,
    duplicateDatagrams: 0,
    malformed: 0,
    earlyDropped: 0,
    wrongMode: 0,
  };
}

export function newChannelCounters(): ChannelCounters {
  return {
    forwardedMessages: 0,
    forwardedBytes: 0,
    tooLargeMessages: 0,
    noPeerMessages: 0,
    filteredMessages: 0,
    queueDroppedMessages: 0,
    multicastDatagrams: 0,
    queuedDatagrams: 0,
    droppedDatagrams: {
      short: 0,
      foreign: 0,
      unknownKey: 0,
      badMac: 0,
      wrongMode: 0,
      unknownSender: 0,
    },
  };
}
