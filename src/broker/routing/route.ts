// From a publication to its subscribers: finds the route of its topic (cached in the topic) and
// delivers the message to each at its QoS. The second half of the hot path, after client/publish.ts.
// Invariant: everyone in a route's lists may receive the topic, so that a delivery asks nothing.

import type { PublishRun } from '../../mqtt/publish-run.ts';
import type { QoS } from '../../mqtt/publish-view.ts';
import type { Message } from '../message/message.ts';
import type { Publication } from '../message/publication.ts';
import type { BrokerOptions } from '../options.ts';
import type { Authorizer } from '../ports.ts';
import { Price } from '../prices.ts';
import type { BrokerStats } from '../stats.ts';
import type { WorkBudget } from '../work-budget.ts';
import type { SharedGroup } from './shared-group.ts';
import type { Subscriber, Subscription } from './subscription.ts';
import type { SubscriptionTree } from './subscription-tree.ts';
import type { RoutedTopic } from './topic-table.ts';

/**
 * Bound on the entries of all lists that cached routes keep, each list counted once, on their groups, and
 * on these routes; beyond it the router drops the lists of all routes.
 */
const CACHED_TARGETS_MAX = 250_000;
/** Outdated routes that the router drops for each one that it finds. */
const OUTDATED_DROPPED = 4;
const NO_LISTS: Route['lists'] = [];
const NO_TARGETS: Route['lists'][number] = [];
const NO_GROUPS: Route['groups'] = [];
const NO_IDENTIFIERS: readonly number[] = [];

/** Several matching subscriptions of one subscriber, served by one copy. */
interface MergedSubscription extends Subscription {
  /** Set where some of them are no-local and some are not. */
  readonly local?: Subscription | undefined;
}

/** The subscribers of one topic. */
export interface Route {
  lists: readonly (readonly MergedSubscription[])[];
  groups: readonly SharedGroup[];
  /** Subscriptions that match but may not receive the topic. */
  readonly denied: number;
  /** Of the tree and of access, when it was found. */
  readonly version: number;
  /** Entries that no other route shares. */
  readonly own: number;
}

/** Many topics have no subscriber: retained messages that are read later. They share this route, which is never cached. */
const NO_SUBSCRIBERS: Route = { lists: NO_LISTS, groups: NO_GROUPS, denied: 0, version: 0, own: 0 };

/** What the router needs of the broker. */
export interface RouterContext {
  readonly tree: SubscriptionTree;
  readonly options: BrokerOptions;
  readonly authorizer: Authorizer;
  readonly stats: BrokerStats;
  readonly budget: WorkBudget;
}

export class Router {
  readonly #tree: SubscriptionTree;
  readonly #options: BrokerOptions;
  readonly #authorizer: Authorizer;
  readonly #stats: BrokerStats;
  readonly #budget: WorkBudget;
  /** Routes with lists or groups, in the order of their versions. */
  readonly #cached = new Set<Route>();
  /** These routes, their own entries, and the entries of all shared lists made since the last drop of all. */
  #cachedTargets = 0;
  /** Visits #cached from its oldest route on; a new iterator would pass the places of those that are gone. */
  #oldest = this.#cached.values();
  /** The route at which it stopped. */
  #next: Route | undefined;
  #epoch = 0;

  constructor({ tree, options, authorizer, stats, budget }: RouterContext) {
    this.#tree = tree;
    this.#options = options;
    this.#authorizer = authorizer;
    this.#stats = stats;
    this.#budget = budget;
  }

  /**
   * Delivers the publication to all subscribers of its topic. The caller spends the price of the
   * deliveries: inside the loop's function that would keep V8 from inlining the deliveries.
   * @param publisher undefined for a message of a peer or of the broker itself
   * @returns the number of subscribers and groups that matched
   */
  fanOut(publication: Publication<RoutedTopic>, publisher: Subscriber | undefined): number {
    const { lists, groups, denied } = this.#routeOf(publication.topic);
    this.#stats.denied += denied;
    let matched = groups.length;
    for (const list of lists) {
      matched += list.length;
      for (const target of list) this.#toTarget(publication, target, publisher);
    }
    for (const group of groups) {
      this.#toGroup(publication, group);
    }
    return matched;
  }

  /** @returns the number of subscribers of the topic; -1 where one may get a message twice, or shares it with others */
  subscribersOf(topic: RoutedTopic): number {
    const { lists, groups } = this.#routeOf(topic);
    return groups.length > 0 || lists.length > 1 ? -1 : (lists[0]?.length ?? 0);
  }

