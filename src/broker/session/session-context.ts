// What sessions need of the broker. BrokerContext implements it.

import type { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Accounts } from '../accounts.ts';
import type { BoundLog } from '../bound-log.ts';
import type { DeadlineQueue } from '../deadline-queue.ts';
import type { Distributor } from '../distributor.ts';
import type { Hops } from '../message/hops.ts';
import type { BrokerOptions } from '../options.ts';
import type { Authorizer, SessionStore } from '../ports.ts';
import type { Router } from '../routing/route.ts';
import type { SubscriptionTree } from '../routing/subscription-tree.ts';
import type { TopicTable } from '../routing/topic-table.ts';
import type { BrokerStats } from '../stats.ts';
import type { WorkBudget } from '../work-budget.ts';
import type { QueueMemory } from './queue-memory.ts';

/** For one session. */
export interface SessionContext {
  readonly options: BrokerOptions;
  readonly store: SessionStore;
  readonly stats: BrokerStats;
  readonly accounts: Accounts;
  readonly bounds: BoundLog;
  readonly queueMemory: QueueMemory;
  readonly hops: Hops;
  readonly deadlines: DeadlineQueue;
  readonly budget: WorkBudget;
  readonly log: Logger;
  /** For lines that clients can cause at any rate. */
  readonly limiter: LogLimiter;
}

/** For all sessions together. */
export interface SessionsContext extends SessionContext {
  readonly authorizer: Authorizer;
  readonly distributor: Distributor;
  readonly router: Router;
  readonly topics: TopicTable;
  readonly tree: SubscriptionTree;
}
