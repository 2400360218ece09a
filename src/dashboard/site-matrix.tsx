// The links of a large site as a table: one row for each node, with what crosses to it and from it.

import type { NodeView } from '../http/node-api.ts';
import { formatLatency } from '../shared/units.ts';
import { isBlockedIn, linkClass } from './link-class.ts';

export function SiteMatrix({ nodes }: { nodes: readonly NodeView[] }) {
  return (
    <table class="matrix">
      <caption>Links of this box</caption>
      <thead>
        <tr>
          <th scope="col">Node</th>
          <th scope="col">To it</th>
          <th scope="col">From it</th>
          <th scope="col">Round trip</th>
        </tr>
      </thead>
      <tbody>
        {nodes
          .filter(({ isSelf }) => !isSelf)
          .map((node) => (
            <tr key={node.name} class={node.state}>
              <th scope="row">{node.name}</th>
              <LossCell node={node} direction="out" />
              <LossCell node={node} direction="in" />
              <td>{node.rttSeconds === null ? '-' : formatLatency(node.rttSeconds * 1000)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}

function LossCell({ node, direction }: { node: NodeView; direction: 'in' | 'out' }) {
  const isBlocked = isBlockedIn(node.blocked, direction);
  const loss = node.loss[direction];
  const text = isBlocked ? 'blocked' : loss === null ? '-' : `${loss.toFixed(2)} % lost`;
  return <td class={`link-${linkClass(loss, isBlocked)}`}>{text}</td>;
}
