// What the broker core needs from outside: where bytes go, who decides on access, what keeps the
// state, how messages reach the other nodes. Adapters implement these interfaces; the core does not
// know which ones.
// Invariant: a port that answers later brings the time with its answer, so that the core never
// continues at the time of an earlier event.

import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { PublishFields } from '../mqtt/publish-encoder.ts';
import type { ProtocolVersion, PublishView, QoS } from '../mqtt/publish-view.ts';
import type { Identity } from './identity.ts';
import type { Message } from './message/message.ts';
import type { ListenerRates } from './rate-limits.ts';

export type { Identity };

/** Sees the bytes of a connection. Must not keep, change or throw. */
export interface ByteTap {
  /** A chunk as it was read. */
  received(chunk: Buffer): void;
  /** Packets as they are written; a large one may come in two pieces. */
  sent(bytes: Buffer): void;
  /** The connection ends; packets that were written in this turn of the event loop may follow. */
  closed(reason: string): void;
}

/** The outgoing bytes of one connection. The core calls it synchronously. */
export interface Outbox {
  /**
   * Queues bytes `[start, end)` for this connection. The bytes must never change afterwards.
   * Adjacent ranges of one buffer are joined, and all bytes of one turn of the event loop leave in
   * one write.
   */
  write(buffer: Buffer, start: number, end: number): void;
  /** A packet may come in two writes, so that a large payload is not copied for each client. */
  readonly takesParts?: boolean;
  /**
   * Takes a PUBLISH as its parts, to encode it otherwise. The payload, `[start, end)` of a buffer, must
   * never change afterwards; the fields are read during the call, which may change them.
   * @returns false for a message that can't be sent: it counts as delivered
   */
  publish?(fields: PublishFields, payload: Buffer, start: number, end: number): boolean;
  /** False: it leaves the properties out, so that hops need not be added. */
  readonly takesProperties?: boolean;
  /**
   * Sends the queued bytes, then ends the connection. Nothing may be written afterwards.
   * @param clientHasLeft the client has sent its last packet
   */
  close(clientHasLeft: boolean): void;
  /** True while the client reads more slowly than the core writes; Client.drained() ends it. */
  readonly congested: boolean;
  /** Bytes of the connection so far, without those of TLS; undefined where the transport counts none. */
  readonly traffic?: { readonly received: number; readonly sent: number } | undefined;
  /** Set while the connection is traced. */
  tap?: ByteTap | undefined;
  pauseReading(): void;
  resumeReading(): void;
}

export interface ConnectRequest extends Identity {
  readonly password: Buffer | undefined;
  readonly remoteAddress: string;
  readonly remotePort?: number | undefined;
  readonly version?: ProtocolVersion;
  /** The listener's own rules: certificate names, its own users. */
  readonly listener: ListenerRules;
  readonly will?: WillPacket | undefined;
}

/** What is known of a connection before its CONNECT. */
export interface ConnectionInfo {
  readonly remoteAddress: string;
  readonly remotePort?: number | undefined;
  /** The listener's address and port, in the form of the log. */
  readonly listenerAddress?: string | undefined;
  readonly listener?: ListenerRules;
}

/** What a listener prescribes for its clients. */
export interface ListenerRules {
  /** The authorizer finds the listener's users and ACL by it. */
  readonly name: string;
  /** Largest packet that its clients may send, bytes; undefined: the limit of the node. */
  readonly packetBytesMax?: number | undefined;
  /** Highest QoS that its clients may publish with; undefined: the limit of the node. */
  readonly maximumQos?: QoS | undefined;
  /** Undefined: none. */
  readonly rates?: ListenerRates | undefined;
  /** The client has presented a valid certificate. */
  readonly isCertified?: boolean | undefined;
  /** User name from the client certificate. */
  readonly certificateName?: string | undefined;
}

