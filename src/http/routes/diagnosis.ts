// Routes that test this node and its ways to the others: the doctor, and the ping of one node.

import { diagnosisSchema, pingSchema } from '../diagnosis-view.ts';
import { HttpProblem, unknownNode } from '../problem.ts';
import { route } from '../route.ts';
import { text } from '../schema.ts';

export const diagnosisRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/doctor',
    access: 'read',
    scope: 'node',
    summary:
      'what is wrong with this box and its ways to the others, with the cure; takes some seconds',
    response: diagnosisSchema,
    handler: ({ node }) => node.diagnose(),
  }),
  route({
    method: 'GET',
    path: '/api/v1/nodes/:name/ping',
    access: 'read',
    scope: 'node',
    summary:
      'round trips to a node on both ports, sizes that pass, and the difference of the clocks',
    params: { name: text({ maxLength: 64 }) },
    response: pingSchema,
    handler: async ({ node, params: { name } }) => {
      const report = await node.ping(name);
      if (report !== undefined) return report;
      if (name !== node.name) throw unknownNode(node.nodes(), name);
      throw new HttpProblem(409, `${name} is this node: ping another one.`);
    },
  }),
];
