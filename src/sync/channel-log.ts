// The log lines about the sync channel of this node as a whole: messages that are not forwarded, a
// send queue that overflows, and peers with another -encrypt. Lines of one event are limited to one a
// minute, and a fault that is over has a line too.

import { LogLimiter } from '../shared/log-limiter.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';
import type { ChannelCounters } from './counters.ts';
import { LOG_INTERVAL_MS } from './limits.ts';

const TOO_LARGE = 'a message of 4096 bytes or more is not forwarded to other nodes';
const QUEUE_FULL = 'messages to other nodes are discarded: the send queue is full';
const QUEUE_OK = 'the send queue to other nodes has room again';
const ALONE = 'no other node is online: messages stay on this node';
const NOT_ALONE = 'messages are forwarded to other nodes again';
const MODE_DIFFERS = '-encrypt differs between this node and a peer; nothing crosses';
const MODE_AGREES = '-encrypt agrees with the peer again';

/** The send queue is well again after this time without a discarded message. */
const QUEUE_OK_MS = 10_000;

export class ChannelLog {
  readonly #log: Logger;
  readonly #counters: Readonly<ChannelCounters>;
  readonly #limiter = new LogLimiter(LOG_INTERVAL_MS);
  readonly #faults = new OngoingFaults();
  /** The message to name in the next line about too large ones. */
  #tooLarge: LogFields | undefined;
  #discarded = 0;
  #discardedAt = 0;
  #withoutPeer = 0;

  constructor(log: Logger, counters: Readonly<ChannelCounters>) {
    this.#log = log;
    this.#counters = counters;
  }

  /** Notes a message for the next write(). */
  tooLarge(topic: Buffer, clientId: string | undefined, bytes: number): void {
    this.#tooLarge ??= { topic: topic.toString('utf8'), client: clientId, bytes };
  }

  /** Writes the lines that are due. Cheap if nothing has changed. */
  write(now: number): void {
    if (this.#tooLarge !== undefined) this.#writeTooLarge(this.#tooLarge, now);
    const { queueDroppedMessages, noPeerMessages } = this.#counters;
    if (queueDroppedMessages > this.#discarded) {
      this.#discarded = queueDroppedMessages;
      this.#discardedAt = now;
      if (this.#faults.report(QUEUE_FULL, now)) {
        this.#log.warn(QUEUE_FULL, { total: queueDroppedMessages });
      }
    } else if (this.#faults.size > 0 && now - this.#discardedAt >= QUEUE_OK_MS) {
      this.#resolve(QUEUE_FULL, QUEUE_OK, { total: queueDroppedMessages }, now);
    }
    if (noPeerMessages > this.#withoutPeer) {
      this.#withoutPeer = noPeerMessages;
      if (this.#faults.report(ALONE, now)) this.#log.warn(ALONE, { total: noPeerMessages });
    }
  }

  /** A peer accepts messages. */
  peersFound(now: number): void {
    this.#resolve(ALONE, NOT_ALONE, { missed: this.#counters.noPeerMessages }, now);
  }

  modeDiffers(peerName: string, encrypt: boolean, now: number): void {
    if (!this.#faults.report(`${MODE_DIFFERS} ${peerName}`, now)) return;
    const [here, there] = encrypt ? ['on', 'off'] : ['off', 'on'];
    this.#log.error(MODE_DIFFERS, { peer: peerName, here, there });
  }

  modeAgrees(peerName: string, now: number): void {
    if (this.#faults.size === 0) return;
    this.#resolve(`${MODE_DIFFERS} ${peerName}`, MODE_AGREES, { peer: peerName }, now);
  }

  /** The peer is offline: its faults end without a line. */
  forget(peerName: string): void {
    this.#faults.forget(`${MODE_DIFFERS} ${peerName}`);
  }

  #writeTooLarge(fields: LogFields, now: number): void {
    const { tooLargeMessages: total } = this.#counters;
    if (!this.#limiter.admitTotal(TOO_LARGE, total, now)) return;
    this.#tooLarge = undefined;
    const hint = 'only subscribers of this node get it; -large sends larger ones as well';
    this.#log.warn(TOO_LARGE, { ...fields, total, hint });
  }

  #resolve(key: string, event: string, fields: LogFields, now: number): void {
    const lastedMs = this.#faults.resolve(key, now);
    if (lastedMs !== undefined) this.#log.info(event, { ...fields, lastedMs });
  }
}
