// The site: its nodes as a ring, or as a matrix where there are many, and as a list with figures.

import type { NodeView } from '../http/node-api.ts';
import { formatDuration, formatLatency, formatNumber, formatRate } from '../shared/units.ts';
import { SiteMatrix } from './site-matrix.tsx';
import { SiteRing } from './site-ring.tsx';

export const RING_NODES_MAX = 12;

export function SiteView({ nodes }: { nodes: readonly NodeView[] }) {
  // By name: a node keeps its place, whatever its state.
  const sorted = [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1));
  return (
    <>
      {sorted.length > RING_NODES_MAX ? <SiteMatrix nodes={sorted} /> : <SiteRing nodes={sorted} />}
      <ul class="nodes">
        {sorted.map((node) => (
          <NodeRow key={node.name} node={node} />
        ))}
      </ul>
    </>
  );
}

const STATES: Readonly<Record<NodeView['state'], string>> = {
  alive: 'online',
  suspect: 'suspect',
  offline: 'offline',
  left: 'left',
};

function NodeRow({ node }: { node: NodeView }) {
  const { name, isSelf, state, since, address, version, blocked, differingOptions } = node;
  return (
    <li class={`node ${state}`}>
      <h2>
        <span class="dot" aria-hidden="true" /> {name}
        {isSelf && <small> this box</small>}
      </h2>
      <p>
        {STATES[state]} for {formatDuration(Date.now() - since)}
        {address !== null && `, ${address}`}
        {version !== null && `, version ${version}`}
      </p>
      {(state === 'alive' || state === 'suspect') && <p>{figures(node)}</p>}
      {blocked.length > 0 && <p class="bad">Blocked: {blocked.join(', ')}</p>}
      {differingOptions.length > 0 && (
        <p class="warn">Other options than here: {differingOptions.join(' ')}</p>
      )}
    </li>
  );
}

function figures({ clients, receivedPerSecond, sentPerSecond, load, rttSeconds, loss }: NodeView) {
  const parts = [
    clients !== null && formatNumber(clients, 'device'),
    receivedPerSecond !== null && `${formatRate(receivedPerSecond)} messages/s in`,
    sentPerSecond !== null && `${formatRate(sentPerSecond)} out`,
    load !== null && `load ${Math.round(load)} %`,
    rttSeconds !== null && `round trip ${formatLatency(rttSeconds * 1000)}`,
    loss.in !== null && `loss ${loss.in.toFixed(2)} % in`,
    loss.out !== null && `${loss.out.toFixed(2)} % out`,
  ];
  return parts.filter((part) => part !== false).join(', ');
}
