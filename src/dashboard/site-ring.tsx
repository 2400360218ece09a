// The nodes as discs on a circle, with a line for each direction between two that are online. A node keeps its
// place by its name; the one that serves the page is at the bottom. A disc is a button that shows the
// links of its node.

import type { NodeView } from '../http/node-api.ts';
import { formatDuration, formatNumber, formatRate } from '../shared/units.ts';
import { classOf, type Direction, type Links, wordsOf } from './links.ts';
import { isOnline, STATE_NAMES } from './node-state.ts';
import { nodeNow } from './site.ts';

const RADIUS = 128;
const DISC = 42;
const LOAD_RADIUS = DISC + 4;
/** Between the two directions of a link. */
const GAP = 5;
/** From the centre of a disc to the edge of the picture. */
const MARGIN = LOAD_RADIUS + 6;
const FULL_TURN = 2 * Math.PI;
const NAME_LENGTH_MAX = 10;

interface Placed {
  readonly node: NodeView;
  readonly x: number;
  readonly y: number;
}

interface RingProps {
  /** Sorted by name. */
  readonly nodes: readonly NodeView[];
  readonly links: Links;
  readonly chosen: string | undefined;
  readonly choose: (name: string) => void;
}

export function SiteRing({ nodes, links, chosen, choose }: RingProps) {
  const selfIndex = nodes.findIndex(({ isSelf }) => isSelf);
  const placed = nodes.map((node, index): Placed => {
    const angle = Math.PI / 2 + (FULL_TURN * (index - selfIndex)) / nodes.length;
    const radius = nodes.length === 1 ? 0 : RADIUS;
    return { node, x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  });
  // As wide as the whole circle, so that discs keep their size; no higher than the discs.
  const tops = placed.map(({ y }) => y);
  const top = Math.min(0, ...tops) - MARGIN;
  const height = Math.max(0, ...tops) + MARGIN - top;
  const width = 2 * (RADIUS + MARGIN);
  const online = placed.filter(({ node }) => isOnline(node));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset can't be drawn in
    <svg
      class="ring"
      viewBox={`${-width / 2} ${top} ${width} ${height}`}
      role="group"
      aria-label={labelOf(nodes)}
    >
      {online.flatMap((a) =>
        online
          .filter((b) => b !== a)
          .map((b) => (
            <LinkLine
              key={`${a.node.name} ${b.node.name}`}
              from={a}
              to={b}
              direction={links(a.node.name, b.node.name)}
            />
          )),
      )}
      {placed.map((one) => (
        <Disc
          key={one.node.name}
          {...one}
          isChosen={one.node.name === chosen}
          choose={() => choose(one.node.name)}
        />
      ))}
    </svg>
  );
}

function labelOf(nodes: readonly NodeView[]): string {
  const online = nodes.filter(({ state }) => state === 'alive').length;
  return `${online} of ${nodes.length} nodes are online`;
}

interface LinkProps {
  readonly from: Placed;
  readonly to: Placed;
  readonly direction: Direction;
}

/** From disc to disc, beside the line of the other direction; a bad one ends in an arrow and a label. */
function LinkLine({ from, to, direction }: LinkProps) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const [unitX, unitY] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const at = (along: number, across = 0): [number, number] => [
    from.x + unitX * along - unitY * (GAP + across),
    from.y + unitY * along + unitX * (GAP + across),
  ];
  const [x1, y1] = at(LOAD_RADIUS);
  const [x2, y2] = at(length - LOAD_RADIUS - 3);
  const quality = classOf(direction);
  const isMarked = quality === 'bad' || quality === 'poor';
  const suspect = from.node.state === 'suspect' || to.node.state === 'suspect' ? 'suspect' : '';
  const [labelX, labelY] = at(0.56 * length, 9);
  const head = [
    at(length - LOAD_RADIUS + 4),
    at(length - LOAD_RADIUS - 9, 6),
    at(length - LOAD_RADIUS - 9, -6),
  ];
  return (
    <g class={`link ${quality} ${suspect}`}>
      <title>{`${direction.from} to ${direction.to}: ${wordsOf(direction)}`}</title>
      <line x1={x1} y1={y1} x2={x2} y2={y2} />
      {isMarked && <polygon points={head.map((point) => point.join()).join(' ')} />}
      {isMarked && (
        <text x={labelX} y={labelY + 4}>
          {direction.blocked.length > 0 ? 'blocked' : `${direction.lossPercent?.toFixed(1)} %`}
        </text>
      )}
    </g>
  );
}

interface DiscProps extends Placed {
  readonly isChosen: boolean;
  readonly choose: () => void;
}

function Disc({ node, x, y, isChosen, choose }: DiscProps) {
  const { name, load, state } = node;
  const circumference = FULL_TURN * LOAD_RADIUS;
  const share = Math.min(1, (load ?? 0) / 100);
  function press(event: KeyboardEvent): void {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    choose();
  }
  const lines = linesOf(node);
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button
    <g
      class={`disc ${state} ${isChosen ? 'chosen' : ''}`}
      role="button"
      tabIndex={0}
      aria-pressed={isChosen}
      onClick={choose}
      onKeyDown={press}
    >
      <circle cx={x} cy={y} r={DISC} />
      {isOnline(node) && (
        <circle
          class="load"
          cx={x}
          cy={y}
          r={LOAD_RADIUS}
          stroke-dasharray={`${share * circumference} ${circumference}`}
          transform={`rotate(-90 ${x} ${y})`}
        />
      )}
      <text x={x} y={y - 8}>
        {name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX - 1)}…` : name}
      </text>
      {lines.slice(0, 2).map((line, index) => (
        <text key={index} class="small" x={x} y={y + 7 + 14 * index}>
          {line}
        </text>
      ))}
    </g>
  );
}

function linesOf(node: NodeView): string[] {
  const { clients, receivedPerSecond, load, state, since } = node;
  if (!isOnline(node)) return [STATE_NAMES[state], formatDuration(nodeNow() - since)];
  const figures = [
    clients === null ? '' : formatNumber(clients, 'device'),
    receivedPerSecond === null ? '' : `${formatRate(receivedPerSecond)} msg/s`,
    load === null ? '' : `load ${Math.round(load)} %`,
  ];
  return figures.filter((one) => one !== '');
}
