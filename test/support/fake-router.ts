// The routes of the HTTP API over a node that is a stand-in: without tokens, and nothing is logged.

import { AuditLog } from '../../src/http/audit-log.ts';
import { ClientTimeline } from '../../src/http/client-timeline.ts';
import { EventLog } from '../../src/http/event-log.ts';
import { routeTable } from '../../src/http/route-table.ts';
import { Router } from '../../src/http/router.ts';
import { TokenStore } from '../../src/http/token-store.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import type { FakeNodeApi } from './fake-node-api.ts';

export async function makeRouter(
  node: FakeNodeApi,
  { audit = new AuditLog(silentLogger), streams = { open: 0, dropped: 0 } } = {},
): Promise<Router> {
  return new Router(routeTable, node, {
    routes: routeTable,
    tokens: await TokenStore.open(undefined),
    audit,
    events: new EventLog(silentLogger),
    timeline: new ClientTimeline(),
    streams,
  });
}
