// The public API of the package: every type and function that a program may use. The build copies this
// file and api-options.ts into the package as its type declarations, so it imports nothing of the
// project, and a name that it does not have is not public. Other files here implement it.
// Invariant: changes follow the semver promise in docs/embedding.md.

import type { Duplex } from 'node:stream';
import type { BrokerSettings, NodeSettings } from './api-options.ts';

/** The version of the package, for example `1.2.3`. */
export declare const version: string;

/**
 * Opens an MQTT broker without sockets: connections come in through {@link Broker.attach}. The broker
 * keeps the process alive until {@link Broker.close}.
 * @throws ShoalError `INVALID_OPTIONS`, or `STORAGE` if the folder of `data` can't be used
 */
export declare function createBroker(options?: BrokerOptions): Promise<Broker>;

/**
 * Starts a node: all that the command line starts, with the same options. Several nodes run in one
 * process if their ports and names differ. Sets no signal handler, writes nothing and never ends the
 * process. The promise resolves when clients can connect.
 * @throws ShoalError `INVALID_OPTIONS`, `LISTEN`, `STORAGE` or `NAME_IN_USE`
 */
export declare function createNode(options?: NodeOptions): Promise<ShoalNode>;

/** What a program may give a broker besides settings. */
export interface ProgramOptions {
  /** Decide on access, and learn what happens. */
  hooks?: Hooks;
  /** Longest time that a hook may take to answer, milliseconds, 1 to 600000. Default: 5000. */
  hookTimeout?: number;
  /** Receives each line of the log; without it nothing is written. */
  log?: LogCallback;
}

/** Options of {@link createBroker}. */
export interface BrokerOptions extends BrokerSettings, ProgramOptions {}

/** Options of {@link createNode}. */
export interface NodeOptions extends NodeSettings, ProgramOptions {
  /** Ends the start, which waits for other nodes. createNode() then rejects, and nothing is left open. */
  signal?: AbortSignal;
}