export interface AuthDecision {
  /** 0 to accept the client, else the Reason Code for CONNACK. */
  readonly reasonCode: number;
  /** The user name that the client gets; undefined: the one of its CONNECT. */
  readonly username?: string | undefined;
  /** Why the client is refused, for the log. */
  readonly reason?: string;
  /** Comes back to the authorizer in Identity. */
  readonly grant?: unknown;
  /** The connection ends this many milliseconds after the decision. */
  readonly expiresInMs?: number | undefined;
}

/** A message that a client wants to publish. */
export interface RequestedMessage {
  readonly topic: string;
  /** A view of the packet: valid during the call only. */
  readonly payload: Buffer;
  /** MQTT 5 property bytes that travel with the message. */
  readonly properties: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
}

/**
 * Decides on packets before they are handled, and may need time for that. `mayPublish` and
 * `subscriptionRefusal`, which are asked when the packet is handled, then answer as decided.
 */
export interface PacketJudge {
  /** @returns true if it has decided; otherwise `done` is called once, within a bounded time */
  judgePublish(identity: Identity, message: RequestedMessage, done: (now: number) => void): boolean;
  judgeSubscribe(
    identity: Identity,
    requests: readonly { readonly filter: string; readonly qos: QoS }[],
    done: (now: number) => void,
  ): boolean;
}

/** Learns what happens to clients. The core calls it within an event: it must only take notes. */
export interface ClientEvents {
  connected(identity: Identity): void;
  disconnected(identity: Identity, reason: string): void;
  subscribed(identity: Identity, filter: string, qos: QoS): void;
  unsubscribed(identity: Identity, filter: string): void;
  /** Undefined where every message of the node would be made for nothing. */
  readonly published?: ((message: Message, publisher: Identity | undefined) => void) | undefined;
}

/** One rule on what a client may do, for people. */
export interface AccessRule {
  readonly access: 'deny' | 'read' | 'write' | 'readwrite';
  readonly filter: string;
  /** As `/etc/shoal/acl:12`; `token` for what a token or a login service has granted. */
  readonly place: string;
}

export interface Authorizer {
  /** Undefined where every decision is made at once and needs no more than a topic. */
  readonly judge?: PacketJudge | undefined;
  /**
   * Checks the client's credentials. Must never throw and must bound its own time.
   * @param done takes a decision that needs longer, with the time of the broker's clock; called a
   *   second time, with a refusal, if continuing after the first call failed
   * @returns the decision where there is one at once; `done` is not called then
   */
  authenticate(
    request: ConnectRequest,
    done: (decision: AuthDecision, now: number) => void,
  ): AuthDecision | undefined;
  /** True while every client may do everything: the hot path skips its questions then. */
  readonly permissive: boolean;
  /** True while no client may have a user name that it has not proven. */
  readonly provesUsers: boolean;
  /** Price of all mayPublish() and mayReceive() calls so far, in deliveries; it only rises. */
  readonly work: number;
  mayPublish(identity: Identity, topic: string): boolean;
  /** 0 if the client may subscribe, else the Reason Code for SUBACK. */
  subscriptionRefusal(identity: Identity, filter: string): number;
  /** Asked when a route is found, not for each message: Broker.applyRights() makes it ask anew. */
  mayReceive(identity: Identity, topic: string): boolean;
  /** True if the client may receive every topic that the filter matches. @param filter without `$share/...` */
  mayReceiveAll(identity: Identity, filter: string): boolean;
  /** The rules of a client, in their order: the first that matches decides. Undefined: every topic is free. */
  rulesOf?(identity: Identity): readonly AccessRule[] | undefined;
  /** False once the client's credential is no longer valid. Asked by Broker.applyRights(). */
  isStillAuthorized(identity: Identity): boolean;
}

