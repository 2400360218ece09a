// All subscriptions of the node as a tree of topic levels (MQTT 5.0 4.7, 4.8.2). A search visits one
// node for each level of the topic and each shape of filter (filter-shapes.ts), however many
// subscriptions there are.
// Invariant: every node has a subscription at or below it.

import { isReservedTopic } from '../../mqtt/topic.ts';
import { ownText } from '../../shared/own-text.ts';
import { textBytes } from '../../shared/text-bytes.ts';
import { type Accounts, type ClientAccount, isOverShare, NAMELESS_SHARE } from '../accounts.ts';
import { subscriptionBytes, TREE_NODE_BYTES } from '../memory-costs.ts';
import type { GroupSharing } from '../ports.ts';
import { FilterShapes, groupKey, levelKey, type Shape } from './filter-shapes.ts';
import { LevelMap } from './level-map.ts';
import { SharedGroup } from './shared-group.ts';
import type { Subscriber, Subscription } from './subscription.ts';

/** Levels of the filters of all sessions. */
export const NODES_MAX = 4_000_000;
/** Of one client. */
export const CLIENT_NODES_MAX = 100_000;

class TreeNode {
  readonly parent: TreeNode | undefined;
  readonly level: string;
  readonly shape: Shape;
  /** Pays for the node: the client whose filter added it. */
  readonly payer: ClientAccount | undefined;
  children: LevelMap<TreeNode> | undefined;
  subscriptions: Map<Subscriber, Subscription> | undefined;
  groups: Map<string, SharedGroup> | undefined;
  /** Snapshot of `subscriptions` that routes share; undefined after a change. */
  list: readonly Subscription[] | undefined;

  constructor(
    parent: TreeNode | undefined,
    level: string,
    shape: Shape,
    payer: ClientAccount | undefined,
  ) {
    this.parent = parent;
    this.level = level;
    this.shape = shape;
    this.payer = payer;
  }

  get unused(): boolean {
    return (
      (this.children === undefined || this.children.size === 0) &&
      (this.subscriptions === undefined || this.subscriptions.size === 0) &&
      (this.groups === undefined || this.groups.size === 0)
    );
  }
}

/** The matches of a topic: one list for each filter, and the groups of shared subscriptions. */
export interface Matches {
  readonly lists: (readonly Subscription[])[];
  readonly groups: SharedGroup[];
  /** Nodes that the search visited. */
  visited: number;
  /** Entries of lists that the search has made. */
  listed: number;
}

