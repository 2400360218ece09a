// The doctor's report and the result of a ping as the API returns them; src/doctor and src/net/cluster
// make both.

import {
  array,
  flag,
  integer,
  number,
  object,
  oneOf,
  optional,
  type Static,
  text,
} from './schema.ts';

const findingSchema = object({
  level: oneOf(['ok', 'warn', 'bad']),
  fault: optional(text({ help: 'Name of the fault, as docs/doctor.md lists it' })),
  text: text({ help: 'One line without a full stop' }),
  mend: optional(
    object({ where: text({ help: 'on this box, or on another one' }), lines: array(text(), 16) }),
  ),
});

export const diagnosisSchema = object({
  node: text(),
  version: text(),
  isUp: flag('Whether a node runs; a doctor without one opens its ports itself'),
  findings: array(findingSchema, 1024),
});

const portPingSchema = object({
  port: integer(0, 65_535),
  sent: integer(0, 1000),
  answered: integer(0, 1000),
  rttMs: optional(object({ min: number(), average: number(), max: number() })),
});
const wayState = oneOf(['ok', 'blocked', 'unknown']);
const waysSchema = object({ out: wayState, in: wayState });

export const pingSchema = object({
  address: text(),
  ports: object({ gossip: portPingSchema, sync: portPingSchema }),
  sizes: array(
    object({ bytes: integer(0, 65_535), parts: integer(1, 16), passes: flag() }),
    16,
    'On the sync port',
  ),
  largestBytes: optional(integer(0, 65_535, 'Largest datagram of those tested that passes')),
  ways: object({ gossip: waysSchema, sync: waysSchema }),
  clockAheadMs: optional(number('How far the clock of the other node is ahead')),
});

export type DiagnosisView = Static<typeof diagnosisSchema>;
export type PingView = Static<typeof pingSchema>;