/** Accepts every client and allows everything. */
export const openAuthorizer: Authorizer = {
  permissive: true,
  provesUsers: false,
  work: 0,
  authenticate: () => ({ reasonCode: 0 }),
  mayPublish: () => true,
  subscriptionRefusal: () => 0,
  mayReceive: () => true,
  mayReceiveAll: () => true,
  isStillAuthorized: () => true,
};

/** The way of local messages to the other nodes. */
export interface PeerForwarder {
  /**
   * Copies what it needs before it returns.
   * @param topic the resolved Topic Name's bytes
   * @param clientId the publisher, for the log; undefined for messages of the broker itself
   */
  forward(publish: PublishView, topic: Buffer, clientId: string | undefined): ForwardResult;
  /** Number of the last message that was 'forwarded', among all of this node. All nodes know it by that. */
  readonly lastNumber: number;
}

/** The node that a message of another node comes from. */
export interface PeerOrigin {
  /** A hash of its boot id. */
  readonly seed: number;
}

/** Shared groups that all nodes serve together: each message goes to the members of one node. */
export interface GroupSharing {
  /** A group has its first member on this node. @param filter without `$share/...` */
  open(name: string, filter: string, members: GroupMembers): GroupShare;
}

/** How many members of a group one node has. */
export interface MemberCounts {
  /** Members that are connected and may receive all that the filter of the group matches. */
  readonly online: number;
  /** The same of those whose clients are not connected. */
  readonly absent: number;
  /** Connected members that may receive only a part of it. */
  readonly onlineInPart: number;
  readonly absentInPart: number;
}

/** The members of a group on this node. */
export interface GroupMembers {
  readonly size: number;
  count(): MemberCounts;
  hasOnline(): boolean;
}

/** A group with members on this node. */
export interface GroupShare {
  /** Members have come, left, connected or disconnected. */
  changed(): void;
  /**
   * True if the members of this node serve the message; every node decides alike.
   * @param origin seed of the node that the message comes from
   * @param number of the message among all of its origin
   */
  isServedHere(origin: number, number: number): boolean;
}

/**
 * 'large': forwarded, without a number among the others. 'noPeers': no other node is online.
 * 'filtered': -topics keeps the message on this node. 'tooLarge': the packet has 4096 bytes or more.
 * 'discarded': the send queue to the other nodes is full.
 */
export type ForwardResult =
  | 'forwarded'
  | 'large'
  | 'noPeers'
  | 'filtered'
  | 'tooLarge'
  | 'discarded';

/** What the sessions of this node, connected or not, subscribe to. */
export interface SubscribedFilters {
  /** Rises with every change. */
  readonly version: number;
  /** Topic Filters without the prefix of a group. */
  filters(): Iterable<string>;
}

/** Where clients are connected, on all nodes. */
export interface ClientDirectory {
  /** A client has connected here. @param will what other nodes publish if this node dies */
  connected(clientId: string, will: WillPacket | undefined): void;
  /** Its connection here has ended, and its will is dealt with here. */
  disconnected(clientId: string): void;
}

/** Sessions that follow their clients from node to node. */
export interface SessionRoaming {
  /**
   * Fetches the client's session if another node has it.
   * @param done called once, within a bounded time, whether there was a session or not
   * @returns false if there is nothing to wait for: `done` is not called then
   */
  obtain(identity: Identity, done: (now: number) => void): boolean;
}

export interface SessionRecord {
  readonly clientId: string;
  readonly username: string | undefined;
  /** Of a client without a user name, where it is known: who pays for the session. */
  readonly address?: string | undefined;
  /** Session Expiry Interval, seconds; Infinity: the session never expires. */
  readonly expirySeconds: number;
  /** Milliseconds of the core's clock; Infinity while the client is connected. */
  readonly expiresAt: number;
}

export interface SubscriptionRecord {
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly subscriptionIdentifier: number;
}

