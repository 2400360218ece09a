// The parts of the API that handlers use beside the node: one set for each node.

import type { AuditLog } from './audit-log.ts';
import type { ClientTimeline } from './client-timeline.ts';
import type { EventLog } from './event-log.ts';
import type { StreamCounters } from './event-stream.ts';
import type { Route } from './route.ts';
import type { TokenStore } from './token-store.ts';

export interface Services {
  readonly routes: readonly Route[];
  readonly events: EventLog;
  readonly timeline: ClientTimeline;
  readonly streams: StreamCounters;
  readonly tokens: TokenStore;
  readonly audit: AuditLog;
}
