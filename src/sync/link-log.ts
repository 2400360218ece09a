// The log lines about the path to and from each peer: a direction that fails, one that loses messages,
// and a path that is too small. A fault that lasts is logged again each minute, and has a line when it
// is over. Each line names the peer, its address, the direction, and what to look at.

import { formatEndpoint } from '../shared/endpoint.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';
import type { Peer } from '../shared/peer.ts';
import { LOG_INTERVAL_MS } from './limits.ts';

/** Seen from this node: 'in' is from the peer to this node. */
export type Direction = 'in' | 'out';

/** A change that users may want to follow, beside the log. */
export interface LinkEvent {
  readonly kind:
    | 'failed'
    | 'restored'
    | 'losing'
    | 'loss-over'
    | 'missed'
    | 'slow'
    | 'slow-over'
    | 'size'
    | 'multicast'
    | 'unicast';
  readonly direction: Direction;
  readonly peerName: string;
  readonly text: string;
}

export interface LinkLogOptions {
  readonly log: Logger;
  /** UDP port on which this node receives. */
  readonly localPort: number;
  onLinkEvent?(event: LinkEvent): void;
}

const FAILED: Readonly<Record<Direction, string>> = {
  in: 'nothing arrives from a peer on the sync port',
  out: 'nothing that this node sends arrives at a peer on the sync port',
};
const RESTORED: Readonly<Record<Direction, string>> = {
  in: 'datagrams from a peer arrive again on the sync port',
  out: 'datagrams of this node arrive again at a peer on the sync port',
};
const LOSING: Readonly<Record<Direction, string>> = {
  in: 'messages from a peer are lost',
  out: 'messages to a peer are lost',
};
const LOSS_OVER: Readonly<Record<Direction, string>> = {
  in: 'no more messages from a peer are lost',
  out: 'no more messages to a peer are lost',
};
const SLOW = 'a peer takes messages more slowly than the others, and may lose some';
const SLOW_OVER = 'a peer takes messages as fast as the others again';
const GROUP_MISSES = {
  unanswered: 'multicast does not reach a peer, which gets messages by unicast',
  loses: 'a peer loses messages by multicast, and gets them by unicast',
} as const;
const GROUP_HINTS = {
  unanswered:
    'does that node have -sync=multicast and no -bind? does a firewall or a switch on the way drop multicast (IGMP snooping without a querier)?',
  loses: 'Wi-Fi and overloaded switches lose multicast datagrams first',
} as const;
const GROUP_UNUSABLE = 'a peer gets messages by unicast: it is behind a router, or on this machine';
const MISSED = 'a peer missed messages: it was online before it answered on the sync port';
const MISSED_HINT = 'the other nodes learn a little later than this one that a node is back';
const SLOW_HINT = 'is the processor of that node busy, or its network slow?';

export class LinkLog {
  readonly #options: LinkLogOptions;
  readonly #faults = new OngoingFaults();
  readonly #limiter = new LogLimiter(LOG_INTERVAL_MS);

  constructor(options: LinkLogOptions) {
    this.#options = options;
  }

  /** No datagram passes. May be called as often as is convenient. */
  failed(direction: Direction, peer: Peer, fields: LogFields, now: number): void {
    if (!this.#faults.report(`failed ${direction} ${peer.name}`, now)) return;
    const hint = this.#blockedHint(direction, peer);
    this.#report('warn', 'failed', FAILED[direction], direction, peer, { ...fields, hint });
  }

  /** Datagrams pass again. Logs nothing if failed() has not. */
  restored(direction: Direction, peer: Peer, fields: LogFields, now: number): void {
    const lastedMs = this.#faults.resolve(`failed ${direction} ${peer.name}`, now);
    if (lastedMs === undefined) return;
    this.#report('info', 'restored', RESTORED[direction], direction, peer, { ...fields, lastedMs });
  }

  /** Some messages are lost. May be called as often as is convenient. */
  losing(direction: Direction, peer: Peer, fields: LogFields, now: number): void {
    if (!this.#faults.report(`losing ${direction} ${peer.name}`, now)) return;
    this.#report('warn', 'losing', LOSING[direction], direction, peer, fields);
  }

  lossOver(direction: Direction, peer: Peer, fields: LogFields, now: number): void {
    const lastedMs = this.#faults.resolve(`losing ${direction} ${peer.name}`, now);
    if (lastedMs === undefined) return;
    this.#report('info', 'loss-over', LOSS_OVER[direction], direction, peer, {
      ...fields,
      lastedMs,
    });
  }

