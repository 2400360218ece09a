// The nodes as discs on a circle. A node keeps its place by its name; the one that serves the page is at
// the bottom. The links are those of that node, since no other is measured here: one line for each
// direction, because UDP fails in one.

import type { NodeView } from '../http/node-api.ts';
import { formatCount, formatLatency } from '../shared/units.ts';
import { isBlockedIn, linkClass } from './link-class.ts';

const SIZE = 320;
const CENTRE = SIZE / 2;
const RADIUS = 108;
const DISC = 30;
/** Between the two directions of a link. */
const GAP = 5;
const FULL_TURN = 2 * Math.PI;

interface Placed {
  readonly node: NodeView;
  readonly x: number;
  readonly y: number;
}

/** @param nodes sorted by name */
export function SiteRing({ nodes }: { nodes: readonly NodeView[] }) {
  const selfIndex = nodes.findIndex(({ isSelf }) => isSelf);
  const placed = nodes.map((node, index): Placed => {
    const angle = Math.PI / 2 + (FULL_TURN * (index - selfIndex)) / nodes.length;
    const radius = nodes.length === 1 ? 0 : RADIUS;
    return { node, x: CENTRE + radius * Math.cos(angle), y: CENTRE + radius * Math.sin(angle) };
  });
  const self = placed[selfIndex];
  return (
    <svg class="ring" viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={ringLabel(nodes)}>
      {self !== undefined &&
        placed
          .filter((one) => one !== self)
          .map((one) => <Link key={one.node.name} self={self} other={one} />)}
      {placed.map((one) => (
        <Disc key={one.node.name} {...one} />
      ))}
    </svg>
  );
}

function ringLabel(nodes: readonly NodeView[]): string {
  const online = nodes.filter(({ state }) => state === 'alive').length;
  return `${online} of ${nodes.length} nodes are online`;
}

function Link({ self, other }: { self: Placed; other: Placed }) {
  const { loss, blocked, state, rttSeconds } = other.node;
  const length = Math.hypot(other.x - self.x, other.y - self.y) || 1;
  const [acrossX, acrossY] = [
    ((other.y - self.y) / length) * GAP,
    (-(other.x - self.x) / length) * GAP,
  ];
  const isDown = state === 'offline' || state === 'left';
  const direction = (name: 'in' | 'out', side: 1 | -1) => {
    const quality = linkClass(loss[name], isBlockedIn(blocked, name));
    return (
      <line
        class={`link ${isDown ? 'down' : quality} ${state}`}
        x1={self.x + side * acrossX}
        y1={self.y + side * acrossY}
        x2={other.x + side * acrossX}
        y2={other.y + side * acrossY}
      />
    );
  };
  const rtt = rttSeconds === null ? '' : `, round trip ${formatLatency(rttSeconds * 1000)}`;
  return (
    <g>
      <title>{`${self.node.name} and ${other.node.name}${rtt}`}</title>
      {direction('out', 1)}
      {direction('in', -1)}
    </g>
  );
}

function Disc({ node, x, y }: Placed) {
  const { name, clients, load, state } = node;
  const circumference = FULL_TURN * (DISC + 4);
  const share = Math.min(1, (load ?? 0) / 100);
  const isRunning = state === 'alive' || state === 'suspect';
  return (
    <g class={`disc ${state}`}>
      <title>{`${name}: ${state}${load === null ? '' : `, load ${Math.round(load)} %`}`}</title>
      <circle cx={x} cy={y} r={DISC} />
      {isRunning && (
        <circle
          class="load"
          cx={x}
          cy={y}
          r={DISC + 4}
          stroke-dasharray={`${share * circumference} ${circumference}`}
          transform={`rotate(-90 ${x} ${y})`}
        />
      )}
      <text x={x} y={y - 2}>
        {name.length > 9 ? `${name.slice(0, 8)}…` : name}
      </text>
      <text class="small" x={x} y={y + 13}>
        {isRunning && clients !== null ? formatCount(clients) : ''}
      </text>
    </g>
  );
}
