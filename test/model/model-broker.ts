// A broker that is obviously right and slow: MQTT 3.1.1 and 5.0 as plain lists and loops, for comparison with the
// broker core. It decides what each connection must receive and leaves open what the standard leaves open: which topic comes
// first, which Packet Identifier is used. Knows neither bytes nor the broker. Wills, sessions and messages expire by
// `now`. Source: MQTT 5.0 and 3.1.1, chapters 3 and 4.
// Covers sessions, Session Expiry, subscriptions and their options and identifiers, shared subscriptions (group-messages.ts), retained messages,
// QoS 0 to 2, Receive Maximum, Maximum Packet Size, message expiry, wills with delay, takeover, Topic Aliases, Keep Alive, refused logins.

import { matches, parseGroup } from './filters.ts';
import { GroupMessages } from './group-messages.ts';

export type QoS = 0 | 1 | 2;

export interface ModelMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
  /** ms; Infinity: never. */
  readonly expiresAt: number;
}

export interface ModelWill {
  readonly topic: string;
  readonly payload: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly delaySeconds: number;
}

export interface ModelSubscription {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  /** 0: none. */
  readonly identifier: number;
}

/** A message on its way to a client. */
export interface ModelDelivery {
  readonly message: ModelMessage;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  /** As the broker has chosen it. */
  packetId: number;
  isCounted: boolean;
  /** The broker may also drop it, or give it to another member of the group. */
  isOptional: boolean;
  /** The filter of a shared subscription, `$share/` included. */
  readonly group: string | undefined;
  state: 'pending' | 'sent' | 'resend' | 'released' | 'release again';
}

/** Packets other than PUBLISH that must come, in this order. `reasons` are all that the standard allows. */
export interface ModelAnswer {
  readonly type: string;
  readonly id?: number;
  readonly reasons?: readonly (readonly number[])[];
  readonly sessionPresent?: boolean;
}

export interface ModelConnect {
  readonly version: 4 | 5;
  readonly clientId: string;
  readonly clean: boolean;
  /** Infinity: for ever. */
  readonly expirySeconds: number;
  readonly receiveMaximum: number;
  /** The broker may use as many; it need not. */
  readonly topicAliasMaximum: number;
  /** Infinity: no limit. */
  readonly packetBytesMax: number;
  /** 0: none. */
  readonly keepAliveSeconds: number;
  readonly login: 'none' | 'wrong password' | 'unknown method';
  readonly will: ModelWill | undefined;
}

export class ModelSession {
  readonly clientId: string;
  readonly subscriptions = new Map<string, ModelSubscription>();
  /** In the order in which they were queued. */
  deliveries: ModelDelivery[] = [];
  /** QoS 2 Packet Identifiers between PUBLISH and PUBREL. */
  readonly received = new Set<number>();
  connection: ModelConnection | undefined;
  expirySeconds = 0;
  expiresAt = Number.POSITIVE_INFINITY;
  will: ModelWill | undefined;
  willAt = Number.POSITIVE_INFINITY;

  constructor(clientId: string) {
    this.clientId = clientId;
  }

  /** Messages that count towards the Receive Maximum: those sent on this connection [MQTT5-4.9]. */
  get unacknowledged(): number {
    return this.deliveries.filter(({ isCounted }) => isCounted).length;
  }
}

export class ModelConnection {
  readonly version: 4 | 5;
  readonly receiveMaximum: number;
  readonly packetBytesMax: number;
  readonly keepAliveSeconds: number;
  readonly session: ModelSession;
  readonly answers: ModelAnswer[] = [];
  /** Topic Aliases that the client has set. */
  readonly aliases = new Map<number, string>();
  isOpen = true;
  lastPacketAt: number;

  constructor(packet: ModelConnect, session: ModelSession, now: number) {
    this.version = packet.version;
    this.receiveMaximum = packet.receiveMaximum;
    this.packetBytesMax = packet.packetBytesMax;
    this.keepAliveSeconds = packet.keepAliveSeconds;
    this.session = session;
    this.lastPacketAt = now;
  }

  /** [MQTT5-3.1.2-22]: after one and a half times the Keep Alive without a packet the broker closes. */
  get silentAt(): number {
    const { lastPacketAt, keepAliveSeconds } = this;
    return keepAliveSeconds === 0
      ? Number.POSITIVE_INFINITY
      : lastPacketAt + keepAliveSeconds * 1500;
  }

  get hasRoom(): boolean {
    return this.session.unacknowledged < this.receiveMaximum;
  }

  /** Packets are far below this limit or far above: which properties a broker adds is open. */
  isTooLarge({ payload }: ModelMessage): boolean {
    return payload.length > this.packetBytesMax;
  }
}

export class ModelBroker {
  now = 0;
  readonly retained = new Map<string, ModelMessage>();
  readonly sessions = new Map<string, ModelSession>();
  readonly groups = new GroupMessages(this.sessions);

