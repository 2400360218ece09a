// Routes about the guards: bans of clients and addresses, and the subscribers whose queues are longest.

import { type BanTargetView, banSchema, slowSubscriberSchema } from '../node-api.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { array, InputError, integer, object, optional, text } from '../schema.ts';

const BAN_SECONDS_MAX = 604_800;

const target = {
  address: optional(text({ help: 'An IP address; IPv6 counts as its /64', minLength: 1 })),
  client: optional(text({ help: 'A client identifier', minLength: 1 })),
};

export const guardRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/bans',
    access: 'read',
    scope: 'node',
    summary: 'the clients and addresses that are banned',
    response: object({ bans: array(banSchema) }),
    handler: ({ node }) => ({ bans: node.guards.bans() }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/bans',
    access: 'change',
    scope: 'node',
    summary: 'ban a client, an address, or a client at one address',
    body: object({ ...target, seconds: integer(1, BAN_SECONDS_MAX, 'How long') }),
    response: banSchema,
    status: () => 201,
    handler: ({ node, body: { seconds, ...whom } }) => {
      checkTarget(whom);
      return node.guards.ban(whom, seconds);
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/bans',
    access: 'change',
    scope: 'node',
    summary: 'lift a ban',
    query: target,
    response: object({ lifted: target.address, client: target.client }),
    handler: ({ node, query }) => {
      checkTarget(query);
      if (!node.guards.liftBan(query)) throw new HttpProblem(404, 'There is no such ban.');
      return { lifted: query.address, client: query.client };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/slow-subscribers',
    access: 'read',
    scope: 'node',
    summary: 'the clients whose queues hold the most, the longest first',
    response: object({ subscribers: array(slowSubscriberSchema, 20) }),
    handler: ({ node }) => ({ subscribers: node.guards.slowSubscribers() }),
  }),
];

function checkTarget({ address, client }: BanTargetView): void {
  if (address === undefined && client === undefined) {
    throw new InputError('A ban needs an address, a client, or both');
  }
}
