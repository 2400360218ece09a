// The links of many nodes: a row sends, a column receives. A cell shows its direction by a sign and a colour,
// and by words under the pointer. A row is drawn again only when one of its links changes.

import { useMemo } from 'preact/hooks';
import type { NodeView } from '../http/node-api.ts';
import { classOf, type LinkClass, type Links, wordsOf } from './links.ts';
import { isOnline } from './node-state.ts';

const SIGNS: Readonly<Record<LinkClass, string>> = { unknown: '·', good: '•', poor: '▲', bad: '✕' };

interface MatrixProps {
  /** Sorted by name. */
  readonly nodes: readonly NodeView[];
  readonly links: Links;
  readonly chosen: string | undefined;
  readonly choose: (name: string) => void;
}

export function SiteMatrix({ nodes, links, chosen, choose }: MatrixProps) {
  const online = nodes.filter(isOnline).map(({ name }) => name);
  const all = online.join('\n');
  const head = useMemo(
    () => (
      <thead>
        <tr>
          <th scope="col">to</th>
          {online.map((name) => (
            <th key={name} scope="col">
              <span>{name}</span>
            </th>
          ))}
        </tr>
      </thead>
    ),
    [all],
  );
  return (
    <figure class="matrix">
      <figcaption>
        Links: a row sends, a column receives. <b class="link-good">•</b> good{' '}
        <b class="link-poor">▲</b> loses some <b class="link-bad">✕</b> loses much, or is blocked{' '}
        <b>·</b> no messages
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by the keyboard */}
      <section aria-label="Links between the nodes" tabIndex={0}>
        <table>
          {head}
          <tbody>
            {online.map((from) => (
              <Row
                key={from}
                from={from}
                online={online}
                links={links}
                isChosen={from === chosen}
                choose={choose}
              />
            ))}
          </tbody>
        </table>
      </section>
    </figure>
  );
}

interface RowProps extends Pick<MatrixProps, 'links' | 'choose'> {
  readonly from: string;
  readonly online: readonly string[];
  readonly isChosen: boolean;
}

function Row({ from, online, links, isChosen, choose }: RowProps) {
  const words = online.map((to) => (from === to ? '' : wordsOf(links(from, to))));
  return useMemo(
    () => (
      <tr>
        <th scope="row">
          <button type="button" aria-pressed={isChosen} onClick={() => choose(from)}>
            {from}
          </button>
        </th>
        {online.map((to) => (
          <Cell key={to} from={from} to={to} links={links} />
        ))}
      </tr>
    ),
    [from, isChosen, words.join('\n'), online.join('\n')],
  );
}

function Cell({ from, to, links }: { from: string; to: string; links: Links }) {
  if (from === to) return <td />;
  const direction = links(from, to);
  const quality = classOf(direction);
  const title =
    quality === 'good' || quality === 'unknown'
      ? {}
      : { title: `${from} to ${to}: ${wordsOf(direction)}` };
  return (
    <td class={`link-${quality}`} {...title}>
      {SIGNS[quality]}
    </td>
  );
}