export interface DeliveryRecord {
  /** Unique within the session, rising in the order of delivery. */
  readonly id: number;
  readonly message: Message;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** Subscription Identifiers. */
  readonly identifiers: readonly number[];
  /** 0 while the message waits for its first PUBLISH. */
  readonly packetId: number;
  /** QoS 2: PUBREC has arrived, so only PUBREL is still owed. */
  readonly released: boolean;
}

/** Takes the state of the broker, or changes of it. Times are milliseconds of the core's clock. */
export interface StateWriter {
  saveSession(session: SessionRecord): void;
  saveSubscription(clientId: string, subscription: SubscriptionRecord): void;
  /** A delivery that is queued, or sent at once. */
  saveDelivery(clientId: string, delivery: DeliveryRecord): void;
  /** QoS 2 from the client: the Packet Identifier is in use until PUBREL. */
  saveReceived(clientId: string, packetId: number): void;
  saveRetained(message: Message): void;
  /** @param publishAt Infinity while the client is connected, else the end of the Will Delay */
  saveWill(clientId: string, will: WillPacket, publishAt: number): void;
}

/**
 * `durable`: everything recorded so far is safe. `pending`: a callback will say. `refused`: the store
 * takes no changes now.
 */
export type Durability = 'durable' | 'pending' | 'refused';

/**
 * Keeps the state beyond the process. The core holds the truth in memory and records each change
 * here; no method may throw or block. The changes of one turn are kept all or not at all.
 */
export interface SessionStore extends StateWriter {
  /** False for a store that keeps nothing: then the core does not wait for it and records nothing. */
  readonly durable: boolean;
  /** False while the store takes no changes, on a full disk for instance. */
  readonly accepting: boolean;
  /** True while too many changes wait for the disk: publishers of further ones have to wait. */
  readonly congested: boolean;
  /**
   * True from half of that on: new sessions and subscriptions have to wait, so that they cannot take
   * the disk from the publishers of the sessions that there are.
   */
  readonly busy: boolean;
  removeSession(clientId: string): void;
  removeSubscription(clientId: string, filter: string): void;
  /** A recorded delivery was sent (packetId set) or released. */
  updateDelivery(clientId: string, delivery: DeliveryRecord): void;
  removeDelivery(clientId: string, deliveryId: number): void;
  removeReceived(clientId: string, packetId: number): void;
  removeRetained(topic: string): void;
  removeWill(clientId: string): void;
  /**
   * Waits until everything recorded so far is safe, however long that takes. Callbacks run in the
   * order of the calls, and never before this returns; they bring the time of the core's clock.
   * @param done called once everything is safe; not called if this returns 'durable' or 'refused'
   * @param refused called in place of `done` as soon as the store takes no changes; a caller without
   *   it waits until the store takes changes again
   * @returns 'refused' only to a caller that passes `refused`
   */
  whenDurable(done: (now: number) => void, refused?: (now: number) => void): Durability;
}

const ignore = (): void => undefined;

/** Keeps nothing beyond the process. */
export const memoryStore: SessionStore = {
  durable: false,
  accepting: true,
  congested: false,
  busy: false,
  saveSession: ignore,
  removeSession: ignore,
  saveSubscription: ignore,
  removeSubscription: ignore,
  saveDelivery: ignore,
  updateDelivery: ignore,
  removeDelivery: ignore,
  saveReceived: ignore,
  removeReceived: ignore,
  saveRetained: ignore,
  removeRetained: ignore,
  saveWill: ignore,
  removeWill: ignore,
  whenDurable: () => 'durable',
};

export interface StoredSession extends SessionRecord {
  readonly subscriptions: Iterable<SubscriptionRecord>;
  /** In the order of delivery. */
  readonly deliveries: Iterable<DeliveryRecord>;
  readonly received: Iterable<number>;
  readonly will: { readonly packet: WillPacket; readonly publishAt: number } | undefined;
}

/** What a store found when it opened. */
export interface StoredState {
  readonly sessions: Iterable<StoredSession>;
  readonly retained: Iterable<Message>;
}
