// From a publication to its subscribers: finds who matches (cached in the topic) and hands each
// the message at its QoS. The second half of the hot path, behind publish.ts.

import type { QoS } from '../../mqtt/publish-view.ts';
import type { Publication } from '../message/publication.ts';
import type { BrokerOptions } from '../options.ts';
import type { Authorizer } from '../ports.ts';
import type { Session } from '../session/session.ts';
import type { BrokerStats } from '../stats.ts';
import type { SharedGroup } from './shared-group.ts';
import type { Subscription, SubscriptionTree } from './subscription-tree.ts';
import type { RoutedTopic } from './topic-table.ts';

/** Cached entries of lists made for one route; beyond them all such lists go and are made anew. */
const OWN_TARGETS_MAX = 250_000;
/** What finding a route costs, in deliveries: a node of the tree, a subscription of its own lists. */
const NODE_WORK = 20;
const OWN_TARGET_WORK = 50;
const NO_LISTS: Route['lists'] = [];

/** Several matching subscriptions of one session, to be served by one copy. */
interface MergedSubscription extends Subscription {
  /** Set where some of them are no-local and some are not. */
  readonly local?: Subscription | undefined;
}

/** Who gets the messages of one topic. Everybody in `lists` may receive them. */
export interface Route {
  lists: readonly (readonly MergedSubscription[])[];
  readonly groups: readonly SharedGroup[];
  /** Subscriptions that match but may not receive. */
  readonly denied: number;
}

export class Router {
  /** What the last fan-out cost beside its deliveries, in deliveries. */
  extraWork = 0;
  readonly #tree: SubscriptionTree;
  readonly #options: BrokerOptions;
  readonly #authorizer: Authorizer;
  readonly #stats: BrokerStats;
  /** Routes with lists of their own, and how many subscriptions these were made of. */
  #owning: Route[] = [];
  #ownTargets = 0;
  #epoch = 0;

  constructor(
    tree: SubscriptionTree,
    options: BrokerOptions,
    authorizer: Authorizer,
    stats: BrokerStats,
  ) {
    this.#tree = tree;
    this.#options = options;
    this.#authorizer = authorizer;
    this.#stats = stats;
  }

  /**
   * Hands the publication to everybody who subscribed.
   * @param publisher undefined where it came from a peer or from the broker
   * @returns how many sessions and groups matched
   */
  fanOut(publication: Publication, publisher: Session | undefined): number {
    this.extraWork = 0;
    const route = this.#routeOf(publication.topic);
    this.#stats.denied += route.denied;
    let matched = route.groups.length;
    for (const list of route.lists) {
      matched += list.length;
      for (const target of list) this.#toTarget(publication, target, publisher);
    }
    for (const group of route.groups) {
      this.#toGroup(publication, group);
    }
    return matched;
  }

  #toTarget(
    publication: Publication,
    target: MergedSubscription,
    publisher: Session | undefined,
  ): void {
    if (target.session !== publisher) {
      this.#deliver(publication, target, undefined);
    } else if (!target.noLocal) {
      this.#deliver(publication, target.local ?? target, undefined);
    }
  }

  /** A member that may not receive is passed over. */
  #toGroup(publication: Publication, group: SharedGroup): void {
    const { name } = publication.topic;
    const member = group.pick((target) => this.mayReceive(target, name));
    this.extraWork += group.steps;
    if (member === undefined) this.#stats.denied += 1;
    else this.#deliver(publication, member, group);
  }

  mayReceive(target: Subscription, topic: string): boolean {
    const { permissive } = this.#authorizer;
    return permissive || this.#authorizer.mayReceive(target.session.identity, topic);
  }

  #deliver(publication: Publication, target: Subscription, group: SharedGroup | undefined): void {
    const { session } = target;
    const qos = this.#qosFor(publication.qos, target.qos);
    const retain = publication.retain && target.retainAsPublished;
    session.deliver(publication, qos, retain, target.identifiers, group);
  }

  #qosFor(published: QoS, subscribed: QoS): QoS {
    if (this.#options.upgradeQos) return subscribed;
    return published < subscribed ? published : subscribed;
  }

  #routeOf(topic: RoutedTopic): Route {
    // Both only grow, so the sum changes whenever either does.
    const version = this.#tree.version + this.#epoch;
    if (topic.route !== undefined && topic.routeVersion === version) return topic.route;
    const route = this.#findRoute(topic.name);
    topic.route = route;
    topic.routeVersion = this.#tree.version + this.#epoch;
    return route;
  }

  /** Makes all routes be found anew: who may receive what has changed. */
  forgetRoutes(): void {
    this.#epoch += 1;
  }

  #findRoute(topic: string): Route {
    const matches = this.#tree.match(topic);
    const { groups } = matches;
    const found = matches.lists.reduce((sum, list) => sum + list.length, 0);
    this.extraWork += NODE_WORK * matches.visited + found;
    const before = this.#authorizer.work;
    const { lists, denied } = this.#permitted(matches.lists, topic);
    this.extraWork += this.#authorizer.work - before;
    const isMerged = lists.length > 1 && this.#options.overlapping !== 'each';
    const route: Route = { lists: isMerged ? [mergeLists(lists)] : lists, groups, denied };
    if (isMerged || !this.#authorizer.permissive) this.extraWork += OWN_TARGET_WORK * found;
    if (isMerged || denied > 0) this.#own(route, lists);
    return route;
  }

  /** Old lists are let go, not only outdated: their topics may not be heard of again for long. */
  #own(route: Route, sources: Route['lists']): void {
    this.#ownTargets += 1;
    for (const list of sources) this.#ownTargets += list.length;
    this.#owning.push(route);
    if (this.#ownTargets <= OWN_TARGETS_MAX) return;
    for (const old of this.#owning) if (old !== route) old.lists = NO_LISTS;
    this.#owning = [];
    this.#ownTargets = 0;
    this.#epoch += 1;
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
      // The tree's own list costs nothing to remember.
      return kept.length === list.length ? list : kept;
    });
    return { lists: permitted.filter((list) => list.length > 0), denied };
  }
}

/**
 * One target for each session: the highest QoS, all identifiers [MQTT5-3.3.4-2, 3.3.4-3,
 * 3.3.4-4]. RETAIN is kept as published if any of the subscriptions asks for it.
 */
function mergeLists(lists: readonly (readonly Subscription[])[]): MergedSubscription[] {
  const bySession = new Map<Session, Subscription[]>();
  for (const list of lists) {
    for (const subscription of list) {
      const found = bySession.get(subscription.session);
      if (found === undefined) bySession.set(subscription.session, [subscription]);
      else found.push(subscription);
    }
  }
  return Array.from(bySession.values(), (found) => {
    if (found.length === 1) return found[0]!;
    const local = found.filter((subscription) => !subscription.noLocal);
    const mixed = local.length > 0 && local.length < found.length;
    return { ...merge(found), local: mixed ? merge(local) : undefined };
  });
}

function merge(found: readonly Subscription[]): Subscription {
  const first = found[0]!;
  return {
    session: first.session,
    filter: first.filter,
    qos: found.reduce((highest: number, { qos }) => Math.max(highest, qos), 0) as QoS,
    noLocal: found.every((subscription) => subscription.noLocal),
    retainAsPublished: found.some((subscription) => subscription.retainAsPublished),
    identifiers: found.flatMap((subscription) => subscription.identifiers),
  };
}
