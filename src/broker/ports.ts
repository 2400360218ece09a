// What the broker core needs from outside. Adapters implement these; the core never knows which.

import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { PublishView } from '../mqtt/publish-view.ts';
import type { Message } from './message/message.ts';

/** Where a connection's outgoing bytes go. Called synchronously from within the core. */
export interface Outbox {
  /**
   * Queues bytes `[start, end)` for this connection. The bytes must never change afterwards.
   * Adjacent ranges of one buffer are joined, and all that a turn of the event loop queued leaves
   * in one write.
   */
  write(buffer: Buffer, start: number, end: number): void;
  /** Sends what is queued, then ends the connection. Nothing may be written afterwards. */
  close(): void;
  /** True while the client takes its bytes more slowly than they come. Client.drained() tells the end. */
  readonly congested: boolean;
  pauseReading(): void;
  resumeReading(): void;
}

/** Who a client is, for decisions on what it may do. */
export interface Identity {
  readonly clientId: string;
  readonly username: string | undefined;
  /** What the authorizer gave with its decision; only carried here. None where a store kept the session. */
  readonly grant?: unknown;
}

export interface ConnectRequest extends Identity {
  readonly password: Buffer | undefined;
  readonly remoteAddress: string;
  /** Set where the listener has a say of its own: certificate names, its own users. */
  readonly listener: ListenerRules;
}

/** What is known of a connection before its CONNECT. */
export interface ConnectionInfo {
  readonly remoteAddress: string;
  readonly remotePort?: number | undefined;
  /** Address and port where it came in, as they stand in the log. */
  readonly listenerAddress?: string;
  readonly listener?: ListenerRules;
}

/** What a listener decides for its clients. */
export interface ListenerRules {
  /** By this the authorizer knows what holds for its clients. */
  readonly name: string;
  /** Largest packet taken from its clients; undefined: as for the whole node. */
  readonly packetBytesMax?: number | undefined;
  /** The client has shown a good certificate. */
  readonly isCertified?: boolean;
  /** User name proven by a client certificate. */
  readonly certificateName?: string | undefined;
}

export interface AuthDecision {
  /** 0 to let the client in, else the CONNACK Reason Code. */
  readonly reasonCode: number;
  /** Under which user name it is in; the CONNECT's where undefined. */
  readonly username?: string | undefined;
  /** For the log, where the client is refused. */
  readonly reason?: string;
  /** The authorizer's own memory of this client: comes back to it in Identity. */
  readonly grant?: unknown;
  /** The connection ends after this time. */
  readonly expiresInMs?: number | undefined;
}

export interface Authorizer {
  /**
   * Calls `done` once, at once or later, and again with a refusal where that failed. Must never
   * throw and must bound its own time.
   */
  authenticate(request: ConnectRequest, done: (decision: AuthDecision) => void): void;
  /** True while everybody may do everything, so that the hot path needn't ask. */
  readonly permissive: boolean;
  /** What mayPublish() and mayReceive() have cost so far, in deliveries; it only rises. */
  readonly work: number;
  mayPublish(identity: Identity, topic: string): boolean;
  /** 0 if the client may subscribe, else the Reason Code for SUBACK. */
  subscriptionRefusal(identity: Identity, filter: string): number;
  /** Asked when a route is found, not for each message: Broker.applyRights() tells of a change. */
  mayReceive(identity: Identity, topic: string): boolean;
  /** False once the client's credential is no longer valid. Asked by Broker.applyRights(). */
  isStillAuthorized(identity: Identity): boolean;
}

/** Lets everybody do everything. */
export const openAuthorizer: Authorizer = {
  permissive: true,
  work: 0,
  authenticate: (_request, done) => done({ reasonCode: 0 }),
  mayPublish: () => true,
  subscriptionRefusal: () => 0,
  mayReceive: () => true,
  isStillAuthorized: () => true,
};

/** The way of local publishes to the other nodes. */
export interface PeerForwarder {
  /**
   * Copies what it needs before it returns.
   * @param topic the resolved Topic Name's bytes
   * @param clientId the publisher, for the log; undefined for messages of the broker itself
   */
  forward(publish: PublishView, topic: Buffer, clientId: string | undefined): ForwardResult;
}

/**
 * 'noPeers': no other node is online. 'filtered': -topics keeps the message on this node. 'tooLarge':
 * the packet has 4096 bytes or more. 'discarded': the send queue to the other nodes is full.
 */
export type ForwardResult = 'forwarded' | 'noPeers' | 'filtered' | 'tooLarge' | 'discarded';

export interface SessionRecord {
  readonly clientId: string;
  readonly username: string | undefined;
  /** Seconds to live after the connection ended; Infinity for ever. */
  readonly expirySeconds: number;
  /** Milliseconds of the core's clock; Infinity while connected. */
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
  /** 0 until it was sent. */
  readonly packetId: number;
  /** QoS 2: PUBREC came, so only PUBREL is still owed. */
  readonly released: boolean;
}

/** Takes the state of the broker, or changes of it. Times are milliseconds of the core's clock. */
export interface StateWriter {
  saveSession(session: SessionRecord): void;
  saveSubscription(clientId: string, subscription: SubscriptionRecord): void;
  /** Queued, or sent at once. */
  saveDelivery(clientId: string, delivery: DeliveryRecord): void;
  /** QoS 2 from the client: the Packet Identifier is in use until PUBREL. */
  saveReceived(clientId: string, packetId: number): void;
  saveRetained(message: Message): void;
  /** @param publishAt Infinity while its client is connected, else when its delay is over */
  saveWill(clientId: string, will: WillPacket, publishAt: number): void;
}

/**
 * What outlives the process. The core keeps the truth in memory and tells the store each change;
 * nothing here may throw or block. What is told in one turn is kept whole or not at all.
 */
export interface SessionStore extends StateWriter {
  /** False where nothing is kept: acknowledgements needn't wait then, and nothing else is called. */
  readonly durable: boolean;
  /** False while there is no room for more: what would have to be kept is refused, or waits. */
  readonly accepting: boolean;
  /** True while more waits to be kept than should: whoever brings more has to wait. */
  readonly congested: boolean;
  removeSession(clientId: string): void;
  removeSubscription(clientId: string, filter: string): void;
  /** A delivery that was saved is now sent (packetId set) or released. */
  updateDelivery(clientId: string, delivery: DeliveryRecord): void;
  removeDelivery(clientId: string, deliveryId: number): void;
  removeReceived(clientId: string, packetId: number): void;
  removeRetained(topic: string): void;
  removeWill(clientId: string): void;
  /**
   * Calls `done` when all that was told before is safe, however long that takes; in the order of
   * the calls, and at once where nothing is on its way.
   * @param refused called instead as soon as there is no room; without it the caller waits
   */
  whenDurable(done: () => void, refused?: () => void): void;
}

const ignore = (): void => undefined;

/** Keeps nothing beyond the process. */
export const memoryStore: SessionStore = {
  durable: false,
  accepting: true,
  congested: false,
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
  whenDurable: (done) => done(),
};

export interface StoredSession extends SessionRecord {
  readonly subscriptions: Iterable<SubscriptionRecord>;
  /** In the order in which they are owed. */
  readonly deliveries: Iterable<DeliveryRecord>;
  readonly received: Iterable<number>;
  readonly will: { readonly packet: WillPacket; readonly publishAt: number } | undefined;
}

/** What a store found at its start. */
export interface StoredState {
  readonly sessions: Iterable<StoredSession>;
  readonly retained: Iterable<Message>;
}
