// The route that invites a new box: the answer has the line for `shoal join`, which is a secret.

import { invitationSchema } from '../discovery-view.ts';
import { HttpProblem } from '../problem.ts';
import { route } from '../route.ts';
import { optional, text } from '../schema.ts';

export const invitationRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/invitations',
    access: 'change',
    scope: 'node',
    summary: 'invites one new box for ten minutes; who has the line gets the token of the cluster',
    query: { node: optional(text()) },
    response: invitationSchema,
    status: () => 201,
    handler: async ({ node }) => {
      const invitation = await node.invite();
      if (invitation !== undefined) return invitation;
      throw new HttpProblem(409, 'This node is in no cluster: it has no token (-csk).');
    },
  }),
];