  connect(packet: ModelConnect): ModelConnection {
    const { clientId, clean, will } = packet;
    if (packet.login !== 'none') return this.#refuse(packet);
    const old = this.sessions.get(clientId);
    if (old?.connection !== undefined) {
      this.#close(old.connection, [0x8e]);
      this.#leave(old);
    }
    // The will is published when the session ends, and not if it goes on before the delay is over.
    if (old !== undefined && clean) this.#endSession(old);
    else if (old !== undefined) old.willAt = Number.POSITIVE_INFINITY;
    const isPresent = this.sessions.has(clientId);
    const session = isPresent ? old! : new ModelSession(clientId);
    this.sessions.set(clientId, session);
    const connection = new ModelConnection(packet, session, this.now);
    session.connection = connection;
    session.expirySeconds = packet.expirySeconds;
    session.expiresAt = Number.POSITIVE_INFINITY;
    session.will = will;
    connection.answers.push({ type: 'connack', sessionPresent: isPresent, reasons: [[0]] });
    for (const delivery of session.deliveries) {
      delivery.isCounted = false;
      if (delivery.state === 'sent') delivery.state = 'resend';
      if (delivery.state === 'released') delivery.state = 'release again';
    }
    this.groups.memberConnected(connection);
    return connection;
  }

  /** The client identifier keeps its session and its connection [MQTT5-3.1.4-2]. */
  #refuse(packet: ModelConnect): ModelConnection {
    const connection = new ModelConnection(packet, new ModelSession(packet.clientId), this.now);
    const isMethod = packet.login === 'unknown method';
    // Before MQTT 5: 4, bad user name or password.
    const reason = isMethod ? 0x8c : packet.version === 5 ? 0x86 : 4;
    connection.answers.push({ type: 'connack', sessionPresent: false, reasons: [[reason]] });
    connection.isOpen = false;
    return connection;
  }

  publish(connection: ModelConnection, message: ModelMessage, id: number): void {
    const { received } = connection.session;
    const isRepeated = message.qos === 2 && received.has(id);
    const isMatched = isRepeated || this.#distribute(message, connection.session.clientId);
    // 0x10 (no matching subscribers) is never required [MQTT5-3.4.2.1].
    const reasons = connection.version === 4 ? [[0]] : [isMatched ? [0] : [0, 0x10]];
    if (isRepeated && connection.version === 5) reasons[0] = [0, 0x10];
    if (message.qos === 1) connection.answers.push({ type: 'puback', id, reasons });
    if (message.qos < 2) return;
    received.add(id);
    connection.answers.push({ type: 'pubrec', id, reasons });
  }

  pubrel(connection: ModelConnection, id: number): void {
    const isKnown = connection.session.received.delete(id);
    const reasons = isKnown || connection.version === 4 ? [[0]] : [[0x92]];
    connection.answers.push({ type: 'pubcomp', id, reasons });
  }

  /** PUBACK, PUBREC or PUBCOMP of the client for a message that it has got. @param isRefused by a Reason Code */
  acknowledge(connection: ModelConnection, delivery: ModelDelivery, isRefused: boolean): void {
    const { session } = connection;
    const isWaiting = delivery.state === 'sent' || delivery.state === 'resend';
    if (delivery.qos === 2 && isWaiting && !isRefused) {
      delivery.state = 'released';
      connection.answers.push({ type: 'pubrel', id: delivery.packetId, reasons: [[0]] });
      return;
    }
    session.deliveries = session.deliveries.filter((one) => one !== delivery);
  }

  subscribe(
    connection: ModelConnection,
    id: number,
    subscriptions: readonly ModelSubscription[],
  ): void {
    const { session, version } = connection;
    connection.answers.push({
      type: 'suback',
      id,
      reasons: subscriptions.map(({ qos }) => [qos]),
    });
    for (const subscription of subscriptions) {
      const { filter, retainHandling } = subscription;
      const isNew = !session.subscriptions.has(filter);
      session.subscriptions.set(filter, subscription);
      const isWanted = version === 4 || retainHandling === 0 || (retainHandling === 1 && isNew);
      if (!isWanted || parseGroup(filter) !== undefined) continue;
      for (const message of this.retained.values()) {
        if (!matches(filter, message.topic)) continue;
        this.#queue(session, message, [subscription], true);
      }
    }
  }

  unsubscribe(connection: ModelConnection, id: number, filters: readonly string[]): void {
    const { session, version } = connection;
    const found = filters.map((filter) => session.subscriptions.delete(filter));
    for (const filter of filters) this.groups.memberUnsubscribed(session, filter);
    const reasons = version === 4 ? [] : found.map((isFound) => [isFound ? 0 : 0x11]);
    connection.answers.push({ type: 'unsuback', id, reasons });
  }

  ping(connection: ModelConnection): void {
    connection.answers.push({ type: 'pingresp' });
  }

  /** @param keepsWill DISCONNECT with 0x04 @param expirySeconds in the DISCONNECT */
  disconnect(connection: ModelConnection, keepsWill: boolean, expirySeconds?: number): void {
    const { session } = connection;
    if (!keepsWill) session.will = undefined;
    if (expirySeconds !== undefined) session.expirySeconds = expirySeconds;
    connection.isOpen = false;
    this.#leave(session);
  }

  lose(connection: ModelConnection): void {
    connection.isOpen = false;
    this.#leave(connection.session);
  }

  /** The client has broken the protocol. @param reasons that the broker may give */
  fault(connection: ModelConnection, reasons: readonly number[]): void {
    this.#close(connection, reasons);
    this.#leave(connection.session);
  }

  /**
   * The topic of a PUBLISH with this alias, which is set if there is a topic [MQTT5-3.3.2-12].
   * @returns undefined for an alias without a topic that was never set, which is a fault
   */
  aliasedTopic({ aliases }: ModelConnection, topic: string, alias: number): string | undefined {
    if (topic !== '') aliases.set(alias, topic);
    return aliases.get(alias);
  }

  /** When the next session, will, silent client or message of a group expires. */
  get deadline(): number {
    const times = [...this.sessions.values()].map(deadlineOf);
    return Math.min(this.groups.expiresAt, ...times);
  }

  /** Up to `now` + `ms`, in the order of the deadlines. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.sessions.values()]
        .map((session) => ({ session, at: deadlineOf(session) }))
        .filter(({ at }) => at <= end)
        .sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      const { session, at } = due;
      this.now = at;
      this.#expire();
      if (session.connection !== undefined && session.connection.silentAt <= at) {
        this.fault(session.connection, [0x8d]);
      } else if (session.willAt <= at) this.#publishWill(session);
      else this.#endSession(session);
    }
    this.now = end;
    this.#expire();
  }

  #expire(): void {
    for (const [topic, { expiresAt }] of this.retained) {
      if (expiresAt <= this.now) this.retained.delete(topic);
    }
    for (const session of this.sessions.values()) {
      session.deliveries = session.deliveries.filter(
        ({ state, message }) => state !== 'pending' || message.expiresAt > this.now,
      );
    }
    this.groups.expire(this.now);
  }

  /** @returns whether anyone subscribes */
  #distribute(message: ModelMessage, publisher: string): boolean {
    if (message.retain) {
      if (message.payload === '') this.retained.delete(message.topic);
      else this.retained.set(message.topic, message);
    }
    let isMatched = this.groups.add(message);
    for (const session of this.sessions.values()) {
      const matching = [...session.subscriptions.values()].filter(
        ({ filter, noLocal }) =>
          matches(filter, message.topic) && !(noLocal && session.clientId === publisher),
      );
      if (matching.length === 0) continue;
      isMatched = true;
      this.#queue(session, message, matching, false);
    }
    return isMatched;
  }

  /** One copy for all subscriptions that overlap, with their highest QoS. */
  #queue(
    session: ModelSession,
    message: ModelMessage,
    matching: readonly ModelSubscription[],
    isRetained: boolean,
  ): void {
    const subscribed = Math.max(...matching.map(({ qos }) => qos));
    const qos = Math.min(message.qos, subscribed) as QoS;
    if (qos === 0 && session.connection === undefined) return;
    const keepsRetain = matching.some(({ retainAsPublished }) => retainAsPublished);
    session.deliveries.push({
      message,
      qos,
      retain: isRetained || (message.retain && keepsRetain),
      identifiers: matching.map(({ identifier }) => identifier).filter((one) => one > 0),
      packetId: 0,
      isCounted: false,
      isOptional: false,
      group: undefined,
      state: 'pending',
    });
  }

  #close(connection: ModelConnection, reasons: readonly number[]): void {
    if (connection.version === 5)
      connection.answers.push({ type: 'disconnect', reasons: [reasons] });
    connection.isOpen = false;
  }

  /** The connection has ended. */
  #leave(session: ModelSession): void {
    session.connection = undefined;
    session.deliveries = session.deliveries.filter(({ qos }) => qos > 0);
    this.groups.memberLeft(session, this.now);
    session.expiresAt = this.now + session.expirySeconds * 1000;
    const { will } = session;
    if (will !== undefined) {
      session.willAt = this.now + Math.min(will.delaySeconds, session.expirySeconds) * 1000;
      if (session.willAt <= this.now) this.#publishWill(session);
    }
    if (session.expirySeconds === 0) this.#endSession(session);
  }

  /** [MQTT5-3.1.2-10]: the will is published when the session ends, at the latest. */
  #endSession(session: ModelSession): void {
    if (this.sessions.get(session.clientId) !== session) return;
    this.sessions.delete(session.clientId);
    this.groups.memberEnded(session);
    if (session.willAt < Number.POSITIVE_INFINITY) this.#publishWill(session);
  }

  #publishWill(session: ModelSession): void {
    const { will, clientId } = session;
    session.will = undefined;
    session.willAt = Number.POSITIVE_INFINITY;
    if (will === undefined) return;
    this.#distribute({ ...will, expiresAt: Number.POSITIVE_INFINITY }, clientId);
  }
}

function deadlineOf({ expiresAt, willAt, connection }: ModelSession): number {
  return Math.min(expiresAt, willAt, connection?.silentAt ?? Number.POSITIVE_INFINITY);
}
