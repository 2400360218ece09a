// The OpenAPI document, made from the routes. Source: OpenAPI Specification 3.1.0.

import { PROBLEM_TYPE } from './problem.ts';
import type { Route } from './route.ts';
import type { JsonSchema, Schema } from './schema.ts';

const PROBLEM: JsonSchema = {
  type: 'object',
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What is wrong with this request' },
  },
  required: ['title', 'status', 'detail'],
};

/** Access to a route, in words, for the description. */
const ACCESS: Readonly<Record<Route['access'], string>> = {
  read: 'Free from this machine; needs a token from elsewhere.',
  content: 'Needs a token, unless every MQTT client may have every message.',
  change: 'Needs a token over TCP.',
};

export function openApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Shoal', version, description: 'Any node answers for all nodes.' },
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM },
    },
  };
}

function operationOf(route: Route): object {
  const { summary, access, params, query, body } = route;
  return {
    summary,
    description: ACCESS[access],
    parameters: [...parametersOf(params, 'path'), ...parametersOf(query, 'query')],
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: body.json } } },
    }),
    responses: {
      '200': { description: 'The answer', content: contentOf(route) },
      default: {
        description: 'An error (RFC 9457)',
        content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function contentOf({ response, stream }: Route): object {
  if (response !== undefined) return { 'application/json': { schema: response.json } };
  const schema = { type: 'string' };
  return stream === undefined ? { 'text/plain': { schema } } : { 'text/event-stream': { schema } };
}

function parametersOf(fields: Readonly<Record<string, Schema<unknown>>>, where: string): object[] {
  return Object.entries(fields).map(([name, { json, isOptional }]) => ({
    name,
    in: where,
    required: !isOptional,
    schema: json,
  }));
}