  /**
   * Delivers a run of QoS 0 to the subscribers that subscribersOf() has counted. The caller spends the price.
   * @returns false: one of them needs its messages one by one, so no one has got any
   */
  deliverRun(run: PublishRun, topic: RoutedTopic, publisher: Subscriber): boolean {
    const { lists, denied } = this.#routeOf(topic);
    const targets = lists[0] ?? NO_TARGETS;
    for (const { subscriber, identifiers } of targets) {
      const isPlain = subscriber !== publisher && identifiers.length === 0;
      if (!isPlain || subscriber.takesRun?.(run) !== true) return false;
    }
    for (const { subscriber } of targets) subscriber.deliverRun?.(run);
    this.#stats.denied += denied * run.count;
    return true;
  }

  /** As fanOut(), only to subscriptions with Retain As Published: those of bridges, and of others who keep values. */
  toMirrors(publication: Publication<RoutedTopic>): void {
    for (const list of this.#routeOf(publication.topic).lists) {
      this.#budget.spend(list.length);
      for (const target of list) {
        if (target.retainAsPublished) this.#deliver(publication, target, undefined);
      }
    }
  }

  #toTarget(
    publication: Publication,
    target: MergedSubscription,
    publisher: Subscriber | undefined,
  ): void {
    if (target.subscriber !== publisher) {
      this.#deliver(publication, target, undefined);
    } else if (!target.noLocal) {
      this.#deliver(publication, target.local ?? target, undefined);
    }
  }

  #toGroup(publication: Publication, group: SharedGroup): void {
    if (group.share !== undefined && !publication.isServedHere(group.share)) return;
    const { name } = publication.topic;
    const member = group.pick((target) => this.mayReceive(target, name));
    this.#budget.spend(group.steps);
    if (member === undefined) this.#stats.denied += 1;
    else this.#deliver(publication, member, group);
  }

  mayReceive(target: Subscription, topic: string): boolean {
    const { permissive } = this.#authorizer;
    const isFree = permissive || target.subscriber.isUnrestricted === true;
    return isFree || this.#authorizer.mayReceive(target.subscriber.identity, topic);
  }

  #deliver(publication: Publication, target: Subscription, group: SharedGroup | undefined): void {
    const { subscriber } = target;
    const qos = this.#qosFor(publication.qos, target.qos);
    const retain = publication.retain && target.retainAsPublished;
    subscriber.deliver(publication, qos, retain, target.identifiers, group);
  }

  /** A message that was on its way to another member of the group. */
  deliverMessage(message: Message, target: Subscription, group: SharedGroup | undefined): void {
    const qos = this.#qosFor(message.qos, target.qos);
    const retain = message.retain && target.retainAsPublished;
    target.subscriber.deliverMessage(message, qos, retain, target.identifiers, group);
  }

  #qosFor(published: QoS, subscribed: QoS): QoS {
    if (this.#options.upgradeQos) return subscribed;
    return published < subscribed ? published : subscribed;
  }

  #routeOf(topic: RoutedTopic): Route {
    // Both only rise, so the sum changes whenever either does.
    const version = this.#tree.version + this.#epoch;
    if (topic.route !== undefined && topic.routeVersion === version) return topic.route;
    if (topic.route !== undefined) this.#forget(topic.route);
    const route = this.#findRoute(topic.name);
    topic.route = route;
    topic.routeVersion = this.#tree.version + this.#epoch;
    return route;
  }

  /** Access has changed: every route is found anew before its next message. */
  forgetRoutes(): void {
    this.#epoch += 1;
  }

  #findRoute(topic: string): Route {
    const matches = this.#tree.match(topic);
    const { groups, listed } = matches;
    const found = matches.lists.reduce((sum, list) => sum + list.length, groups.length);
    const search = Price.newTopic + Price.topicCharacter * topic.length;
    this.#budget.spend(search + Price.treeNode * matches.visited + found);
    const before = this.#authorizer.work;
    const { lists, denied } = this.#permitted(matches.lists, topic);
    this.#budget.spend(this.#authorizer.work - before);
    const isMerged = lists.length > 1 && this.#options.overlapping !== 'each';
    if (isMerged || !this.#authorizer.permissive) this.#budget.spend(Price.ownTarget * found);
    if (lists.length === 0 && groups.length === 0 && denied === 0) return NO_SUBSCRIBERS;
    const isOwn = isMerged || denied > 0;
    const entries = isOwn ? lists.reduce((sum, list) => sum + list.length, 0) : lists.length;
    const route: Route = {
      lists: isMerged ? [mergeLists(lists)] : lists,
      groups,
      denied,
      version: this.#tree.version + this.#epoch,
      own: entries + groups.length,
    };
    this.#dropOutdated(route.version);
    if (route.own > 0) this.#cache(route, listed);
    return route;
  }

  /**
   * Drops old lists instead of only outdating them: their topics may never be used again. Also those
   * that routes share: after each change of the tree there are new ones.
   */
  #cache(route: Route, shared: number): void {
    this.#cachedTargets += 1 + route.own + shared;
    this.#cached.add(route);
    if (this.#cachedTargets <= CACHED_TARGETS_MAX) return;
    for (const old of this.#cached) if (old !== route) release(old);
    this.#cached.clear();
    this.#cachedTargets = 0;
    this.#epoch += 1;
  }

  /** An outdated route keeps sessions that are over. A topic that is used again has a later one. */
  #dropOutdated(version: number): void {
    for (let dropped = 0; dropped < OUTDATED_DROPPED; dropped++) {
      this.#next ??= this.#oldest.next().value;
      if (this.#next === undefined) {
        // An iterator that has come to the end stays there.
        this.#oldest = this.#cached.values();
        return;
      }
      if (this.#next.version === version) return;
      this.#forget(this.#next);
      release(this.#next);
      this.#next = undefined;
    }
  }

  /** Another route takes the place of this one: its own lists need not stay, those that it shares may. */
  #forget(route: Route): void {
    if (this.#cached.delete(route)) this.#cachedTargets -= 1 + route.own;
  }

  #permitted(
    lists: readonly (readonly Subscription[])[],
    topic: string,
  ): { lists: readonly (readonly Subscription[])[]; denied: number } {
    if (this.#authorizer.permissive) return { lists, denied: 0 };
    let denied = 0;
    const permitted = lists.map((list) => {
      const kept = list.filter((target) => this.mayReceive(target, topic));
      denied += list.length - kept.length;
      // The tree's own list takes no further memory.
      return kept.length === list.length ? list : kept;
    });
    return { lists: permitted.filter((list) => list.length > 0), denied };
  }
}

/** A topic, or a message that keeps its topic, may refer to the route for long. */
function release(route: Route): void {
  route.lists = NO_LISTS;
  route.groups = NO_GROUPS;
}

/**
 * One target for each subscriber: the highest QoS and all identifiers [MQTT5-3.3.4-2, 3.3.4-3,
 * 3.3.4-4]. RETAIN is kept as published if any of the subscriptions asks for it. The lists may have
 * hundreds of thousands of entries: only a subscriber with several gets objects of its own.
 */
function mergeLists(lists: readonly (readonly Subscription[])[]): MergedSubscription[] {
  const places = new Map<Subscriber, number>();
  const targets: MergedSubscription[] = [];
  const overlapping = new Map<number, Subscription[]>();
  for (const list of lists) {
    for (const subscription of list) {
      const place = places.get(subscription.subscriber);
      if (place === undefined) {
        places.set(subscription.subscriber, targets.length);
        targets.push(subscription);
      } else {
        const found = overlapping.get(place);
        // Two are the rule: pushing to a list of one would make room for many.
        if (found === undefined) overlapping.set(place, [targets[place]!, subscription]);
        else found.push(subscription);
      }
    }
  }
  for (const [place, found] of overlapping) targets[place] = mergeAll(found);
  return targets;
}

function mergeAll(found: readonly Subscription[]): MergedSubscription {
  const merged = merge(found);
  if (merged.noLocal || !found.some(({ noLocal }) => noLocal)) return merged;
  return { ...merged, local: merge(found.filter(({ noLocal }) => !noLocal)) };
}

function merge(found: readonly Subscription[]): Subscription {
  const { subscriber, filter } = found[0]!;
  let qos: QoS = 0;
  let noLocal = true;
  let retainAsPublished = false;
  let identifiers: number[] | undefined;
  for (const one of found) {
    if (one.qos > qos) qos = one.qos;
    if (!one.noLocal) noLocal = false;
    if (one.retainAsPublished) retainAsPublished = true;
    for (const identifier of one.identifiers) {
      identifiers ??= [];
      identifiers.push(identifier);
    }
  }
  const own = identifiers ?? NO_IDENTIFIERS;
  return { subscriber, filter, qos, noLocal, retainAsPublished, identifiers: own };
}
