// The links of one node with figures: both directions, and the round trip.

import type { NodeView } from '../http/node-api.ts';
import { formatLatency } from '../shared/units.ts';
import { classOf, type Direction, type Links, wordsOf } from './links.ts';
import { isOnline } from './node-state.ts';

interface NodeLinksProps {
  readonly name: string;
  readonly nodes: readonly NodeView[];
  readonly links: Links;
  readonly close: () => void;
}

export function NodeLinks({ name, nodes, links, close }: NodeLinksProps) {
  const others = nodes.filter((node) => node.name !== name && isOnline(node));
  return (
    <section class="card node-links" aria-label={`Links of ${name}`}>
      <table>
        <caption>Links of {name}, in the last minute</caption>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">To it</th>
            <th scope="col">From it</th>
            <th scope="col">Round trip</th>
          </tr>
        </thead>
        <tbody>
          {others.map((other) => {
            const there = links(name, other.name);
            const { rttSeconds } = there;
            return (
              <tr key={other.name}>
                <th scope="row">{other.name}</th>
                <DirectionCell direction={there} />
                <DirectionCell direction={links(other.name, name)} />
                <td>{rttSeconds === null ? '-' : formatLatency(rttSeconds * 1000)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {others.length === 0 && <p class="empty">No other node is online.</p>}
      <button type="button" onClick={close}>
        Close
      </button>
    </section>
  );
}

function DirectionCell({ direction }: { direction: Direction }) {
  return <td class={`link-${classOf(direction)}`}>{wordsOf(direction)}</td>;
}
