// The members of one Shared Subscription on this node (MQTT 5.0 4.8.2): each message goes to one
// of them, in turn, to one that can take it now where there is one.

import type { Session } from '../session/session.ts';
import type { Subscription } from './subscription-tree.ts';

export class SharedGroup {
  /** Members that the last pick() looked at. */
  steps = 0;
  readonly #members: Subscription[] = [];
  readonly #indexes = new Map<Session, number>();
  #next = 0;

  get size(): number {
    return this.#members.length;
  }

  /** Adds or replaces a member's subscription; true if the session was no member before. */
  add(subscription: Subscription): boolean {
    const known = this.#indexes.get(subscription.session);
    const index = known ?? this.#members.length;
    this.#members[index] = subscription;
    this.#indexes.set(subscription.session, index);
    return known === undefined;
  }

  /** The last member takes the place of the one that goes: the others keep theirs. */
  remove(session: Session): boolean {
    const index = this.#indexes.get(session);
    if (index === undefined) return false;
    this.#indexes.delete(session);
    const last = this.#members.pop()!;
    if (last.session !== session) {
      this.#members[index] = last;
      this.#indexes.set(last.session, index);
    }
    return true;
  }

  /**
   * Whose turn it is: the next member that is ready for a message, else the next that is online,
   * else the next with a session that can queue. Nobody who may not have it.
   * @param except not this one: it has just gone
   */
  pick(mayReceive: (member: Subscription) => boolean, except?: Session): Subscription | undefined {
    const members = this.#members;
    let online = -1;
    let offline = -1;
    this.steps = 0;
    while (this.steps < members.length) {
      const index = (this.#next + this.steps) % members.length;
      const member = members[index]!;
      const { session } = member;
      this.steps += 1;
      const { ready } = session;
      const isBetter = ready || (session.online ? online === -1 : offline === -1);
      if (!isBetter || session === except || !mayReceive(member)) continue;
      if (ready) return this.#take(index);
      if (session.online) online = index;
      else offline = index;
    }
    const index = online === -1 ? offline : online;
    return index === -1 ? undefined : this.#take(index);
  }

  /** True if a member other than `except` is online. */
  hasOnline(except: Session): boolean {
    return this.#members.some((member) => member.session !== except && member.session.online);
  }

  #take(index: number): Subscription {
    this.#next = (index + 1) % this.#members.length;
    return this.#members[index]!;
  }
}