export class SubscriptionTree {
  readonly #accounts: Accounts;
  readonly #shapes: FilterShapes;
  readonly #root: TreeNode;
  #version = 0;
  #size = 0;
  #shared = 0;
  #nodes = 0;
  readonly #groups = new Set<SharedGroup>();
  #sharing: GroupSharing | undefined;

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
    this.#shapes = new FilterShapes(accounts);
    this.#root = new TreeNode(undefined, '', this.#shapes.root, undefined);
  }

  /** From now on all nodes serve the groups together. */
  set sharing(sharing: GroupSharing) {
    this.#sharing = sharing;
    for (const group of this.#groups) {
      group.share = sharing.open(group.name, group.filter, group);
      group.share.changed();
    }
  }

  /** All nodes serve the groups together. */
  get isShared(): boolean {
    return this.#sharing !== undefined;
  }

  /** Rises with every change of the tree, so that a cached match can be checked. */
  get version(): number {
    return this.#version;
  }

  /** Number of subscriptions, shared ones included. */
  get size(): number {
    return this.#size;
  }

  get sharedSize(): number {
    return this.#shared;
  }

  /** Topic levels in the tree: the memory of all subscriptions. */
  get nodes(): number {
    return this.#nodes;
  }

  get shapes(): number {
    return this.#shapes.size;
  }

  /**
   * The bound that the filter would exceed, in words; undefined if there is room for it. The caller
   * must not add a filter without room.
   */
  boundFor(filter: string, group: string | undefined, account: ClientAccount): string | undefined {
    const levels = filter.split('/');
    if (this.nodes + levels.length > NODES_MAX) return `${NODES_MAX} topic levels on this node`;
    const own = this.clientBoundFor(filter, group, account);
    if (own !== undefined) return own;
    if (isOverShare(account.user.levels, this.nodes, NODES_MAX)) {
      return "the user's share of the topic levels";
    }
    const { levels: namelessLevels } = this.#accounts.nameless;
    if (this.#accounts.isOverNamelessShare(account.user, namelessLevels, this.nodes, NODES_MAX)) {
      return `topic levels ${NAMELESS_SHARE}`;
    }
    const bytes = subscriptionBytes(filter) + textBytes(filter) + TREE_NODE_BYTES * levels.length;
    return (
      this.#shapes.boundFor(levels, group, account) ?? this.#accounts.boundFor(account.user, bytes)
    );
  }

  /** As boundFor(), only the bounds of one client. */
  clientBoundFor(
    filter: string,
    group: string | undefined,
    account: ClientAccount,
  ): string | undefined {
    const levels = filter.split('/');
    if (account.levels + levels.length > CLIENT_NODES_MAX) {
      return `${CLIENT_NODES_MAX} topic levels of one client`;
    }
    return this.#shapes.clientBoundFor(levels, group, account);
  }

  /** @param filter without `$share/...`; replaces the subscriber's subscription to the same filter */
  add(filter: string, subscription: Subscription, group: string | undefined): void {
    const { account } = subscription.subscriber;
    const node = this.#reach(filter, account);
    this.#version += 1;
    if (group === undefined) {
      node.subscriptions ??= new Map();
      if (!node.subscriptions.has(subscription.subscriber)) this.#size += 1;
      node.subscriptions.set(subscription.subscriber, subscription);
      node.list = undefined;
      return;
    }
    node.groups ??= new Map();
    let members = node.groups.get(group);
    if (members === undefined) {
      members = new SharedGroup(group, filter);
      members.share = this.#sharing?.open(group, filter, members);
      node.groups.set(group, members);
      this.#groups.add(members);
      this.#shapes.use(node.shape, groupKey(group), account);
    }
    if (members.add(subscription)) {
      this.#size += 1;
      this.#shared += 1;
    }
    members.share?.changed();
  }

  remove(filter: string, subscriber: Subscriber, group: string | undefined): void {
    const node = this.#find(filter);
    if (node === undefined) return;
    let removed = false;
    if (group === undefined) {
      removed = node.subscriptions?.delete(subscriber) ?? false;
      node.list = undefined;
    } else {
      const members = node.groups?.get(group);
      removed = members?.remove(subscriber) ?? false;
      members?.share?.changed();
      if (members?.size === 0) {
        node.groups?.delete(group);
        this.#groups.delete(members);
        this.#shapes.release(node.shape.children?.get(groupKey(group)));
      }
      if (removed) this.#shared -= 1;
    }
    if (!removed) return;
    this.#size -= 1;
    this.#version += 1;
    this.#prune(node);
  }

  /**
   * The Topic Filters of all subscriptions, those of groups without their prefix. Leaves out what lies
   * under a `#` that is subscribed to, unless it begins with `$`.
   */
  filters(): Generator<string> {
    return filtersOf(this.#root, undefined);
  }

  /** The group of a shared subscription, while it has members. */
  group(filter: string, group: string): SharedGroup | undefined {
    return this.#find(filter)?.groups?.get(group);
  }

  /** A wildcard at the first level does not match a topic that begins with `$` [MQTT5-4.7.2-1]. */
  match(topic: string): Matches {
    const matches: Matches = { lists: [], groups: [], visited: 0, listed: 0 };
    const levels = topic.split('/');
    let nodes: TreeNode[] = [this.#root];
    for (let depth = 0; depth < levels.length; depth++) {
      const wildcards = depth > 0 || !isReservedTopic(topic);
      const next: TreeNode[] = [];
      matches.visited += nodes.length;
      for (const node of nodes) {
        const { children } = node;
        if (children === undefined) continue;
        const exact = children.get(levels[depth]!);
        if (exact !== undefined) next.push(exact);
        if (!wildcards) continue;
        const plus = children.get('+');
        if (plus !== undefined) next.push(plus);
        collect(children.get('#'), matches);
      }
      nodes = next;
    }
    matches.visited += nodes.length;
    for (const node of nodes) {
      collect(node, matches);
      // `a/#` matches `a` too (4.7.1.2).
      collect(node.children?.get('#'), matches);
    }
    return matches;
  }

  #reach(filter: string, account: ClientAccount): TreeNode {
    let node = this.#root;
    for (const level of filter.split('/')) {
      node.children ??= new LevelMap();
      let child = node.children.get(level);
      if (child === undefined) {
        const shape = this.#shapes.use(node.shape, levelKey(level), account);
        child = new TreeNode(node, ownText(level), shape, account);
        node.children.set(child.level, child);
        this.#charge(account, child, 1);
      }
      node = child;
    }
    return node;
  }

  #find(filter: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.#root;
    for (const level of filter.split('/')) {
      node = node.children?.get(level);
      if (node === undefined) return undefined;
    }
    return node;
  }

  #prune(from: TreeNode): void {
    let node = from;
    while (node.unused && node.parent !== undefined) {
      node.parent.children?.delete(node.level);
      this.#shapes.release(node.shape);
      if (node.payer !== undefined) this.#charge(node.payer, node, -1);
      node = node.parent;
    }
  }

  #charge(payer: ClientAccount, { level }: TreeNode, levels: 1 | -1): void {
    this.#nodes += levels;
    this.#accounts.charge(payer, levels * (TREE_NODE_BYTES + textBytes(level)));
    payer.levels += levels;
    const { user } = payer;
    user.levels += levels;
    if (user.group !== undefined) user.group.levels += levels;
  }
}

/** @param path undefined for the root */
function* filtersOf(node: TreeNode, path: string | undefined): Generator<string> {
  const prefix = path === undefined ? '' : `${path}/`;
  const hasHash = node.children?.get('#') !== undefined;
  if (hasHash) yield `${prefix}#`;
  else if (path !== undefined && isSubscribed(node)) yield path;
  if (hasHash && path !== undefined) return;
  for (const [level, child] of node.children?.entries() ?? []) {
    if (!hasHash || isReservedTopic(level)) yield* filtersOf(child, `${prefix}${level}`);
  }
}

function isSubscribed({ subscriptions, groups }: TreeNode): boolean {
  return (subscriptions?.size ?? 0) > 0 || (groups?.size ?? 0) > 0;
}

function collect(node: TreeNode | undefined, matches: Matches): void {
  if (node === undefined) return;
  if (node.subscriptions !== undefined && node.subscriptions.size > 0) {
    if (node.list === undefined) {
      node.list = [...node.subscriptions.values()];
      matches.listed += node.list.length;
    }
    matches.lists.push(node.list);
  }
  if (node.groups === undefined) return;
  // One by one: there may be more groups than a call takes arguments.
  for (const group of node.groups.values()) matches.groups.push(group);
}
