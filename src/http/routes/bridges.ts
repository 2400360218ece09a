// Routes about bridges, on all nodes: each node knows those that its file has.

import { bridgeSchema } from '../node-api.ts';
import { pageQuery } from '../page.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { array, object, text } from '../schema.ts';

const BRIDGES_MAX = 65_535;
const { node } = pageQuery;

export const bridgeRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/bridges',
    access: 'read',
    scope: 'merged',
    summary: 'the bridges of every node: state, queue, rates, and the limits of the far side',
    query: { node },
    response: object({ bridges: array(bridgeSchema, BRIDGES_MAX) }),
    handler: ({ node: api }) => ({ bridges: api.bridges.list() }),
    merge: (answers) => ({ bridges: answers.flatMap(({ bridges }) => bridges) }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/bridges/:name/reconnect',
    access: 'change',
    scope: 'merged',
    summary: 'a bridge connects anew at once, whatever pause is on',
    params: { name: text({ maxLength: 64 }) },
    query: { node },
    response: object({ nodes: array(text(), BRIDGES_MAX, 'Where it was done') }),
    handler: ({ node: api, params: { name } }) => {
      if (api.bridges.reconnect(name)) return { nodes: [api.name] };
      throw new HttpProblem(404, `No bridge named ${name} runs here.`);
    },
    merge: (answers) => ({ nodes: answers.flatMap(({ nodes }) => nodes) }),
  }),
];
