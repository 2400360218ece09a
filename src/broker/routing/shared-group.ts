// The members of one Shared Subscription on this node (MQTT 5.0 4.8.2). Each message goes to one of
// them in turn, to a member that can take it now if there is one.

import type { GroupMembers, GroupShare, MemberCounts } from '../ports.ts';
import type { Subscriber, Subscription } from './subscription.ts';

export class SharedGroup implements GroupMembers {
  readonly name: string;
  /** Without `$share/{ShareName}/`. */
  readonly filter: string;
  /** Set where all nodes serve the group together. */
  share: GroupShare | undefined;
  /** Members that the last pick() looked at: the price of its search. */
  steps = 0;
  readonly #members: Subscription[] = [];
  readonly #indexes = new Map<Subscriber, number>();
  /** Members that may receive only a part of what the filter matches. */
  readonly #inPart = new Set<Subscriber>();
  #next = 0;

  constructor(name: string, filter: string) {
    this.name = name;
    this.filter = filter;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Adds a member or replaces its subscription; true for a new member. */
  add(subscription: Subscription): boolean {
    const known = this.#indexes.get(subscription.subscriber);
    const index = known ?? this.#members.length;
    this.#members[index] = subscription;
    this.#indexes.set(subscription.subscriber, index);
    return known === undefined;
  }

  /** The last member takes the free place, so that all others keep theirs. True for a member. */
  remove(subscriber: Subscriber): boolean {
    const index = this.#indexes.get(subscriber);
    if (index === undefined) return false;
    this.#indexes.delete(subscriber);
    this.#inPart.delete(subscriber);
    const last = this.#members.pop()!;
    if (last.subscriber !== subscriber) {
      this.#members[index] = last;
      this.#indexes.set(last.subscriber, index);
    }
    return true;
  }

  /**
   * The member that gets the next message: the next one that is ready, else the next that is online,
   * else the next whose session queues it, which none does with QoS 0. Only members that may receive it count.
   * @param except a member to pass over, because its connection or session just ended
   */
  pick(
    mayReceive: (member: Subscription) => boolean,
    except?: Subscriber,
  ): Subscription | undefined {
    const members = this.#members;
    let online = -1;
    let offline = -1;
    this.steps = 0;
    while (this.steps < members.length) {
      const index = (this.#next + this.steps) % members.length;
      const member = members[index]!;
      const { subscriber } = member;
      this.steps += 1;
      const { ready } = subscriber;
      const isBetter = ready || (subscriber.online ? online === -1 : this.#queues(member, offline));
      if (!isBetter || subscriber === except || !mayReceive(member)) continue;
      if (ready) return this.#take(index);
      if (subscriber.online) online = index;
      else offline = index;
    }
    const index = online === -1 ? offline : online;
    return index === -1 ? undefined : this.#take(index);
  }

  /** True if the absent member keeps the message rather than the one at this index; -1: none. */
  #queues(member: Subscription, index: number): boolean {
    return index === -1 || (member.qos > 0 && this.#members[index]!.qos === 0);
  }

  /** @param mayReceiveAll false for a member that may receive only a part of what the filter matches */
  setAccess(subscriber: Subscriber, mayReceiveAll: boolean): void {
    if (mayReceiveAll) this.#inPart.delete(subscriber);
    else this.#inPart.add(subscriber);
  }

  count(): MemberCounts {
    const counts = { online: 0, absent: 0, onlineInPart: 0, absentInPart: 0 };
    for (const { subscriber } of this.#members) {
      const isInPart = this.#inPart.has(subscriber);
      if (subscriber.online) counts[isInPart ? 'onlineInPart' : 'online'] += 1;
      else counts[isInPart ? 'absentInPart' : 'absent'] += 1;
    }
    return counts;
  }

  /** True if a member other than `except` is online. */
  hasOnline(except?: Subscriber): boolean {
    return this.#members.some(({ subscriber }) => subscriber !== except && subscriber.online);
  }

  #take(index: number): Subscription {
    this.#next = (index + 1) % this.#members.length;
    return this.#members[index]!;
  }
}
