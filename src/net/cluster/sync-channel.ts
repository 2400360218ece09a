// The sync channel on a UDP socket: gives the core in src/sync its socket, clock, timer and
// randomness. All that was forwarded in one turn of the event loop leaves at the end of that turn.
// Invariant: verdicts on what is missing wait until the datagrams that the kernel already holds
// have been read, so that a stall of ours is not taken for loss.

import { randomBytes } from 'node:crypto';
import type { PublishView } from '../../mqtt/publish-view.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import type { ChannelKeys } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Peer } from '../../shared/peer.ts';
import { NONCE_BYTES } from '../../sync/body-codec.ts';
import type { ChannelCounters } from '../../sync/counters.ts';
import type { QueuePolicy } from '../../sync/packer.ts';
import { type PeerStatus, SyncNode } from '../../sync/sync-node.ts';
import { type UdpCounters, UdpSocket } from './udp.ts';

export interface SyncChannelOptions {
  readonly bootId: bigint;
  readonly keys: ChannelKeys;
  /** Encrypt (AES-256-GCM) in place of signing; must be the same on all nodes. */
  readonly encrypt: boolean;
  /** IP literal; undefined = every address of the machine. */
  readonly bind?: string | undefined;
  /** 0 = any free port. */
  readonly port: number;
  /** Topic Filters of what is forwarded. */
  readonly topics: readonly string[];
  /** Largest datagram that is sent; of any size are received. */
  readonly datagramBytes: number;
  /** Datagrams that may wait for the network. */
  readonly queueLength: number;
  readonly queuePolicy: QueuePolicy;
  readonly log: Logger;
  /** A PUBLISH of a peer in MQTT 5 form; `view` is valid during the call only. */
  deliver(view: PublishView, peerName: string): void;
}

/** What the kernel is asked for: a burst of a fast peer must wait there while we do other things. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export class SyncChannel {
  readonly #socket: UdpSocket;
  readonly #node: SyncNode;
  #isFlushDue = false;
  #isOpen = true;
  #timer: NodeJS.Timeout | undefined;
  /** When #timer fires; Infinity while there is none. */
  #timerAt = Number.POSITIVE_INFINITY;

  private constructor(socket: UdpSocket, node: SyncNode) {
    this.#socket = socket;
    this.#node = node;
  }

  /** Rejects with a BindError where the port can't be had. */
  static async open(options: SyncChannelOptions): Promise<SyncChannel> {
    let channel: SyncChannel | undefined;
    const socket = await UdpSocket.open({
      bind: options.bind,
      port: options.port,
      flag: '-csp',
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      log: options.log,
      onDatagram: (datagram) => channel?.receive(datagram),
      onDrain: () => channel?.flush(),
    });
    if (socket.receiveBufferBytes < RECEIVE_BUFFER_BYTES) tellSmallBuffer(socket, options.log);
    const node = new SyncNode({
      bootId: options.bootId,
      keys: options.keys,
      encrypt: options.encrypt,
      topics: options.topics,
      datagramBytes: options.datagramBytes,
      queueLength: options.queueLength,
      queuePolicy: options.queuePolicy,
      log: options.log,
      outbox: {
        send: (datagram, to) => socket.send(datagram, to),
        isReady: () => !socket.isFull,
      },
      randomNonce: () => randomBytes(NONCE_BYTES),
      deliver: (view, peerName) => options.deliver(view, peerName),
    });
    channel = new SyncChannel(socket, node);
    return channel;
  }

  get local(): Endpoint {
    return this.#socket.local;
  }

  get counters(): Readonly<ChannelCounters> {
    return this.#node.counters;
  }

  get socketCounters(): Readonly<UdpCounters> {
    return this.#socket.counters;
  }

  /** Every peer seen since the start, online or not. */
  peers(): Iterable<PeerStatus> {
    return this.#node.peers();
  }

  /** Those that are online now; replaces the list. */
  setPeers(peers: readonly Peer[]): void {
    this.#node.setPeers(peers, performance.now());
    this.#schedule();
  }

  /** Signs with the first of other keys from now on and accepts all of them. */
  rekey(keys: ChannelKeys): void {
    this.#node.rekey(keys);
  }

  /** Takes a PUBLISH for all online peers; see SyncNode.forward(). */
  forward(view: PublishView, topic: Buffer): void {
    if (!this.#node.forward(view, topic) || this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#onTurnEnd);
  }

  close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    return this.#socket.close();
  }

  private receive(datagram: Buffer): void {
    if (!this.#isOpen) return;
    this.#node.receive(datagram, performance.now());
    this.#schedule();
  }

  private flush(): void {
    if (this.#isOpen) this.#node.flush(performance.now());
  }

  readonly #onTurnEnd = (): void => {
    this.#isFlushDue = false;
    this.flush();
  };

  /** Makes sure that the timer fires no later than the core wants. */
  #schedule(): void {
    const deadline = this.#node.nextDeadline();
    if (deadline >= this.#timerAt || !this.#isOpen) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    this.#timer = setTimeout(this.#onTimer, Math.max(0, deadline - performance.now()));
    this.#timer.unref();
  }

  /** Timers run before the sockets are read; setImmediate comes after. */
  readonly #onTimer = (): void => {
    setImmediate(this.#onSocketsRead);
  };

  readonly #onSocketsRead = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (!this.#isOpen) return;
    this.#node.advance(performance.now());
    this.#schedule();
  };
}

function tellSmallBuffer(socket: UdpSocket, log: Logger): void {
  log.info('the system grants a small receive buffer; bursts from other nodes may be lost', {
    bytes: socket.receiveBufferBytes,
    hint: `sysctl -w net.core.rmem_max=${RECEIVE_BUFFER_BYTES}`,
  });
}
