// The messages that do not cross: counts each, and words why, for a log that is limited by event and reason.

import type { BridgeCounters } from './counters.ts';
import { describeCode } from './reason-text.ts';

/** No rule matches its topic, or the other side's prefix makes it longer than a Topic Name may be. */
export const NOT_MAPPED = 'no rule for its topic, or too long with its prefix';

type DropFields = {
  readonly reason: string;
  /** Undefined where the acknowledgement names a Packet Identifier only. */
  readonly topic: string | undefined;
};

export class DropLog {
  readonly #counters: BridgeCounters;
  readonly #warn: (event: string, fields: DropFields) => void;

  constructor(counters: BridgeCounters, warn: (event: string, fields: DropFields) => void) {
    this.#counters = counters;
    this.#warn = warn;
  }

  /** The far side can't take it. */
  unsendable(reason: string, topic: string): void {
    this.#counters.unsendable += 1;
    this.#warn('bridge: a message cannot be sent', { reason, topic });
  }

  /** This node can't take a message of the far side. */
  refusedHere(reason: string, topic: string | undefined): void {
    this.#counters.refusedHere += 1;
    this.#warn('bridge: a message of the far side is not taken', { reason, topic });
  }

  /** @param code of the far side's acknowledgement */
  refusedFar(code: number): void {
    this.#counters.refusedFar += 1;
    const reason = describeCode(code, undefined);
    this.#warn('bridge: the far side refuses a message', { reason, topic: undefined });
  }
}