  /** Messages for a peer that has just come online were lost, since it did not answer soon enough. */
  missed(peer: Peer, fields: LogFields, now: number): void {
    if (this.#limiter.admit(`missed ${peer.name}`, now) === 0) return;
    this.#report('warn', 'missed', MISSED, 'out', peer, { ...fields, hint: MISSED_HINT });
  }

  /** The other peers do not wait for this one any longer. */
  slow(peer: Peer, fields: LogFields, now: number): void {
    if (!this.#faults.report(`slow ${peer.name}`, now)) return;
    this.#report('warn', 'slow', SLOW, 'out', peer, { ...fields, hint: SLOW_HINT });
  }

  slowOver(peer: Peer, now: number): void {
    const lastedMs = this.#faults.resolve(`slow ${peer.name}`, now);
    if (lastedMs !== undefined)
      this.#report('info', 'slow-over', SLOW_OVER, 'out', peer, { lastedMs });
  }

  /** The multicast group reaches the peer. @param isFirst for the first time */
  groupReaches(peer: Peer, isFirst: boolean, now: number): void {
    const lastedMs = this.#faults.resolve(`multicast ${peer.name}`, now);
    if (lastedMs !== undefined) {
      this.#report('info', 'multicast', 'multicast reaches a peer again', 'out', peer, {
        lastedMs,
      });
    } else if (isFirst)
      this.#report('info', 'multicast', 'multicast reaches a peer', 'out', peer, {});
  }

  /** The multicast group does not reach the peer, or not well. May be called as often as is convenient. */
  groupMisses(peer: Peer, why: keyof typeof GROUP_MISSES, now: number): void {
    if (!this.#faults.report(`multicast ${peer.name}`, now)) return;
    this.#report('warn', 'unicast', GROUP_MISSES[why], 'out', peer, { hint: GROUP_HINTS[why] });
  }

  /** The peer is on no network that the group may reach. */
  groupUnusable(peer: Peer): void {
    this.#report('info', 'unicast', GROUP_UNUSABLE, 'out', peer, {});
  }

  /** The largest datagram that reaches the peer has changed. */
  sizeChanged(peer: Peer, before: number, bytes: number): void {
    if (bytes > before) {
      this.#report('info', 'size', 'larger datagrams reach a peer now', 'out', peer, { bytes });
      return;
    }
    this.#report('warn', 'size', `datagrams of ${before} bytes do not reach a peer`, 'out', peer, {
      bytes,
      hint: `the path has a smaller MTU; datagrams of ${bytes} bytes are sent to all peers from now on`,
    });
  }

  /** The peer is offline: membership says so, and these faults end without a line. */
  forget(peerName: string): void {
    for (const direction of ['in', 'out']) {
      this.#faults.forget(`failed ${direction} ${peerName}`);
      this.#faults.forget(`losing ${direction} ${peerName}`);
    }
    this.#faults.forget(`slow ${peerName}`);
    this.#faults.forget(`multicast ${peerName}`);
  }

  #blockedHint(direction: Direction, peer: Peer): string {
    const { localPort } = this.#options;
    return direction === 'in'
      ? `is UDP ${localPort} blocked for incoming datagrams here, or for outgoing ones on ${peer.name}?`
      : `is UDP ${peer.endpoint.port} blocked for incoming datagrams on ${peer.name}, or for outgoing ones here?`;
  }

  #report(
    level: 'warn' | 'info',
    kind: LinkEvent['kind'],
    event: string,
    direction: Direction,
    peer: Peer,
    fields: LogFields,
  ): void {
    this.#options.log[level](event, linkFields(direction, peer, fields));
    this.#options.onLinkEvent?.({ kind, direction, peerName: peer.name, text: event });
  }
}

function linkFields(direction: Direction, peer: Peer, fields: LogFields): LogFields {
  return { peer: peer.name, address: formatEndpoint(peer.endpoint), direction, ...fields };
}
