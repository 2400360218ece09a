// Messages of shared subscriptions that no member has got yet (MQTT 5.0 4.8.2). Each goes to one member of the group, whichever
// the broker chooses: arrived() takes any that is allowed, and missing() names those that no allowed choice explains.
// What the standard leaves open is open here: a message that is too large for a member may be dropped for all, one that
// waits for a member may go to another one when the first leaves, and QoS 1 in flight may as well. QoS 2 in flight may not.

import { matches, parseGroup } from './filters.ts';
import type { ModelConnection, ModelMessage, ModelSession, QoS } from './model-broker.ts';

interface GroupMessage {
  readonly message: ModelMessage;
  /** The filter, `$share/` included. */
  readonly group: string;
  /** Those of the time when it was published, with the QoS of their subscriptions. */
  readonly members: Map<ModelSession, QoS>;
  /** It may also be lost. */
  isOptional: boolean;
  /** Those that were connected when it was published in this step: one that has room has to get it now. */
  connected: readonly ModelSession[];
}

export interface GroupArrival {
  readonly group: string;
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

export class GroupMessages {
  readonly #sessions: ReadonlyMap<string, ModelSession>;
  #waiting: GroupMessage[] = [];

  constructor(sessions: ReadonlyMap<string, ModelSession>) {
    this.#sessions = sessions;
  }

  /** @returns whether a group matches */
  add(message: ModelMessage): boolean {
    const groups = new Map<string, Map<ModelSession, QoS>>();
    for (const session of this.#sessions.values()) {
      for (const { filter, qos } of session.subscriptions.values()) {
        const shared = parseGroup(filter);
        if (shared === undefined || !matches(shared, message.topic)) continue;
        if (!groups.has(filter)) groups.set(filter, new Map());
        groups.get(filter)!.set(session, qos);
      }
    }
    for (const [group, members] of groups) this.#push(message, group, members, true);
    return groups.size > 0;
  }

  #push(
    message: ModelMessage,
    group: string,
    members: Map<ModelSession, QoS>,
    isNew: boolean,
  ): void {
    const mayBeLost =
      [...members.keys()].some(({ connection }) => connection?.isTooLarge(message)) ||
      isKeptByNone(message, members);
    // Empty ones cannot be told apart.
    const isOptional = mayBeLost || message.payload === '';
    const connected = isNew ? [...members.keys()].filter((one) => one.connection) : [];
    this.#waiting.push({ message, group, members, isOptional, connected });
  }

  /** @returns the message that has come to the member of a group; undefined if none may have */
  arrived(session: ModelSession, arrival: GroupArrival): ModelMessage | undefined {
    const found = this.#waiting.find(({ message, group, members }) => {
      const current = session.subscriptions.get(group);
      const granted = [members.get(session), current?.qos].filter((qos) => qos !== undefined);
      return (
        group === arrival.group &&
        message.topic === arrival.topic &&
        message.payload === arrival.payload &&
        granted.some((qos) => Math.min(qos, message.qos) === arrival.qos) &&
        // A subscription that has ended says no longer what it asked for.
        (current === undefined || arrival.retain === (message.retain && current.retainAsPublished))
      );
    });
    // Of empty ones it is open which has come.
    if (found !== undefined && arrival.payload !== '') this.#remove(found);
    return found?.message;
  }

  /** The member gets again what it had not acknowledged, so that no other one gets it. */
  repeated(session: ModelSession, group: string, message: ModelMessage): void {
    const found = this.#waiting.find(
      (one) => one.group === group && one.message === message && one.members.has(session),
    );
    if (found !== undefined) this.#remove(found);
  }

  #remove(message: GroupMessage): void {
    this.#waiting = this.#waiting.filter((one) => one !== message);
  }

  memberConnected(connection: ModelConnection): void {
    for (const one of this.#waiting) {
      if (one.members.has(connection.session) && connection.isTooLarge(one.message)) {
        one.isOptional = true;
      }
    }
  }

  /** [MQTT5-4.8.2-4, 4.8.2-5]: of what is in flight, another member may get QoS 1 only. */
  memberLeft(session: ModelSession, now: number): void {
    this.#mayMoveFrom(session);
    // With QoS 0 it waits for room as long as the connection lasts.
    for (const one of this.#waiting) {
      const qos = one.members.get(session);
      if (qos !== undefined && Math.min(qos, one.message.qos) === 0) one.isOptional = true;
    }
    for (const delivery of session.deliveries) {
      const { group, message, qos, state } = delivery;
      if (group === undefined || qos !== 1 || (state !== 'sent' && state !== 'resend')) continue;
      delivery.isOptional = true;
      if (message.expiresAt <= now) continue;
      const isWaiting = this.#waiting.some((one) => one.group === group && one.message === message);
      if (isWaiting) continue;
      const members = [...this.#sessions.values()]
        .filter((one) => one === session || one.subscriptions.has(group))
        .map((one) => [one, one.subscriptions.get(group)?.qos ?? qos] as const);
      this.#push(message, group, new Map(members), false);
      // A group that had no member meanwhile is another one.
      if (!session.subscriptions.has(group)) this.#waiting.at(-1)!.isOptional = true;
    }
  }

  /** What waits for the session may wait for any member of today from now on. */
  #mayMoveFrom(session: ModelSession): void {
    for (const one of this.#waiting) {
      const { group, members, message } = one;
      if (!members.has(session)) continue;
      for (const other of this.#sessions.values()) {
        const qos = other.subscriptions.get(group)?.qos;
        if (qos === undefined || members.has(other)) continue;
        members.set(other, qos);
        one.isOptional ||= other.connection?.isTooLarge(message) === true;
      }
    }
  }

  /** Its messages may still come, and need not. */
  memberUnsubscribed(session: ModelSession, filter: string): void {
    for (const one of this.#waiting) {
      if (one.group === filter && one.members.has(session)) one.isOptional = true;
    }
  }

  memberEnded(session: ModelSession): void {
    this.#mayMoveFrom(session);
    for (const one of this.#waiting) {
      const wasMember = one.members.delete(session);
      if (wasMember && isKeptByNone(one.message, one.members)) one.isOptional = true;
    }
  }

  /** When the next message expires; Infinity: never. */
  get expiresAt(): number {
    return Math.min(...this.#waiting.map(({ message }) => message.expiresAt));
  }

  expire(now: number): void {
    this.#waiting = this.#waiting.filter(({ message }) => message.expiresAt > now);
  }

  /**
   * At the end of a step.
   * @returns messages that a member should have: one that was ready when they were published, or, where
   *   they waited, all members that they may wait for are there with room
   */
  missing(): GroupMessage[] {
    const isReady = ({ connection }: ModelSession): boolean => connection?.hasRoom === true;
    const missing = this.#waiting.filter(({ members, isOptional, connected }) => {
      return !isOptional && (connected.some(isReady) || [...members.keys()].every(isReady));
    });
    for (const one of this.#waiting) one.connected = [];
    return missing;
  }
}

/** All members are away and have no session that queues the message. */
function isKeptByNone(message: ModelMessage, members: ReadonlyMap<ModelSession, QoS>): boolean {
  return [...members].every(
    ([{ connection }, qos]) => connection === undefined && Math.min(qos, message.qos) === 0,
  );
}
