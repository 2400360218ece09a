// Two running processes with the same node name: decides which of them keeps it. Each side decides
// alone and from the same facts, so that exactly one yields: the one that has had the name for less
// time, or, if the times are equal, the one with the lower boot id. An earlier process of this node,
// and one that is offline, is refuted by a higher incarnation. Source: decision 0013.

import type { Endpoint } from '../shared/endpoint.ts';
import type { LocalNode } from './local-node.ts';
import type { Source } from './membership.ts';
import type { MessageSender } from './message-sender.ts';
import { isNewerIncarnation, isOnline, type MemberRecord } from './record.ts';
import type { NameClaim } from './swim-port.ts';

/** An alleged holder of the name is probed at most this often. */
const PROBE_INTERVAL_MS = 250;
/** Two names accepted within this time count as equally old. */
const SAME_AGE_MS = 1000;
/** The largest age that a record can carry. */
const AGE_MS_MAX = 0xffffffff;

/**
 * keep: nothing to do. refute: our incarnation was raised, and others must learn it. probe: the
 * alleged holder may be running and is pinged. yield: this node gives the name up.
 */
export type Verdict = 'keep' | 'refute' | 'probe' | 'yield';

export class NameConflict {
  readonly #self: LocalNode;
  readonly #sender: MessageSender;
  readonly #isLocalEndpoint: (endpoint: Endpoint) => boolean;
  #lastProbedAt = Number.NEGATIVE_INFINITY;

  constructor(
    self: LocalNode,
    sender: MessageSender,
    isLocalEndpoint: (endpoint: Endpoint) => boolean,
  ) {
    this.#self = self;
    this.#sender = sender;
    this.#isLocalEndpoint = isLocalEndpoint;
  }

  /** @param record about our name under another boot id */
  decide(now: number, record: MemberRecord, source: Source): Verdict {
    if (!isOnline(record.state)) return this.#refute(record.incarnation);
    const holder = holderEndpoint(record, source);
    if (source.kind === 'direct') {
      return this.#mustYield(now, record.bootId, record.detail?.ageMs ?? 0)
        ? 'yield'
        : this.#refute(record.incarnation);
    }
    if (holder === undefined) return 'keep';
    // Only an earlier process of ours can have been here.
    if (this.#isLocalEndpoint(holder)) return this.#refute(record.incarnation);
    if (now - this.#lastProbedAt >= PROBE_INTERVAL_MS) {
      this.#lastProbedAt = now;
      this.#sender.pingEndpoint(now, holder);
    }
    return 'probe';
  }

  /** Transit makes each side look younger to the other: in doubt both keep, and never do both yield. */
  #mustYield(now: number, otherBootId: bigint, otherAgeMs: number): boolean {
    const ownAgeMs = Math.min(this.#self.nameAgeMs(now), AGE_MS_MAX);
    if ((ownAgeMs === 0) !== (otherAgeMs === 0)) return ownAgeMs === 0;
    const aheadMs = ownAgeMs - otherAgeMs;
    return Math.abs(aheadMs) < SAME_AGE_MS ? this.#self.bootId < otherBootId : aheadMs < 0;
  }

  #refute(incarnation: number): Verdict {
    if (isNewerIncarnation(this.#self.incarnation, incarnation)) return 'keep';
    this.#self.raiseIncarnation(incarnation);
    return 'refute';
  }
}

/** The node that claims the name, as its record has it. */
export function claimOf(record: MemberRecord, source: Source): NameClaim {
  const endpoint = holderEndpoint(record, source) ?? source.from;
  return { endpoint, metadata: record.detail?.metadata };
}

/** Where the holder of the name is; undefined if neither the record nor its source says so. */
function holderEndpoint(record: MemberRecord, source: Source): Endpoint | undefined {
  if (record.detail === undefined) return undefined;
  const { address, port } = record.detail;
  if (address !== undefined) return { address, port };
  return source.kind === 'direct' ? source.from : undefined;
}
