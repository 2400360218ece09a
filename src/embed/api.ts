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

/** Options of {@link createBroker}. */
export interface BrokerOptions extends BrokerSettings {
  /** Receives each line of the log; without it nothing is written. */
  log?: LogCallback;
}

/** Options of {@link createNode}. */
export interface NodeOptions extends NodeSettings {
  /** Receives each line of the log; without it nothing is written. */
  log?: LogCallback;
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
  /** Disconnects all clients and closes everything. Calls after the first one wait for the same end. */
  close(): Promise<void>;
}

/** A node in this process: a broker with listeners, and a member of a cluster if it has `csk`. */
export interface ShoalNode extends Broker {
  /** Where MQTT clients connect. */
  readonly listeners: readonly Listener[];
}

/** An open listener of a node. */
export interface Listener {
  readonly protocol: 'tcp' | 'tls' | 'ws' | 'wss';
  readonly address: string;
  readonly port: number;
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
}

/** Quality of Service. */
export type QoS = 0 | 1 | 2;

/** What became of a published message on this broker. */
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
