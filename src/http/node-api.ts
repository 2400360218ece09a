// The port between the HTTP API and the node: what the handlers ask, in plain values. src/node implements
// it over the broker and the cluster; src/http must not know how.

import {
  array,
  flag,
  integer,
  nullable,
  number,
  object,
  oneOf,
  optional,
  type Static,
  text,
} from './schema.ts';

const percent = (help: string) => nullable(number(`${help}, percent`));

export const faultSchema = object({
  code: text(),
  severity: oneOf(['fault', 'warning']),
  text: text({ help: 'A sentence without its full stop' }),
  since: optional(number('Start, ms since 1970, where it is known')),
  cure: text({ help: 'What to type or do' }),
});

export const verdictSchema = object({
  level: oneOf(['well', 'warning', 'fault']),
  sentence: text({ help: 'Whether the site is well, or the worst fault' }),
  faults: array(faultSchema, 65_535, 'The worst first; empty if all is well'),
});

const lossSchema = object({
  in: percent('Messages from this node that were lost on the way here in the last minute'),
  out: percent('Messages from here that were lost on the way to this node in the last minute'),
});

export const nodeSchema = object({
  name: text(),
  isSelf: flag('Whether this is the node that answers'),
  state: oneOf(['alive', 'suspect', 'offline', 'left']),
  since: number('Start of this state, ms since 1970 by the clock of the node that answers'),
  address: nullable(text({ help: 'Where its gossip is reached; null without a cluster' })),
  version: nullable(text()),
  clients: nullable(integer(0, 2 ** 53, 'Connected clients')),
  sessions: nullable(integer(0, 2 ** 53)),
  receivedPerSecond: nullable(number('PUBLISH packets a second from its clients')),
  sentPerSecond: nullable(number('PUBLISH packets a second to its clients')),
  load: percent('Share of the time in which its event loop is busy'),
  rttSeconds: nullable(number('Round trip on the sync port')),
  loss: lossSchema,
  blocked: array(text(), 8, 'Directions that do not work, as: in on UDP 7946'),
  differingOptions: array(
    text(),
    64,
    'Options that must be the same on every node, as -flag=theirs',
  ),
});

export type FaultView = Static<typeof faultSchema>;
export type NodeView = Static<typeof nodeSchema>;
export type VerdictView = Static<typeof verdictSchema>;

export interface NodeApi {
  readonly name: string;
  verdict(): VerdictView;
  /** This node first; bounded. */
  nodes(): readonly NodeView[];
  /** What keeps the node from being ready, as sentences; empty if it is ready. */
  obstacles(): readonly string[];
  /** Logs an error that no handler expects. */
  reportFault(error: unknown): void;
}
