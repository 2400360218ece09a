// The tree of retained topics. A level is read when it is unfolded, and again when a value was written. A name
// that is the same on all nodes has a tick; otherwise the nodes that differ are named.
// Keys: the arrows, as in WAI-ARIA's pattern of a tree.

import { useState } from 'preact/hooks';
import type { TopicView } from '../http/node-api.ts';
import { formatBytes, formatCount, formatDuration } from '../shared/units.ts';
import { nodeNow } from './site.ts';
import { type Pages, usePages } from './use-pages.ts';

interface TreeProps {
  /** Another value means that a retained message was written. */
  readonly change: string;
  readonly chosen: string | undefined;
  readonly choose: (topic: TopicView) => void;
}

interface Folds {
  readonly open: ReadonlySet<string>;
  readonly toggle: (topic: string) => void;
}

export function TopicTree(props: TreeProps) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  function toggle(topic: string): void {
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(topic)) after.add(topic);
      return after;
    });
  }
  const pages = useLevel('', props.change);
  // A tree without an item is none.
  if (pages.items.length === 0) return <p class="tree empty">{noteOf(pages)}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: WAI-ARIA's own example of a tree is a list
    <ul class="tree" role="tree" aria-label="Retained topics" onKeyDown={moveFocus}>
      <Items {...props} pages={pages} depth={1} folds={{ open, toggle }} />
    </ul>
  );
}

function useLevel(below: string, change: string): Pages<TopicView> {
  return usePages<TopicView>('/api/v1/topics', { below }, change);
}

/** Why a level has no items, or not all of them. */
function noteOf({ items, isRead, missing, error }: Pages<TopicView>): string | undefined {
  if (error !== undefined) return error.message;
  if (missing.length > 0) return `Without ${missing.join('; ')}`;
  if (!isRead) return 'The nodes are asked ...';
  return items.length === 0 ? 'No retained values.' : undefined;
}

interface LevelProps extends TreeProps {
  readonly depth: number;
  readonly folds: Folds;
}

function Level({ below, ...props }: LevelProps & { readonly below: string }) {
  return <Items {...props} pages={useLevel(below, props.change)} />;
}

function Items({ pages, ...props }: LevelProps & { readonly pages: Pages<TopicView> }) {
  const { items, total, hasMore, more } = pages;
  const note = noteOf(pages);
  return (
    <>
      {note !== undefined && (
        <li role="none" class="empty">
          {note}
        </li>
      )}
      {items.map((item, index) => (
        <Item key={item.name} {...props} item={item} isFirst={props.depth === 1 && index === 0} />
      ))}
      {hasMore && (
        <li role="none">
          <button type="button" onClick={more}>
            {formatCount(total - items.length)} more
          </button>
        </li>
      )}
    </>
  );
}

type ItemProps = LevelProps & {
  readonly item: TopicView;
  /** The tab key goes to it, before another one has the focus. */
  readonly isFirst: boolean;
};

function Item({ item, isFirst, ...props }: ItemProps) {
  const { chosen, choose, depth, folds } = props;
  const { name, topic, values, value, variants } = item;
  const canUnfold = values > (value === null ? 0 : 1);
  const isOpen = canUnfold && folds.open.has(topic);
  function click(): void {
    choose(item);
    if (canUnfold) folds.toggle(topic);
  }
  return (
    <li role="none">
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the tree listens to the keys of all its items */}
      <div
        class="tree-row"
        role="treeitem"
        aria-level={depth}
        aria-expanded={canUnfold ? isOpen : undefined}
        aria-selected={topic === chosen}
        tabIndex={isFirst || topic === chosen ? 0 : -1}
        onClick={click}
      >
        <span class="fold" aria-hidden="true">
          {canUnfold ? (isOpen ? '▾' : '▸') : ''}
        </span>
        <b>{name || '(empty)'}</b>
        {canUnfold && <small class="number">{formatCount(values)}</small>}
        {value !== null && (
          <span class="preview">{value.preview ?? `${formatBytes(value.bytes)}, no text`}</span>
        )}
        {value?.at != null && <small>{formatDuration(nodeNow() - value.at)}</small>}
        <Agreement variants={variants} />
      </div>
      {isOpen && (
        // biome-ignore lint/a11y/useSemanticElements: a group of a tree is no set of fields
        <ul role="group">
          <Level {...props} below={`${topic}/`} depth={depth + 1} />
        </ul>
      )}
    </li>
  );
}

export function Agreement({ variants }: Pick<TopicView, 'variants'>) {
  if (variants.length <= 1) {
    const count = variants[0]?.nodes.length ?? 0;
    if (count <= 1) return null;
    return (
      <span class="same" title={`The same on all ${count} nodes`}>
        ✓
      </span>
    );
  }
  return <span class="differs">≠ differs on {namesOfOthers(variants)}</span>;
}

/** Those that differ from the largest group. */
function namesOfOthers(variants: TopicView['variants']): string {
  const groups = [...variants].sort((a, b) => b.nodes.length - a.nodes.length);
  const names = groups.slice(1).flatMap(({ nodes }) => nodes);
  return names.length > 3 ? `${names.length} nodes` : names.join(', ');
}

/** Moves the focus through the items that are shown; left and right fold and unfold. */
function moveFocus(event: KeyboardEvent): void {
  const tree = event.currentTarget as HTMLElement;
  const items = [...tree.querySelectorAll<HTMLElement>('[role=treeitem]')];
  const item = (event.target as HTMLElement).closest<HTMLElement>('[role=treeitem]');
  if (item === null || event.target !== item) return;
  const index = items.indexOf(item);
  const expanded = item.getAttribute('aria-expanded');
  const parent = item.closest('[role=group]')?.previousElementSibling as
    | HTMLElement
    | null
    | undefined;
  const goals: Readonly<Record<string, HTMLElement | null | undefined>> = {
    ArrowDown: items[index + 1],
    ArrowUp: items[index - 1],
    Home: items[0],
    End: items.at(-1),
    ArrowLeft: expanded === 'true' ? item : parent,
    ArrowRight: expanded === 'false' ? item : items[index + 1],
    Enter: item,
    ' ': item,
  };
  if (!Object.hasOwn(goals, event.key)) return;
  event.preventDefault();
  const goal = goals[event.key];
  if (goal === item) item.click();
  else goal?.focus();
}
