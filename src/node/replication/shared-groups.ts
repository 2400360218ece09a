// Joins the shared groups of the broker to those of all nodes (src/replica/group-table.ts): gives the
// table its clock and timers, and says what could not be replicated.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { GroupMembers, GroupShare, GroupSharing } from '../../broker/ports.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import type { ClusterClock } from '../../replica/cluster-clock.ts';
import { GroupTable } from '../../replica/group-table.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';

const TIDY_INTERVAL_MS = 10_000;

export interface SharedGroupsOptions {
  /** Boot id of this node. */
  readonly bootId: bigint;
  readonly clock: ClusterClock;
  readonly broker: Broker;
  send(member: bigint, message: Buffer): void;
  readonly messageBytesMax: number;
  /** -memory-limit. Default: no bound. */
  readonly memoryBytesMax?: number;
}

export class SharedGroups implements GroupSharing {
  readonly table: GroupTable;
  readonly #options: SharedGroupsOptions;
  readonly #limiter = new LogLimiter();
  readonly #tidyTimer: NodeJS.Timeout;
  #flushTimer: NodeJS.Timeout | undefined;
  #isFlushDue = false;
  #refused = 0;

  constructor(options: SharedGroupsOptions) {
    this.#options = options;
    this.table = new GroupTable({
      ...options,
      now: performance.now(),
      flushDue: () => this.#flushAtTurnEnd(),
      refused: (group) => this.#refuse(group),
    });
    this.#tidyTimer = setInterval(() => this.table.tidy(performance.now()), TIDY_INTERVAL_MS);
    this.#tidyTimer.unref();
  }

  open(name: string, filter: string, members: GroupMembers): GroupShare {
    return this.table.open(name, filter, members);
  }

  metrics(): ValuesOf<'groups'> {
    const { leftToOthers, replica } = this.table;
    const { groups: known, members } = this.table.count();
    return {
      known,
      members,
      differing: replica.differing.length,
      leftToOthers,
      refused: this.#refused,
    };
  }

  close(): void {
    clearInterval(this.#tidyTimer);
    clearTimeout(this.#flushTimer);
  }

  #flushAtTurnEnd(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    clearTimeout(this.#flushTimer);
    const now = performance.now();
    const next = this.table.flush(now);
    if (next === Number.POSITIVE_INFINITY) return;
    this.#flushTimer = setTimeout(this.#flush, Math.ceil(next - now));
    this.#flushTimer.unref();
  };

  #refuse(key: string): void {
    this.#refused += 1;
    const event = 'shared group not known to other nodes: no room, or its filter is too long';
    const total = this.#limiter.admit(event, performance.now());
    const [group, filter] = key.split('\0');
    if (total > 0) this.#options.broker.log.warn(event, { group, filter, total });
  }
}
