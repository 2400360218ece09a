// The retained topics of all nodes as a tree, or as a list of those that match a Topic Filter, and the one that
// the reader chooses.

import { useEffect, useState } from 'preact/hooks';
import type { NodeView, RetainedView, TopicView } from '../http/node-api.ts';
import { formatNumber } from '../shared/units.ts';
import { TopicDetail } from './topic-detail.tsx';
import { TopicTree } from './topic-tree.tsx';
import { usePages } from './use-pages.ts';
import { VirtualList } from './virtual-list.tsx';

const ROW_PX = 56;
/** A repair that is over sooner may fall between two looks at the nodes. */
const SETTLED_MS = 5000;

interface TopicsProps {
  readonly nodes: readonly NodeView[];
  /** Another value means that a retained message was written. */
  readonly retainedHash: number;
}

export function Topics({ nodes, retainedHash }: TopicsProps) {
  const [filter, setFilter] = useState('');
  const [chosen, setChosen] = useState<TopicView>();
  // Nodes that come back may hold other values, and nodes that differ are repaired.
  const alive = nodes.filter(({ state }) => state === 'alive').length;
  const differing = nodes.filter(({ retainedDifferSince }) => retainedDifferSince !== null).length;
  const change = useSettled(`${retainedHash} ${alive} ${differing}`);
  const shared = { change, chosen: chosen?.topic, choose: setChosen };
  return (
    <>
      <div class="tools">
        <h2>Topics</h2>
        <input
          type="search"
          placeholder="Topic Filter, as home/#"
          aria-label="Topic Filter, as home/#"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      </div>
      <div class="tree-and-value">
        {filter === '' ? <TopicTree {...shared} /> : <Matches filter={filter} {...shared} />}
        {chosen !== undefined && (
          <TopicDetail
            key={chosen.topic}
            topic={chosen}
            change={change}
            close={() => setChosen(undefined)}
          />
        )}
      </div>
    </>
  );
}

/** @returns `change`, and another value once it has stayed the same for a while: what was on its way has arrived */
function useSettled(change: string): string {
  const [settled, setSettled] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSettled(change), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [change]);
  return settled === change ? `${change} settled` : change;
}

interface MatchesProps {
  readonly filter: string;
  readonly change: string;
  readonly choose: (topic: TopicView) => void;
}

function Matches({ filter, change, choose }: MatchesProps) {
  const pages = usePages<RetainedView>('/api/v1/retained', { filter }, change);
  return (
    <div class="matches">
      <p class="count" role="status">
        {pages.isRead ? formatNumber(pages.total, 'value') : 'Asking the node ...'}
      </p>
      {pages.error !== undefined && <p class="bad">{pages.error.message}</p>}
      <VirtualList
        label="Retained values"
        items={pages.items}
        rowHeight={ROW_PX}
        keyOf={({ topic }) => topic}
        row={(value) => (
          <button type="button" class="value-row" onClick={() => choose(viewOf(value))}>
            <b>{value.topic}</b>
            <span>{value.text ?? `${value.bytes} B`}</span>
          </button>
        )}
        atEnd={pages.more}
      />
    </div>
  );
}

/** A value that was found by a filter, as the tree has it. */
function viewOf({ topic, qos, bytes, text, version, node }: RetainedView): TopicView {
  return {
    name: topic,
    topic,
    values: 1,
    value: { qos, bytes, preview: text, at: null },
    variants: [{ nodes: [node], values: 1, fingerprint: 0, version }],
  };
}
