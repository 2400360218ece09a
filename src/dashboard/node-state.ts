// The states of a node as people read them.

import type { NodeView } from '../http/node-api.ts';

export const STATE_NAMES: Readonly<Record<NodeView['state'], string>> = {
  alive: 'online',
  suspect: 'suspect',
  offline: 'offline',
  left: 'left',
};

/** A suspect node still takes messages. */
export function isOnline({ state }: Pick<NodeView, 'state'>): boolean {
  return state === 'alive' || state === 'suspect';
}
