// The bridges of all boxes to other brokers: whether each reaches its far side, and what waits for it.

import type { BridgeView } from '../http/node-api.ts';
import { formatDuration, formatNumber, formatRate } from '../shared/units.ts';
import type { ObservationsByNode } from './observations.ts';
import { nodeNow } from './site.ts';

const STATES: Readonly<Record<BridgeView['state'], string>> = {
  connected: 'connected',
  connecting: 'connecting',
  waiting: 'not connected',
  standby: 'standby',
};

/** A bridge that several boxes have in their files runs on one of them: the others stand by. */
export function BridgeList({ observations }: { observations: ObservationsByNode }) {
  const bridges = [...observations.values()]
    .flatMap((one) => one.bridges)
    .filter(({ state }) => state !== 'standby')
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (bridges.length === 0) return null;
  return (
    <>
      <h2>Bridges</h2>
      <ul class="nodes">
        {bridges.map((bridge) => (
          <BridgeRow key={`${bridge.name} ${bridge.node}`} bridge={bridge} />
        ))}
      </ul>
    </>
  );
}

function BridgeRow({ bridge }: { bridge: BridgeView }) {
  const { name, node, state, since, address, reason, queued, sentPerSecond, receivedPerSecond } =
    bridge;
  return (
    <li class={`node ${state === 'connected' ? 'alive' : 'suspect'}`}>
      <h3>
        <span class="dot" aria-hidden="true" /> {name} <small>of {node}</small>
      </h3>
      <p>
        {STATES[state]} for {formatDuration(nodeNow() - since)}, {address}
      </p>
      <p>
        {formatRate(sentPerSecond)} messages/s to it, {formatRate(receivedPerSecond)} from it,{' '}
        {formatNumber(queued, 'message')} waiting
      </p>
      {reason !== null && <p class="bad">{reason}</p>}
    </li>
  );
}
