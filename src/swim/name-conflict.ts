// Two processes with one name: who keeps it. Each side decides alone, from the same facts, so that
// exactly one yields: who has had the name for less long; where that is equal, the lower boot id.
// A former process of ours, and one that is gone, is simply outbid.

import type { Endpoint } from '../shared/endpoint.ts';
import type { LocalNode } from './local-node.ts';
import type { Source } from './membership.ts';
import type { MessageSender } from './message-sender.ts';
import { isOnline, type MemberRecord } from './record.ts';

/** An alleged holder is asked at most so often. */
const ASK_INTERVAL_MS = 250;
/** Accepted within so long of each other, neither was first. */
const SAME_AGE_MS = 1000;
/** As much as a record can say. */
const AGE_MS_MAX = 0xffffffff;

/** `keep`: the name stays ours, at the incarnation we have. `outbid`: others must hear of us. */
export type Verdict = 'keep' | 'outbid' | 'ask' | 'yield';

export class NameConflict {
  readonly #self: LocalNode;
  readonly #outbox: MessageSender;
  readonly #isOurs: (endpoint: Endpoint) => boolean;
  #lastAskedAt = Number.NEGATIVE_INFINITY;

  constructor(self: LocalNode, outbox: MessageSender, isOurs: (endpoint: Endpoint) => boolean) {
    this.#self = self;
    this.#outbox = outbox;
    this.#isOurs = isOurs;
  }

  /** @param record about our name under another boot */
  judge(now: number, record: MemberRecord, source: Source): Verdict {
    if (!isOnline(record.state)) return this.#outbid(record.incarnation);
    const holder = placeOf(record, source);
    if (source.kind === 'direct') {
      return this.#mustYield(now, record.bootId, record.detail?.ageMs ?? 0)
        ? 'yield'
        : this.#outbid(record.incarnation);
    }
    if (holder === undefined) return 'keep';
    if (this.#isOurs(holder)) return this.#outbid(record.incarnation);
    if (now - this.#lastAskedAt >= ASK_INTERVAL_MS) {
      this.#lastAskedAt = now;
      this.#outbox.pingEndpoint(now, holder);
    }
    return 'ask';
  }

  /** Transit makes the other look younger to each: in doubt both keep, never do both yield. */
  #mustYield(now: number, otherBootId: bigint, otherAgeMs: number): boolean {
    const ownAgeMs = Math.min(this.#self.ageMs(now), AGE_MS_MAX);
    if ((ownAgeMs === 0) !== (otherAgeMs === 0)) return ownAgeMs === 0;
    const aheadMs = ownAgeMs - otherAgeMs;
    return Math.abs(aheadMs) < SAME_AGE_MS ? this.#self.bootId < otherBootId : aheadMs < 0;
  }

  #outbid(incarnation: number): Verdict {
    if (incarnation < this.#self.incarnation) return 'keep';
    this.#self.outbid(incarnation);
    return 'outbid';
  }
}

/** Where the holder of the name is, for the message to a person and for asking it. */
export function placeOf(record: MemberRecord, source: Source): Endpoint | undefined {
  if (record.detail === undefined) return undefined;
  const { address, port } = record.detail;
  if (address !== undefined) return { address, port };
  return source.kind === 'direct' ? source.from : undefined;
}
