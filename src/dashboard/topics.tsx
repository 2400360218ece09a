// Retained messages of a filter as a list by topic, with the version that the nodes hold.

import { useState } from 'preact/hooks';
import type { NodeView, RetainedView } from '../http/node-api.ts';
import { formatBytes, formatCount, formatNumber } from '../shared/units.ts';
import { ApiError, call } from './api.ts';
import { ListTools } from './list-tools.tsx';
import { usePages } from './use-pages.ts';
import { VirtualList } from './virtual-list.tsx';

const ROW_PX = 56;

export function Topics({ nodes }: { nodes: readonly NodeView[] }) {
  const [filter, setFilter] = useState('#');
  const [node, setNode] = useState('');
  const [chosen, setChosen] = useState<RetainedView>();
  const pages = usePages<RetainedView>('/api/v1/retained', { filter, node });
  return (
    <>
      <ListTools
        title="Retained values"
        hint="Topic Filter, as home/#"
        search={filter}
        find={(text) => setFilter(text || '#')}
        nodes={nodes}
        node={node}
        anyNode="this box"
        ask={setNode}
        reload={pages.reload}
      />
      <p class="count" role="status">
        {pages.isLoading ? 'The node is asked ...' : formatNumber(pages.total, 'value')}
      </p>
      {pages.error !== undefined && <p class="bad">{pages.error.message}</p>}
      {chosen !== undefined && (
        <Value
          key={chosen.topic}
          value={chosen}
          nodes={nodes}
          close={() => setChosen(undefined)}
          cleared={() => {
            setChosen(undefined);
            pages.reload();
          }}
        />
      )}
      <VirtualList
        label="Retained values"
        items={pages.items}
        rowHeight={ROW_PX}
        keyOf={({ topic }) => topic}
        row={(value) => (
          <button type="button" class="value-row" onClick={() => setChosen(value)}>
            <b>{value.topic}</b>
            <span>{payloadOf(value)}</span>
          </button>
        )}
        atEnd={pages.more}
      />
    </>
  );
}

function payloadOf({ text, base64, bytes }: RetainedView): string {
  return text ?? (base64 === null ? formatBytes(bytes) : `base64 ${base64}`);
}

interface ValueProps {
  readonly value: RetainedView;
  readonly nodes: readonly NodeView[];
  readonly close: () => void;
  readonly cleared: () => void;
}

function Value({ value, nodes, close, cleared }: ValueProps) {
  const { topic, qos, bytes, version, expiresIn } = value;
  const [note, setNote] = useState('');
  const online = nodes.filter(({ state }) => state === 'alive' || state === 'suspect');
  async function compare(): Promise<void> {
    const held = await Promise.all(online.map(async ({ name }) => [name, await heldBy(name)]));
    const versions = new Set(held.map(([, one]) => one));
    setNote(
      versions.size === 1
        ? `All ${online.length} nodes hold the same value.`
        : held.map(([name, one]) => `${name}: ${one}`).join('; '),
    );
  }
  async function heldBy(name: string): Promise<string> {
    try {
      const { items } = await call<{ items: RetainedView[] }>('GET', '/api/v1/retained', {
        query: { filter: topic, node: name },
      });
      const [item] = items;
      return item === undefined ? 'no value' : (item.version ?? payloadOf(item));
    } catch (error) {
      return error instanceof ApiError ? error.message : String(error);
    }
  }
  async function clear(): Promise<void> {
    try {
      await call('DELETE', '/api/v1/retained', { query: { filter: topic } });
      cleared();
    } catch (error) {
      setNote(error instanceof ApiError ? error.message : String(error));
    }
  }
  return (
    <article class="value">
      <h3>{topic}</h3>
      <p>
        QoS {qos}, {formatBytes(bytes)}
        {version !== null && `, version ${version}`}
        {expiresIn !== null && `, expires in ${formatCount(expiresIn)} s`}
      </p>
      <pre>{payloadOf(value)}</pre>
      <p class="actions">
        <button type="button" onClick={() => void compare()}>
          Compare on all nodes
        </button>
        <button type="button" class="danger" onClick={() => void clear()}>
          Clear on all nodes
        </button>
        <button type="button" onClick={close}>
          Close
        </button>
      </p>
      <p role="status">{note}</p>
    </article>
  );
}
