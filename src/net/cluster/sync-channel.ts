// The sync channel on a UDP socket: gives the core in src/sync its socket, clock, timer and
// randomness. All that was forwarded in one turn of the event loop leaves at the end of that turn.
// Invariant: the core's timers run after the datagrams that the kernel already holds have been read,
// so that a stall of this process is not taken for loss.

import { randomBytes } from 'node:crypto';
import { platform } from 'node:os';
import type { PublishView } from '../../mqtt/publish-view.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import { isProbe } from '../../shared/envelope.ts';
import type { ChannelKeys } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Peer } from '../../shared/peer.ts';
import type { Stamp } from '../../shared/stamp.ts';
import { NONCE_BYTES } from '../../sync/body-codec.ts';
import type { ChannelCounters } from '../../sync/counters.ts';
import type { PeerStatus } from '../../sync/peer-status.ts';
import type { RepairHead, RepairPacket } from '../../sync/repair-codec.ts';
import { SyncNode } from '../../sync/sync-node.ts';
import type { ForwardResult, SyncNodeOptions } from '../../sync/sync-options.ts';
import { MulticastGroup } from './multicast-group.ts';
import {
  RECEIVE_BUFFER_BYTES,
  receiveBufferRemedy,
  SMALL_RECEIVE_BUFFER,
} from './receive-buffer.ts';
import { type UdpCounters, UdpSocket } from './udp.ts';

export interface SyncChannelOptions
  extends Omit<
    SyncNodeOptions,
    'outbox' | 'group' | 'randomNonce' | 'now' | 'localPort' | 'receiveBufferBytes'
  > {
  /** IP literal; undefined: every address of the machine. */
  readonly bind?: string | undefined;
  /** 0: any free port. */
  readonly port: number;
  /** Of -sync: peers on one network get one datagram together. */
  readonly isMulticast?: boolean;
  /** A probe, which no check has passed yet; it is no business of the channel. */
  onProbe?(datagram: Buffer, from: Endpoint): void;
}

export class SyncChannel {
  readonly #socket: UdpSocket;
  readonly #node: SyncNode;
  /** Undefined: all peers get unicast. */
  readonly #group: MulticastGroup | undefined;
  readonly #onProbe: (datagram: Buffer, from: Endpoint) => void;
  #isFlushDue = false;
  #isOpen = true;
  #timer: NodeJS.Timeout | undefined;
  /** When #timer fires; Infinity without a timer. */
  #timerAt = Number.POSITIVE_INFINITY;

  private constructor(
    socket: UdpSocket,
    group: MulticastGroup | undefined,
    node: SyncNode,
    options: SyncChannelOptions,
  ) {
    this.#socket = socket;
    this.#group = group;
    this.#node = node;
    this.#onProbe = (datagram, from) => options.onProbe?.(datagram, from);
  }

  /** Rejects with a BindError if the port can't be opened. */
  static async open(options: SyncChannelOptions): Promise<SyncChannel> {
    let channel: SyncChannel | undefined;
    const socket = await UdpSocket.open({
      bind: options.bind,
      port: options.port,
      flag: '-csp',
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      log: options.log,
      onDatagram: (datagram, from) => channel?.receive(datagram, from),
      onDrain: () => channel?.flush(),
    });
    if (socket.receiveBufferBytes < RECEIVE_BUFFER_BYTES) logSmallBuffer(socket, options.log);
    const group = !options.isMulticast
      ? undefined
      : new MulticastGroup({
          ...options,
          bind: options.bind,
          join: (group, through) => socket.joinGroup(group, through),
          onDrain: () => channel?.flush(),
        });
    const node = new SyncNode({
      ...options,
      now: performance.now(),
      localPort: socket.local.port,
      receiveBufferBytes: socket.receiveBufferBytes,
      outbox: {
        send: (datagram, to) => socket.send(datagram, to),
        isReady: () => !socket.isFull && group?.isFull !== true,
      },
      group,
      randomNonce: () => randomBytes(NONCE_BYTES),
    });
    channel = new SyncChannel(socket, group, node, options);
    channel.#schedule();
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

  /** Every peer since the start of the process, online or not. */
  peers(): Iterable<PeerStatus> {
    return this.#node.peers(performance.now());
  }

  /** Replaces the list of peers that are online. */
  setPeers(peers: readonly Peer[]): void {
    this.#node.setPeers(peers, performance.now());
    this.#schedule();
  }

  /** Signs with the first of these keys from now on, and accepts all of them. */
  rekey(keys: ChannelKeys): void {
    this.#node.rekey(keys);
    this.#group?.rekey(keys);
  }

  /** Sends a PUBLISH to all online peers at the end of this turn; see SyncNode.forward(). */
  forward(
    view: PublishView,
    topic: Buffer,
    clientId: string | undefined,
    stamp?: Stamp,
  ): ForwardResult {
    const result = this.#node.forward(view, topic, clientId, stamp);
    if (!this.#isFlushDue && result !== 'filtered') {
      this.#isFlushDue = true;
      setImmediate(this.#onTurnEnd);
    }
    return result;
  }

  /** Number of the last message that was 'forwarded', in the stream of this node. */
  get lastNumber(): number {
    return this.#node.lastNumber;
  }

  /** Room for packets in a repair block that needs one datagram, bytes. */
  get repairRoom(): number {
    return this.#node.repairRoom;
  }

  /** Of the largest packet that crosses to other nodes. */
  get publishBytesMax(): number {
    return this.#node.publishBytesMax;
  }

  /** True while a repair block may be sent. */
  get isIdle(): boolean {
    return this.#node.isIdle;
  }

  /** Sends retained values to one peer; see SyncNode.sendRepair(). */
  sendRepair(to: bigint, head: RepairHead, packets: readonly RepairPacket[]): void {
    this.#node.sendRepair(to, head, packets);
  }

  /** Size of the socket's receive buffer, as the system reports it. */
  get receiveBufferBytes(): number {
    return this.#socket.receiveBufferBytes;
  }

  /** Sends a datagram as it is. */
  sendDatagram(datagram: Buffer, to: Endpoint): void {
    if (this.#isOpen) this.#socket.send(datagram, to);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    await Promise.all([this.#socket.close(), this.#group?.close()]);
  }

  private receive(datagram: Buffer, from: Endpoint): void {
    if (!this.#isOpen) return;
    if (isProbe(datagram)) {
      this.#onProbe(datagram, from);
      return;
    }
    this.#node.receive(datagram, performance.now());
    this.#schedule();
  }

  private flush(): void {
    if (!this.#isOpen) return;
    this.#node.flush(performance.now());
    this.#schedule();
  }

  readonly #onTurnEnd = (): void => {
    this.#isFlushDue = false;
    this.flush();
  };

  /** Sets the timer if the core's deadline is earlier than its time. */
  #schedule(): void {
    const deadline = this.#node.nextDeadline();
    if (deadline >= this.#timerAt || !this.#isOpen) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    this.#timer = setTimeout(this.#onTimer, Math.max(0, deadline - performance.now()));
    this.#timer.unref();
  }

  /** Timers run before the sockets are read, setImmediate after. */
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

function logSmallBuffer(socket: UdpSocket, log: Logger): void {
  log.warn(SMALL_RECEIVE_BUFFER, {
    bytes: socket.receiveBufferBytes,
    wanted: RECEIVE_BUFFER_BYTES,
    hint: receiveBufferRemedy(platform()),
  });
}
