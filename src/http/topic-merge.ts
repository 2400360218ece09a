// Joins one level of the topic tree as the nodes have it: nodes whose values below a name are the same are
// one variant of it. Pure.

import type { TopicView } from './node-api.ts';
import { mergePages, type PageView } from './page.ts';

type Variant = TopicView['variants'][number];

export interface TopicPage extends PageView<TopicView> {
  /** Those that answered. */
  readonly nodes: readonly string[];
}

export function mergeTopicPages(
  pages: readonly TopicPage[],
  query: Parameters<typeof mergePages>[1],
): TopicPage {
  const { items, next } = mergePages(pages, query, ({ name }) => name);
  const nodes = pages.flatMap((page) => page.nodes).sort();
  const byName = new Map<string, TopicView[]>();
  for (const item of items) {
    const same = byName.get(item.name);
    if (same === undefined) byName.set(item.name, [item]);
    else same.push(item);
  }
  return {
    items: [...byName.values()].map((views) => join(views, nodes)),
    // A node that lacks a name does not know of it: the node that has most comes nearest.
    total: Math.max(...pages.map(({ total }) => total)),
    ...(next !== undefined && { next }),
    nodes,
  };
}

/** @param views of one name; at least one */
function join(views: readonly TopicView[], nodes: readonly string[]): TopicView {
  const variants = new Map<number, Variant>();
  const add = (variant: Variant): void => {
    const same = variants.get(variant.fingerprint);
    const merged = same && { ...same, nodes: [...same.nodes, ...variant.nodes].sort() };
    variants.set(variant.fingerprint, merged ?? variant);
  };
  for (const view of views) view.variants.forEach(add);
  const holders = new Set(views.flatMap(({ variants: [one] }) => one?.nodes ?? []));
  const others = nodes.filter((node) => !holders.has(node));
  if (others.length > 0) add({ nodes: others, values: 0, fingerprint: 0, version: null });
  const newest = views.reduce((best, view) => (isNewer(view, best) ? view : best));
  const values = Math.max(...views.map((view) => view.values));
  return { ...newest, values, variants: [...variants.values()] };
}

function isNewer(a: TopicView, b: TopicView): boolean {
  const time = ({ value }: TopicView): number => (value === null ? -1 : (value.at ?? 0));
  return time(a) > time(b);
}
