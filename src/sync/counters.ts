// What the sync channel counts, for metrics and for people. Counters only grow; they are plain
// numbers in plain objects so that counting costs an addition.

import type { EnvelopeFault } from '../shared/envelope.ts';

/** By peer name; they go on when the peer restarts. */
export interface PeerCounters {
  sentDatagrams: number;
  sentMessages: number;
  sentBytes: number;
  /** Authentic datagrams of this peer, whatever became of them. */
  receivedDatagrams: number;
  receivedBytes: number;
  /** Handed to the broker. */
  receivedMessages: number;
  /** Messages that the peer sent to us and that never arrived whole. */
  lostMessages: number;
  /** Datagrams that came early and were put in order. */
  reorderedDatagrams: number;
  /** Datagrams that came after their place had been given up, or from before we were welcome. */
  lateDatagrams: number;
  /** Datagrams seen before: repeated by the network, or replayed. */
  duplicateDatagrams: number;
  /** Authentic, but not what docs/protocol.md allows: a fault in the peer's program. */
  malformed: number;
  /** Datagrams that came before the peer's welcome and for which there was no room to wait. */
  earlyDropped: number;
  /** Encrypted where we expect plain, or the other way round: -encrypt differs. */
  wrongMode: number;
}

/** Datagrams dropped before they could be given to a peer; nothing answers them. */
export type DropReason = EnvelopeFault | 'unknownSender';

export interface ChannelCounters {
  /** Messages taken for forwarding (each once, however many peers there are). */
  forwardedMessages: number;
  forwardedBytes: number;
  /** Kept on this node: 4096 bytes or more in MQTT 5 form. */
  tooLargeMessages: number;
  /** Kept on this node by -topics. */
  filteredMessages: number;
  /** Given up by -queue-policy because the network did not keep up. */
  queueDroppedMessages: number;
  /** Datagrams waiting now. */
  queuedDatagrams: number;
  readonly droppedDatagrams: Record<DropReason, number>;
}

export function newPeerCounters(): PeerCounters {
  return {
    sentDatagrams: 0,
    sentMessages: 0,
    sentBytes: 0,
    receivedDatagrams: 0,
    receivedBytes: 0,
    receivedMessages: 0,
    lostMessages: 0,
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
    filteredMessages: 0,
    queueDroppedMessages: 0,
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
