// Routes about the guards: bans of clients and addresses, and the subscribers whose queues are longest.

import { type BanTargetView, type BanView, banSchema, slowSubscriberSchema } from '../node-api.ts';
import { pageQuery } from '../page.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { array, InputError, integer, object, optional, text } from '../schema.ts';

const BAN_SECONDS_MAX = 604_800;

const nodeQuery = pageQuery.node;

const target = {
  address: optional(text({ help: 'An IP address; IPv6 counts as its /64', minLength: 1 })),
  client: optional(text({ help: 'A client identifier', minLength: 1 })),
  user: optional(text({ help: 'A user name', minLength: 1 })),
};

export const guardRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/bans',
    access: 'read',
    scope: 'merged',
    summary: 'the clients, users and addresses that are banned, on any node',
    query: { node: nodeQuery },
    response: object({ bans: array(banSchema) }),
    handler: ({ node }) => ({ bans: node.guards.bans() }),
    merge: (answers) => ({ bans: longestOfEach(answers.flatMap(({ bans }) => bans)) }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/bans',
    access: 'change',
    scope: 'merged',
    summary:
      'ban an address, or a client or user from everywhere or from one address, on all nodes',
    query: { node: nodeQuery },
    body: object({ ...target, seconds: integer(1, BAN_SECONDS_MAX, 'How long') }),
    response: banSchema,
    status: () => 201,
    handler: ({ node, body: { seconds, ...whom } }) => {
      checkTarget(whom);
      return node.guards.ban(whom, seconds);
    },
    merge: (answers) => answers[0]!,
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/bans',
    access: 'change',
    scope: 'merged',
    summary: 'lift a ban, on all nodes',
    query: { ...target, node: nodeQuery },
    response: object({ lifted: target.address, client: target.client, user: target.user }),
    handler: ({ node, query }) => {
      checkTarget(query);
      if (!node.guards.liftBan(query)) throw new HttpProblem(404, 'There is no such ban.');
      return { lifted: query.address, client: query.client, user: query.user };
    },
    merge: (answers) => answers[0]!,
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

/** A ban by hand is on every node; one of a guard where its cause was seen. */
function longestOfEach(bans: readonly BanView[]): BanView[] {
  const longest = new Map<string, BanView>();
  for (const ban of bans) {
    const key = JSON.stringify([ban.address, ban.client, ban.user ?? null]);
    const known = longest.get(key);
    if (known === undefined || known.until < ban.until) longest.set(key, ban);
  }
  return [...longest.values()];
}

function checkTarget({ address, client, user }: BanTargetView): void {
  if (address === undefined && client === undefined && user === undefined) {
    throw new InputError('A ban needs an address, a client or a user');
  }
  if (client !== undefined && user !== undefined) {
    throw new InputError('A ban is for a client or for a user, not for both');
  }
}
