// Rates of PUBLISH packets and bytes, of each client and of all clients of a listener. A client over a
// rate is slowed: its packet waits, and the broker reads no further one, so that TCP holds the client
// back. No message is lost and no client is disconnected for its rate.
// Invariant: a listener without rates costs one comparison for each packet, and its clients no memory.

import { PacketType, packetTypeOf } from '../mqtt/packet-type.ts';
import type { ListenerRateConfig } from '../shared/listener-config.ts';
import { type Rate, RateMeter } from './rate-meter.ts';

const NO_RATE: Rate = { perSecond: Number.POSITIVE_INFINITY, burstMs: 0 };

/** Rates of one listener, which its clients refer to: a reload changes them for all. */
export class ListenerRates {
  isLimited = false;
  clientMessages: Rate = NO_RATE;
  clientBytes: Rate = NO_RATE;
  messages: Rate = NO_RATE;
  bytes: Rate = NO_RATE;
  readonly messageMeter = new RateMeter();
  readonly byteMeter = new RateMeter();

  configure(settings: ListenerRateConfig): void {
    const burstMs = settings.burstSeconds * 1000;
    this.clientMessages = { perSecond: settings.clientMessages, burstMs };
    this.clientBytes = { perSecond: settings.clientBytes, burstMs };
    this.messages = { perSecond: settings.listenerMessages, burstMs };
    this.bytes = { perSecond: settings.listenerBytes, burstMs };
    const all = [this.clientMessages, this.clientBytes, this.messages, this.bytes];
    this.isLimited = all.some(({ perSecond }) => perSecond < Number.POSITIVE_INFINITY);
  }
}

/** For connections without a listener's rates. */
export const noRates = new ListenerRates();

/** What one client has sent, measured against the rates of its listener. */
export class ClientRates {
  readonly #listener: ListenerRates;
  readonly #messages = new RateMeter();
  readonly #bytes = new RateMeter();

  constructor(listener: ListenerRates) {
    this.#listener = listener;
  }

  /** Charges a packet. @returns how long it has to wait, milliseconds; 0: not at all */
  charge(firstByte: number, bytes: number, now: number): number {
    const { clientMessages, clientBytes, messages, bytes: allBytes } = this.#listener;
    const own = this.#bytes.charge(bytes, clientBytes, now);
    const shared = this.#listener.byteMeter.charge(bytes, allBytes, now);
    const waitMs = Math.max(own, shared);
    if (packetTypeOf(firstByte) !== PacketType.publish) return waitMs;
    return Math.max(
      waitMs,
      this.#messages.charge(1, clientMessages, now),
      this.#listener.messageMeter.charge(1, messages, now),
    );
  }
}
