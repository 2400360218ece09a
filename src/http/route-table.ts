// Every route of the HTTP API, in the order of the pages. The one list: the router, the OpenAPI document,
// docs/http.md and the commands read it.

import type { Route } from './route.ts';
import { accessRoutes } from './routes/access.ts';
import { bridgeRoutes } from './routes/bridges.ts';
import { clientRoutes } from './routes/clients.ts';
import { clusterTokenRoutes } from './routes/cluster-token.ts';
import { comqttRoutes } from './routes/comqtt.ts';
import { diagnosisRoutes } from './routes/diagnosis.ts';
import { guardRoutes } from './routes/guards.ts';
import { invitationRoutes } from './routes/invitations.ts';
import { messageRoutes } from './routes/messages.ts';
import { metricRoutes } from './routes/metrics.ts';
import { siteRoutes } from './routes/site.ts';
import { streamRoutes } from './routes/streams.ts';

export const routeTable: readonly Route[] = [
  ...siteRoutes,
  ...clientRoutes,
  ...guardRoutes,
  ...bridgeRoutes,
  ...invitationRoutes,
  ...messageRoutes,
  ...metricRoutes,
  ...comqttRoutes,
  ...accessRoutes,
  ...clusterTokenRoutes,
  ...streamRoutes,
  ...diagnosisRoutes,
];
