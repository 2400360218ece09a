// One level of the tree of retained topics on this node: the names below a prefix, how many values each has
// at and beneath it, and a fingerprint of their versions. Nodes that hold the same values have the same
// fingerprint, so that no lists have to be compared. Pure.

import type { Listed, Page, TopicView } from '../../http/node-api.ts';
import { PageCollector } from '../../http/page.ts';
import { StateHash } from '../../replica/state-hash.ts';

export interface VersionedTopic {
  readonly topic: string;
  /** Undefined for a value that stays on its node: it is compared with no other. */
  readonly version: string | undefined;
}

interface Branch<T> {
  readonly hash: StateHash;
  values: number;
  own: T | undefined;
}

/** @param T what is known of a value */
export class TopicLevel<T extends VersionedTopic> {
  readonly #prefix: string;
  readonly #branches = new Map<string, Branch<T>>();

  /** @param prefix empty, or the levels above with a slash at the end */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Ignores a topic that is not below the prefix: the filter `a/#` matches `a` too. */
  add(value: T): void {
    const { topic, version } = value;
    if (!topic.startsWith(this.#prefix)) return;
    const end = topic.indexOf('/', this.#prefix.length);
    const name = topic.slice(this.#prefix.length, end === -1 ? undefined : end);
    const branch = this.#branchOf(name);
    branch.values += 1;
    if (version !== undefined) branch.hash.toggle(`${topic}\n${version}`, 0, 0n);
    if (end === -1) branch.own = value;
  }

  /** @param show what people see of a value */
  list(page: Page, node: string, show: (value: T) => TopicView['value']): Listed<TopicView> {
    const collector = new PageCollector<readonly [string, Branch<T>]>(page, ([name]) => name);
    for (const branch of this.#branches) collector.add(branch);
    const { items, total } = collector.listed;
    const views = items.map(([name, { hash, values, own }]) => ({
      name,
      topic: this.#prefix + name,
      values,
      value: own === undefined ? null : show(own),
      variants: [{ nodes: [node], values, fingerprint: hash.value, version: own?.version ?? null }],
    }));
    return { items: views, total };
  }

  #branchOf(name: string): Branch<T> {
    const known = this.#branches.get(name);
    if (known !== undefined) return known;
    const branch = { hash: new StateHash(), values: 0, own: undefined };
    this.#branches.set(name, branch);
    return branch;
  }
}
