// What the sync channel of a node needs from outside, and how forward() answers.

import type { ChannelKeys } from '../shared/key-ring.ts';
import type { LinkLogOptions } from './link-log.ts';
import type { GroupOutbox, SyncOutbox } from './outbox.ts';
import type { QueuePolicy } from './packer.ts';
import type { PeerPublishHandler } from './packet-reader.ts';
import type { Interest } from './peer-outputs.ts';
import type { RepairHandler } from './repair.ts';
import type { RepairHead, RepairPacket } from './repair-codec.ts';

export interface SyncNodeOptions extends LinkLogOptions {
  readonly bootId: bigint;
  readonly keys: ChannelKeys;
  /** Encrypt (AES-256-GCM) instead of signing; the same on every node. */
  readonly encrypt: boolean;
  /** Topic Filters of the messages to forward. */
  readonly topics: readonly string[];
  /** Largest datagram to send, bytes. Datagrams of any size are accepted. */
  readonly datagramBytes: number;
  /**
   * Largest datagram to try to a peer at this address, bytes; undefined: `datagramBytes`.
   * @param receiveBufferBytes the option below
   */
  datagramBytesTo?(address: string, receiveBufferBytes: number): number;
  /** Of the socket, bytes of kernel memory. */
  readonly receiveBufferBytes: number;
  /** Datagrams that may wait for the network. */
  readonly queueLength: number;
  readonly queuePolicy: QueuePolicy;
  /** Other nodes are configured, so a node without peers is a fault. */
  readonly expectsPeers: boolean;
  /** How long messages wait for a first peer, ms; 0: they never wait. */
  readonly joinWaitMs?: number;
  /** Time of a monotonic clock, ms. */
  readonly now: number;
  readonly outbox: SyncOutbox;
  /** Undefined: all peers get unicast. Without effect with `interest`: then each peer gets other bytes. */
  readonly group?: GroupOutbox | undefined;
  readonly handler: PeerPublishHandler;
  /** What other nodes subscribe to; undefined: every message goes to all of them. */
  readonly interest?: Interest | undefined;
  /** Takes what is too large for datagrams; undefined: such messages stay on this node. */
  readonly large?: LargeChannel | undefined;
  /** Undefined: retained values are not repaired. */
  readonly repairHandler?: RepairHandler | undefined;
  /** @returns NONCE_BYTES unpredictable bytes */
  randomNonce(): Buffer;
  /** True while membership doubts that the peer is alive. */
  isSuspect(peerName: string): boolean;
}

/** The way of PUBLISH packets that are too large for datagrams. */
export interface LargeChannel {
  /** Of the largest packet, bytes. */
  readonly publishBytesMax: number;
  /**
   * @param packet with its stamp; kept
   * @returns how many peers are online
   */
  forward(packet: Buffer, topic: Buffer, isRetained: boolean): number;
  sendRepair(to: bigint, head: RepairHead, packets: readonly RepairPacket[]): void;
}

/**
 * Result of forward(). 'large': forwarded beside the stream, so that it has no number there.
 * 'noPeers': no other node is online. 'filtered': -topics keeps the message on this node. 'tooLarge':
 * the packet is too large to cross. 'discarded': the send queue is full.
 */
export type ForwardResult =
  | 'forwarded'
  | 'large'
  | 'noPeers'
  | 'filtered'
  | 'tooLarge'
  | 'discarded';
