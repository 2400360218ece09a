// Routes about the API itself: its tokens, and what was changed through it.

import { auditSchema } from '../audit-log.ts';
import { openApi } from '../openapi.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { any, array, integer, number, object, optional, record, text } from '../schema.ts';

export const accessRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/openapi.json',
    access: 'read',
    scope: 'cluster',
    summary: 'the OpenAPI document of these routes',
    response: record(any('OpenAPI 3.1')),
    handler: ({ node, services }) => ({ ...openApi(services.routes, node.version) }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/audit',
    access: 'read',
    scope: 'node',
    summary: 'the last changes through the API: what, by whom, from where',
    response: auditSchema,
    handler: ({ services }) => ({ entries: services.audit.entries }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/tokens',
    access: 'change',
    scope: 'node',
    summary: 'the tokens of this node, without their secrets',
    response: object({
      tokens: array(object({ id: text(), createdAt: number('ms since 1970') })),
    }),
    handler: ({ services }) => ({ tokens: services.tokens.list() }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/tokens',
    access: 'change',
    scope: 'node',
    summary: 'makes a token for the HTTP API of this node; it is shown only here',
    response: object({ token: text() }),
    handler: async ({ services }) => ({ token: await services.tokens.issue() }),
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/tokens',
    access: 'change',
    scope: 'node',
    summary: 'makes one token void, or all of them',
    query: { id: optional(text({ help: 'The part of the token before the dot' })) },
    response: object({ revoked: integer(0, 1000) }),
    handler: async ({ services, query }) => {
      const revoked = await services.tokens.revoke(query.id);
      if (query.id !== undefined && revoked === 0)
        throw new HttpProblem(404, 'There is no such token.');
      return { revoked };
    },
  }),
];
