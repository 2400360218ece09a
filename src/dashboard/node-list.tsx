// The nodes as a list, each with its state and figures.

import type { NodeView } from '../http/node-api.ts';
import { formatDuration, formatLatency, formatNumber, formatRate } from '../shared/units.ts';
import { isOnline, STATE_NAMES } from './node-state.ts';
import { nodeNow } from './site.ts';

/** @param nodes sorted by name */
export function NodeList({ nodes }: { nodes: readonly NodeView[] }) {
  return (
    <ul class="nodes">
      {nodes.map((node) => (
        <NodeRow key={node.name} node={node} />
      ))}
    </ul>
  );
}

function NodeRow({ node }: { node: NodeView }) {
  const { name, isSelf, state, since, address, version, blocked, differingOptions } = node;
  return (
    <li class={`node ${state}`}>
      <h3>
        <span class="dot" aria-hidden="true" /> {name}
        {isSelf && <small> this box</small>}
      </h3>
      <p>
        {STATE_NAMES[state]} for {formatDuration(nodeNow() - since)}
        {address !== null && `, ${address}`}
        {version !== null && `, version ${version}`}
      </p>
      {isOnline(node) && <p>{figures(node)}</p>}
      {!isSelf && blocked.length > 0 && (
        <p class="bad">Blocked: {blocked.map(directionWords).join(', ')}</p>
      )}
      {differingOptions.length > 0 && (
        <p class="warn">Other options than here: {differingOptions.join(' ')}</p>
      )}
    </li>
  );
}

/** A box has no link to itself. */
function figures(node: NodeView) {
  const { isSelf, clients, receivedPerSecond, sentPerSecond, load, rttSeconds, loss } = node;
  const parts = [
    clients !== null && formatNumber(clients, 'device'),
    receivedPerSecond !== null && `${formatRate(receivedPerSecond)} messages/s in`,
    sentPerSecond !== null && `${formatRate(sentPerSecond)} out`,
    load !== null && `load ${Math.round(load)} %`,
    rttSeconds !== null && `round trip ${formatLatency(rttSeconds * 1000)}`,
    !isSelf && loss.in !== null && `loss ${loss.in.toFixed(2)} % in`,
    !isSelf && loss.out !== null && `${loss.out.toFixed(2)} % out`,
  ];
  return parts.filter((part) => part !== false).join(', ');
}

/** `out on UDP 7947` of this box is the path to the other one. */
function directionWords(blocked: string): string {
  return blocked.replace(/^out /, 'to it ').replace(/^in /, 'from it ');
}
