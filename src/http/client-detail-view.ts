// What the API shows of one client: the session, what waits in it, what it costs and what it may do.

import { clientSchema, messageHead, subscriptionSchema } from './node-api.ts';
import { array, integer, nullable, object, oneOf, type Static, text } from './schema.ts';

export const clientDetailSchema = object({
  client: clientSchema,
  subscriptions: array(subscriptionSchema, 1000, 'The first 1000'),
  deliveries: array(
    object({ ...messageHead, state: text(), packetId: integer(0, 65_535) }),
    100,
    'The first 100 messages of QoS 1 and 2 that wait, or are in flight',
  ),
  will: nullable(object(messageHead)),
  memory: object({
    bytes: integer(0, 2 ** 53, 'What it holds of the memory of the node'),
    queueBytes: integer(0, 2 ** 53, 'Of these, its queue and what is in flight'),
    userBytes: integer(0, 2 ** 53, 'What all clients of its user hold'),
  }),
  traffic: nullable(
    object({
      receivedBytes: integer(0, 2 ** 53, 'From the client, since its connection began'),
      sentBytes: integer(0, 2 ** 53),
    }),
  ),
  rules: nullable(
    array(
      object({
        access: oneOf(['deny', 'read', 'write', 'readwrite']),
        filter: text(),
        place: text({
          help: 'As /etc/shoal/acl:12; token for what a token or login service grants',
        }),
      }),
      1000,
      'The first that matches decides, and without one access is denied; null: every topic is free',
    ),
  ),
});

export type ClientDetail = Static<typeof clientDetailSchema>;
