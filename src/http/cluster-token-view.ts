// What the API shows of the cluster's tokens and of their rotation. Tokens appear by their ids, which every datagram
// carries in the clear; the tokens themselves never leave a node but sealed for another one.

import { array, nullable, object, oneOf, optional, type Static, text } from './schema.ts';

export const nodeTokensSchema = object({
  node: text(),
  signs: text({ help: 'Id of the token with which the node signs' }),
  accepts: array(text(), 65_535, 'Ids of all tokens that it accepts, the one that signs first'),
  incoming: nullable(text({ help: 'Id of the token that a rotation is bringing in' })),
  obstacle: nullable(text({ help: 'Why the node cannot change its tokens' })),
});

export const sealedTokensSchema = object({
  key: text({ maxLength: 64 }),
  sealed: text({ maxLength: 16_384, isSecret: true }),
  incoming: optional(text({ maxLength: 64 })),
});

export const rotationSchema = object({
  state: oneOf(
    ['none', 'running', 'waiting', 'stopped', 'done'],
    'waiting: a node is offline; stopped: a node has failed. Both go on with resume, or back with abort',
  ),
  step: oneOf(['accept', 'sign', 'forget'], 'The step that is under way, or came last'),
  keeps: nullable(text({ help: 'Id of the token that stays' })),
  drops: nullable(text({ help: 'Id of the token that goes' })),
  nodes: array(nodeTokensSchema),
  offline: array(text(), 65_535, 'Nodes that the rotation waits for'),
  left: array(text(), 65_535, 'Nodes that have left the cluster, and do not get the new token'),
  problem: nullable(text()),
});

export type NodeTokens = Static<typeof nodeTokensSchema>;
export type HandedTokens = Static<typeof sealedTokensSchema>;
export type RotationView = Static<typeof rotationSchema>;
export type RotationAction = 'start' | 'resume' | 'abort';

export interface ClusterTokenApi {
  /** @throws HttpProblem without a cluster */
  view(): Promise<NodeTokens>;
  /** What another node hands over. Rejects with HttpProblem, and then nothing has changed. */
  take(handed: HandedTokens): Promise<NodeTokens>;
  readonly rotation: RotationView;
  /** Resolves once the rotation is under way. Rejects with HttpProblem if it can't begin. */
  rotate(action: RotationAction): Promise<RotationView>;
}
