// The members of one Shared Subscription on this node (MQTT 5.0 4.8.2): each message goes to one
// of them, in turn, to one that can take it now where there is one.

import type { Session } from './session.ts';
import type { Subscription } from './subscription-tree.ts';

export class SharedGroup {
  #members: Subscription[] = [];
  #next = 0;

  get size(): number {
    return this.#members.length;
  }

  /** Adds or replaces a member's subscription; true if the session was no member before. */
  add(subscription: Subscription): boolean {
    const index = this.#members.findIndex((member) => member.session === subscription.session);
    if (index === -1) this.#members.push(subscription);
    else this.#members[index] = subscription;
    return index === -1;
  }

  remove(session: Session): boolean {
    const index = this.#members.findIndex((member) => member.session === session);
    if (index === -1) return false;
    this.#members.splice(index, 1);
    if (this.#next > index) this.#next -= 1;
    return true;
  }

  /**
   * Whose turn it is: the next member that is ready for a message, else the next that is online,
   * else the next with a session that can queue.
   * @param except not this one: it has just gone
   */
  pick(except?: Session): Subscription | undefined {
    const members = this.#members;
    let online = -1;
    let offline = -1;
    for (let step = 0; step < members.length; step++) {
      const index = (this.#next + step) % members.length;
      const { session } = members[index]!;
      if (session === except) continue;
      if (session.ready) return this.#take(index);
      if (session.online && online === -1) online = index;
      if (offline === -1) offline = index;
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
