// The site as a picture: its nodes as a ring, or as a matrix where there are many, and the links of the node
// that the reader chooses.

import { useState } from 'preact/hooks';
import type { NodeView } from '../http/node-api.ts';
import { linksOf } from './links.ts';
import { NodeLinks } from './node-links.tsx';
import type { ObservationsByNode } from './observations.ts';
import { SiteMatrix } from './site-matrix.tsx';
import { SiteRing } from './site-ring.tsx';

const RING_NODES_MAX = 12;

interface SiteViewProps {
  /** Sorted by name: a node keeps its place, whatever its state. */
  readonly nodes: readonly NodeView[];
  readonly observations: ObservationsByNode;
}

export function SiteView({ nodes, observations }: SiteViewProps) {
  const [chosen, setChosen] = useState<string>();
  const choose = (name: string): void =>
    setChosen((before) => (before === name ? undefined : name));
  const links = linksOf(nodes, observations);
  const shared = { nodes, links, chosen, choose };
  return (
    <>
      {nodes.length > RING_NODES_MAX ? (
        <SiteMatrix {...shared} />
      ) : (
        <figure class="site">
          <SiteRing {...shared} />
          {nodes.length > 1 && (
            <figcaption>
              A line is one direction between two boxes: green loses nothing, red is blocked or
              loses much, grey carried no message in the last minute. The arc around a box is its
              load. Choose a box to see its links.
            </figcaption>
          )}
        </figure>
      )}
      {chosen !== undefined && (
        <NodeLinks name={chosen} nodes={nodes} links={links} close={() => setChosen(undefined)} />
      )}
    </>
  );
}
