// Routes about clients and their subscriptions, on all nodes: a node knows the sessions that it has.

import { clientDetailSchema } from '../client-detail-view.ts';
import {
  type ClientView,
  clientSchema,
  type SubscriptionView,
  subscriptionSchema,
  timelineSchema,
} from '../node-api.ts';
import { mergePages, pageOf, pageQuery, pageView } from '../page.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { array, flag, integer, object, optional, type Schema, text } from '../schema.ts';

const id = { id: text({ help: 'Client Identifier, percent-encoded', maxLength: 65_535 }) };
const node = pageQuery.node;

/** A page of items; `missing` names nodes that did not answer. */
export function pageSchema<T>(items: Schema<T>) {
  return object(pageFields(items));
}

export function pageFields<T>(items: Schema<T>) {
  return {
    items: array(items),
    total: integer(0, 2 ** 53, 'All that match, on this page or not'),
    next: optional(text({ help: 'Value of `after` for the next page; left out on the last one' })),
    missing: optional(array(object({ node: text(), problem: text() }))),
  };
}

const clientKey = (client: ClientView): string => client.id;
const subscriptionKey = (one: SubscriptionView): string => `${one.filter}\n${one.client}`;

const done = object({ nodes: array(text(), 4096, 'Where it was done') });

function noClient(clientId: string, what: string): HttpProblem {
  return new HttpProblem(404, `There is no ${what} of a client '${clientId.slice(0, 64)}'.`);
}

function joinDone(answers: readonly { readonly nodes: readonly string[] }[]) {
  return { nodes: answers.flatMap(({ nodes }) => nodes) };
}

export const clientRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/clients',
    access: 'read',
    scope: 'merged',
    summary: 'clients by identifier, connected or with a session',
    query: {
      ...pageQuery,
      search: optional(text({ help: 'Part of the identifier, the user or the address' })),
      connected: optional(flag('Only those that are, or are not, connected')),
    },
    response: pageSchema(clientSchema),
    handler: async ({ node: api, query }) => {
      const { search = '', connected: isConnected } = query;
      const listed = await api.clients({ ...pageOf(query), search, isConnected });
      return pageView(listed, query, clientKey);
    },
    merge: (answers, query) => mergePages(answers, query, clientKey),
  }),
  route({
    method: 'GET',
    path: '/api/v1/clients/:id',
    access: 'read',
    scope: 'merged',
    summary: 'one client with its subscriptions, its waiting messages and its will',
    params: id,
    query: { node },
    response: clientDetailSchema,
    handler: ({ node: api, params }) => {
      const found = api.client(params.id);
      if (found === undefined) throw noClient(params.id, 'session');
      return found;
    },
    // A client that has moved may have left a session behind: the connected one counts.
    merge: (answers) => answers.find(({ client }) => client.isConnected) ?? answers[0]!,
  }),
  route({
    method: 'GET',
    path: '/api/v1/clients/:id/timeline',
    access: 'read',
    scope: 'merged',
    summary:
      'what the nodes have logged of one client since their start, its last 40 lines on each',
    params: id,
    query: { node },
    response: object({ events: timelineSchema }),
    handler: ({ node: api, params, services }) => ({
      events: services.timeline.of(params.id).map((event) => ({ node: api.name, ...event })),
    }),
    merge: (answers) => ({
      events: answers.flatMap(({ events }) => events).sort((a, b) => a.at - b.at),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/clients/:id/disconnect',
    access: 'change',
    scope: 'merged',
    summary: 'ends the connection of a client; it may connect again',
    params: id,
    query: { node },
    response: done,
    handler: ({ node: api, params }) => {
      if (!api.disconnect(params.id)) throw noClient(params.id, 'connection');
      return { nodes: [api.name] };
    },
    merge: joinDone,
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/clients/:id',
    access: 'change',
    scope: 'merged',
    summary: 'ends the connection and the session of a client, with its subscriptions and queue',
    params: id,
    query: { node },
    response: done,
    handler: ({ node: api, params }) => {
      if (!api.forget(params.id)) throw noClient(params.id, 'session');
      return { nodes: [api.name] };
    },
    merge: joinDone,
  }),
  route({
    method: 'GET',
    path: '/api/v1/subscriptions',
    access: 'read',
    scope: 'merged',
    summary: 'subscriptions by filter and client',
    query: { ...pageQuery, search: optional(text({ help: 'Part of the filter' })) },
    response: pageSchema(subscriptionSchema),
    handler: async ({ node: api, query }) => {
      const listed = await api.subscriptions(query.search ?? '', pageOf(query));
      return pageView(listed, query, subscriptionKey);
    },
    merge: (answers, query) => mergePages(answers, query, subscriptionKey),
  }),
];
