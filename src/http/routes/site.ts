// Routes about the nodes of the site: their state, and whether this one is healthy and ready.

import { nodeSchema, verdictSchema } from '../node-api.ts';
import { route } from '../route.ts';
import { array, object, oneOf, text } from '../schema.ts';

export const siteRoutes = [
  route({
    method: 'GET',
    path: '/healthz',
    access: 'read',
    scope: 'node',
    summary: 'whether the process answers',
    response: object({ status: oneOf(['ok']), node: text() }),
    handler: ({ node }) => ({ status: 'ok', node: node.name }) as const,
  }),
  route({
    method: 'GET',
    path: '/readyz',
    access: 'read',
    scope: 'node',
    summary: 'whether clients can be sent here: 200, or 503 with the reasons',
    response: object({ status: oneOf(['ready', 'not ready']), reasons: array(text()) }),
    status: ({ status }) => (status === 'ready' ? 200 : 503),
    handler: ({ node }) => {
      const reasons = node.obstacles();
      return { status: reasons.length === 0 ? 'ready' : 'not ready', reasons } as const;
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/nodes',
    access: 'read',
    scope: 'cluster',
    summary: 'the verdict on the site, and every node with its state and figures',
    response: object({ verdict: verdictSchema, nodes: array(nodeSchema, 256) }),
    handler: ({ node }) => ({ verdict: node.verdict(), nodes: node.nodes() }),
  }),
];