/** A broker in this process. */
export interface Broker {
  /**
   * Serves an MQTT client on a stream: a socket, one end of a pipe, anything that carries bytes both
   * ways. The broker owns the stream from here on and ends it. A stream that has ended already is
   * ignored. The stream must not reuse the buffers that it emits.
   * @throws ShoalError `INVALID_ARGUMENT` if it is no byte stream
   */
  attach(stream: Duplex, info?: AttachInfo): void;
  /**
   * Publishes a message of the program itself, for which no hook and no ACL is asked. The promise
   * resolves once the message is retained, is in the queues and on the connections of all
   * subscribers of this broker and, with `data`, is on the disk.
   * @throws ShoalError `INVALID_ARGUMENT`, `CLOSED`, or `NOT_STORED` if the disk takes no changes
   */
  publish(message: PublishMessage): Promise<PublishResult>;
  /**
   * Subscribes the program. The callback gets one message after the other, never within another call
   * of this package. A callback that returns a promise gets the next message when that has settled; a
   * message counts as handled even if the callback fails, which the log and the statistics show.
   * Messages wait in a queue with the bounds of a client's (`maxQueuedMessages`,
   * `maxQueuedBytes`): one that finds it full is dropped and counted. No hook and no ACL is asked.
   * @param filter Topic Filter, or `$share/{name}/{filter}` for a shared subscription
   * @throws ShoalError `INVALID_ARGUMENT`, `CLOSED`, or `LIMIT_REACHED` if a bound of the broker is reached
   */
  subscribe(
    filter: string,
    callback: MessageCallback,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /** The clients that are connected, in no order. A snapshot. */
  clients(): ClientInfo[];
  /**
   * Ends the connection of a client; MQTT 5 clients get the reason.
   * @returns false if no client with this Client Identifier is connected
   */
  kick(clientId: string, reason?: string): Promise<boolean>;
  /**
   * Has `authorizeReceive` asked anew for all subscriptions: its answers are kept for each topic. With
   * the access options of a node, checks all clients again as well.
   */
  reauthorize(): Promise<void>;
  /** Figures of now. */
  stats(): BrokerStats;
  /** Disconnects all clients and closes everything. Calls after the first one wait for the same end. */
  close(): Promise<void>;
}

/** A node in this process: a broker with listeners, and a member of a cluster if it has `csk`. */
export interface ShoalNode extends Broker {
  /** Where MQTT clients connect. */
  readonly listeners: readonly Listener[];
  /** Where the HTTP API and the dashboard are; undefined with `http: 'off'`. */
  readonly http: Endpoint | undefined;
  /** Where other nodes reach this one, by UDP; undefined without `csk`. */
  readonly gossip: Endpoint | undefined;
  readonly sync: Endpoint | undefined;
  /**
   * Resolves when the node is closed: with an error if it had to close by itself, because another node
   * has its name or, with `exitWithoutPeers`, because no other node is online; else with undefined.
   */
  readonly ended: Promise<ShoalError | undefined>;
  /** Whether the site is well, in one sentence, as `shoal status` says it. */
  status(): string;
  /**
   * Reads the files of the options again (`config`, users, ACLs, certificates, tokens), as SIGHUP does
   * for the command line; with `watchFiles` the node does so itself when one changes.
   * @throws ShoalError `INVALID_OPTIONS` if what they say is wrong: the last good version stays in force
   */
  reload(): Promise<void>;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** An open listener of a node. */
export interface Listener extends Endpoint {
  readonly protocol: 'tcp' | 'tls' | 'ws' | 'wss';
}

/** What the broker knows of an attached stream; hooks, the log and the API show it. */
export interface AttachInfo {
  /** Address of the client. Of a socket the broker finds it itself. */
  address?: string;
  port?: number;
  /** Name of the listener; of a node, one of its listeners, whose rules then apply. */
  listener?: string;
}

/** A message to publish. */
export interface PublishMessage {
  /** Topic Name. */
  topic: string;
  /** Empty if missing. Bytes are copied. */
  payload?: string | Uint8Array;
  /** 0 if missing. */
  qos?: QoS;
  /** Whether the broker keeps it for later subscribers; with an empty payload it clears the topic. */
  retain?: boolean;
  /** Message Expiry Interval, seconds; without it the message never expires. */
  expirySeconds?: number;
  properties?: MessageProperties;
}

/** A message as hooks and subscriptions get it. */
export interface Message {
  readonly topic: string;
  /** Shared by all who get the message: must not be changed. */
  readonly payload: Buffer;
  /** For a subscription the lower of its QoS and the message's. */
  readonly qos: QoS;
  /** For a subscription: it was retained before the subscription was made. Else: it asks to be retained. */
  readonly retain: boolean;
  /** Of MQTT 5; empty for most messages. */
  readonly properties: MessageProperties;
}

/** The properties of MQTT 5 that travel with a message. */
export interface MessageProperties {
  /** The payload is UTF-8 text (Payload Format Indicator). */
  readonly payloadIsText?: boolean;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
  /** Name and value of each, in their order. */
  readonly userProperties?: readonly (readonly [string, string])[];
}

/** Receives the messages of a subscription. */
export type MessageCallback = (message: Message) => unknown;

export interface SubscribeOptions {
  /** Highest QoS of the messages. Default: 2. */
  qos?: QoS;
  /** Whether retained messages come first. Default: true. */
  retained?: boolean;
  /** Calls whose promise may be open at a time, 1 to 10000. With more than 1 they end in any order. Default: 1. */
  concurrency?: number;
}

/** A subscription of the program. */
export interface Subscription {
  readonly filter: string;
  /** Messages that wait for the callback. */
  readonly queued: number;
  /** Messages that found the queue full. */
  readonly dropped: number;
  /** Ends it; the callback is not called again. */
  unsubscribe(): Promise<void>;
}

/** A client that is connected. */
export interface ClientInfo {
  readonly id: string;
  readonly username: string | undefined;
  /** Address and port. */
  readonly address: string;
  readonly listener: string;
  readonly version: '3.1' | '3.1.1' | '5.0';
  readonly connectedAt: Date;
  readonly subscriptions: number;
  /** Messages that wait for it. */
  readonly queued: number;
  /** Messages that it has not acknowledged. */
  readonly inflight: number;
}

/** Figures of a broker; those that count begin with 0 at its start. */
export interface BrokerStats {
  readonly clients: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retained: number;
  /** Messages that wait for clients; one that waits for several counts for each. */
  readonly queued: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Messages that found a queue full. */
  readonly messagesDropped: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Publishes, subscriptions and deliveries that were refused. */
  readonly denied: number;
  /** Times that a hook threw, rejected, answered too late or with a wrong value. */
  readonly hookFaults: number;
  /** Times that the callback of a subscription failed. */
  readonly callbackFaults: number;
}

/**
 * Functions of the program that the broker calls. Those that decide come behind the access options of a
 * node: both have to allow. A hook that throws, rejects, takes longer than `hookTimeout` or answers with
 * anything else has refused. Messages of the program itself and of bridges are not asked about.
 */
export interface Hooks {
  /**
   * Whether a client may connect: `true`, `false` (bad user name or password) or details. The client
   * waits for the answer. Without it every client may.
   */
  authenticate?(client: Client, login: Login): Answer<boolean | Authentication>;
  /**
   * Whether a client may publish this message. The client waits for the answer, and so do its later
   * packets. Also asked about a will, when the client connects.
   */
  authorizePublish?(client: Client, message: Message): Answer<boolean>;
  /** Whether a client may subscribe; asked for each filter. The client waits for the answer. */
  authorizeSubscribe?(client: Client, request: SubscribeRequest): Answer<boolean>;
  /**
   * Whether a client may get messages of a topic. Has to answer at once. Asked when the topic gets its
   * first message after a change of subscriptions, not for each message: {@link Broker.reauthorize}
   * has it asked again.
   */
  authorizeReceive?(client: Client, topic: string): boolean;
  /** A client has connected. */
  connected?(client: Client): void;
  /** The connection of a client has ended. @param reason in words */
  disconnected?(client: Client, reason: string): void;
  subscribed?(client: Client, request: SubscribeRequest): void;
  unsubscribed?(client: Client, filter: string): void;
  /**
   * A message was published: by a client, by the program or another node (then without client). Not
   * called for topics that begin with `$`.
   */
  published?(message: Message, client: Client | undefined): void;
}

/** What a hook returns: the answer, or a promise of it. */
export type Answer<T> = T | PromiseLike<T>;

/** A client, for hooks: the same object in all hooks of one connection. */
export interface Client {
  readonly id: string;
  readonly username: string | undefined;
  /** Empty if it is not known. */
  readonly address: string;
  readonly port: number | undefined;
  readonly listener: string;
  readonly version: '3.1' | '3.1.1' | '5.0';
}

/** What a client proves itself with; its user name is in {@link Client}. */
export interface Login {
  readonly password: Buffer | undefined;
}

/** Details of an answer of `authenticate`. Without `reasonCode` the client is accepted. */
export interface Authentication {
  /** Refuses the client: a Reason Code of CONNACK from 0x80 on. */
  readonly reasonCode?: number;
  /** Why, for the log. */
  readonly reason?: string;
  /** The user name that the client gets. */
  readonly username?: string;
  /** The connection ends after this time. */
  readonly expiresSeconds?: number;
}

export interface SubscribeRequest {
  /** Topic Filter, as the client has sent it. */
  readonly filter: string;
  readonly qos: QoS;
}

/** Quality of Service. */
export type QoS = 0 | 1 | 2;

/** The result of a publish on this broker. */
export interface PublishResult {
  /** Whether a subscription of this broker matched. */
  matched: boolean;
  /** Whether some, or all, of the subscribers had no room for it in their queues. */
  refused: 'none' | 'some' | 'all';
  /** Whether it is retained now; false if it did not ask for that. */
  retained: boolean;
}

/** Receives a line of the log. What it throws is ignored. */
export type LogCallback = (line: LogLine) => void;

/** A line of the log. */
export interface LogLine {
  readonly time: Date;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** A short phrase that stays the same for the same event. */
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/** Why a call failed; `message` has the same in words. */
export type ShoalErrorCode =
  /** An option is unknown or has a wrong value; `problems` has one line for each. */
  | 'INVALID_OPTIONS'
  /** An argument of a call is wrong. */
  | 'INVALID_ARGUMENT'
  /** A port or socket can't be opened. */
  | 'LISTEN'
  /** The data folder can't be used. */
  | 'STORAGE'
  /** Another node of the cluster has the name. */
  | 'NAME_IN_USE'
  /** A bound of the broker is reached. */
  | 'LIMIT_REACHED'
  /** The disk takes no changes now. */
  | 'NOT_STORED'
  /** The broker is closed. */
  | 'CLOSED'
  /** A fault of another kind; `cause` has it. */
  | 'FAILED';

/** The error that every call of this package throws or rejects with. */
export declare class ShoalError extends Error {
  readonly name: 'ShoalError';
  readonly code: ShoalErrorCode;
  /** One line for each problem; at least one. */
  readonly problems: readonly string[];
  constructor(code: ShoalErrorCode, problems: string | readonly string[], cause?: unknown);
}
