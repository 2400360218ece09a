// Routes about the nodes of the site: their state, and whether this one is healthy and ready.

import { isIP } from 'node:net';
import { strangerSchema } from '../discovery-view.ts';
import { type NodeApi, nodeSchema, summarySchema, verdictSchema } from '../node-api.ts';
import { HttpProblem, unknownNode } from '../problem.ts';
import { route } from '../route.ts';
import { array, integer, object, oneOf, optional, text } from '../schema.ts';

/** Where a node's gossip is, unless it is written. */
const GOSSIP_PORT = 7946;

const named = { name: text({ maxLength: 64 }) };
const accepted = object({ status: oneOf(['accepted']) });

/** Only a node that is offline can be forgotten: what the one of this name is, and what to do. */
function whyNotForgotten(node: NodeApi, name: string): HttpProblem {
  const nodes = node.nodes();
  const known = nodes.find((one) => one.name === name);
  if (known === undefined) return unknownNode(nodes, name);
  const why = {
    alive: 'is online: end it there first (shoal leave); then it counts as left.',
    suspect: 'is suspect and not offline yet: wait some seconds until it is, then repeat this.',
    offline: 'has just gone offline: repeat this.',
    left: 'has left already, and is no fault.',
  };
  const text = known.isSelf ? 'is this node: shoal leave ends it.' : why[known.state];
  return new HttpProblem(409, `${name} ${text}`);
}

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
    summary:
      'the verdict on the site, every node with its state and figures, and where clients connect',
    response: object({
      verdict: verdictSchema,
      nodes: array(nodeSchema, 256),
      summary: summarySchema,
      strangers: array(strangerSchema, 64, 'As the beacons on the networks of this node show'),
    }),
    handler: ({ node }) => ({
      verdict: node.verdict(),
      nodes: node.nodes(),
      summary: node.summary(),
      strangers: node.strangers(),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/nodes/:name',
    access: 'change',
    scope: 'cluster',
    summary: 'forgets an offline node that will not return, on all nodes',
    params: named,
    response: accepted,
    handler: ({ node, params }) => {
      if (node.forgetNode(params.name)) return { status: 'accepted' } as const;
      throw whyNotForgotten(node, params.name);
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/nodes',
    access: 'change',
    scope: 'node',
    summary: 'contacts another node by the address of its gossip, as -mbs does, until a restart',
    query: { node: optional(text()) },
    body: object({ address: text({ maxLength: 64 }), port: optional(integer(1, 65_535)) }),
    response: accepted,
    handler: ({ node, body }) => {
      const { address, port = GOSSIP_PORT } = body;
      if (isIP(address) === 0) throw new HttpProblem(400, 'The address is no IP address.');
      if (node.contact(address, port)) return { status: 'accepted' } as const;
      throw new HttpProblem(409, 'This node is in no cluster: it has no token (-csk).');
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/stop',
    access: 'change',
    scope: 'node',
    summary: 'stops the node as SIGTERM does: it disconnects its clients and leaves the cluster',
    query: { node: optional(text()) },
    response: accepted,
    handler: ({ node }) => {
      node.stop();
      return { status: 'accepted' } as const;
    },
  }),
];
