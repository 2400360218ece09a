// Invitations of new boxes, and boxes that may want to join, as the API returns them.

import { array, integer, number, object, type Static, text } from './schema.ts';

export const invitationSchema = object({
  line: text({ help: 'For `shoal join` on the new box; a secret' }),
  addresses: array(text(), 4, 'Where the new box reaches this node'),
  port: integer(1, 65_535, 'TCP, open until the invitation is used or over'),
  expires: number('ms since 1970'),
});

export type InvitationView = Static<typeof invitationSchema>;

export const strangerSchema = object({
  address: text({ help: 'Of a box on the same network with another token or cluster name' }),
  since: number('Its first beacon, ms since 1970'),
});

export type StrangerView = Static<typeof strangerSchema>;
