// Routes about the token of the cluster: which node signs with which one, and its rotation over all nodes.

import { nodeTokensSchema, rotationSchema, sealedTokensSchema } from '../cluster-token-view.ts';
import { pageQuery } from '../page.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { array, object, oneOf } from '../schema.ts';

export const clusterTokenRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/cluster-token',
    access: 'read',
    scope: 'merged',
    summary: 'with which token each node signs, and which ones it accepts; by their ids',
    query: { node: pageQuery.node },
    response: object({ nodes: array(nodeTokensSchema) }),
    handler: async ({ node }) => ({ nodes: [await node.clusterToken.view()] }),
    merge: (answers) => ({
      nodes: answers.flatMap(({ nodes }) => nodes).sort((a, b) => (a.node < b.node ? -1 : 1)),
    }),
  }),
  route({
    method: 'PUT',
    path: '/api/v1/cluster-token',
    access: 'change',
    scope: 'cluster',
    summary: 'takes the tokens that another node of the cluster hands over, sealed',
    body: sealedTokensSchema,
    response: nodeTokensSchema,
    handler: ({ node, caller, body }) => {
      if (caller.kind === 'node') return node.clusterToken.take(body);
      throw new HttpProblem(403, 'Only another node of the cluster hands tokens over.');
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/token-rotation',
    access: 'read',
    scope: 'node',
    summary: 'how far the rotation of the cluster token is that this node leads',
    query: { node: pageQuery.node },
    response: rotationSchema,
    handler: ({ node }) => node.clusterToken.rotation,
  }),
  route({
    method: 'POST',
    path: '/api/v1/token-rotation',
    access: 'change',
    scope: 'cluster',
    summary: 'replaces the cluster token on all nodes, goes on with that, or takes it back',
    body: object({ action: oneOf(['start', 'resume', 'abort']) }),
    response: rotationSchema,
    status: () => 202,
    handler: ({ node, body }) => node.clusterToken.rotate(body.action),
  }),
];
