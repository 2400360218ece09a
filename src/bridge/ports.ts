// What a bridge needs from outside: a connection to the far side, and one to the broker of this node.
// src/net/bridges implements the first, and src/node joins the second; the core knows neither.

import type { PublishFields } from '../mqtt/publish-encoder.ts';
import type { BridgeAddress } from './options.ts';

/** The outgoing bytes of one connection to the far side. */
export interface FarOutbox {
  /**
   * Queues bytes `[start, end)`, which must never change afterwards. All bytes of one turn of the
   * event loop leave in one write.
   */
  write(buffer: Buffer, start: number, end: number): void;
  /** Sends the queued bytes, then ends the connection. Bridge.farClosed() does not follow. */
  close(): void;
  /** True while the far side reads too slowly; Bridge.farDrained() ends it. */
  readonly congested: boolean;
  pauseReading(): void;
  resumeReading(): void;
}

/** The broker's side of the bridge's own connection to this node; src/broker's Client has it. */
export interface LocalClient {
  /** Whole MQTT 5 packets. The core keeps views into `chunk`. */
  receive(chunk: Buffer, now: number): void;
  drained(now: number): void;
  disconnected(now: number): void;
}

/** The bridge's side of it: what the broker writes to. */
export interface LocalOutbox {
  /** One or more whole MQTT 5 packets, none of them a PUBLISH. */
  write(buffer: Buffer, start: number, end: number): void;
  /**
   * A PUBLISH as its parts, which this may change. The payload is `[start, end)` of a buffer that never
   * changes. @returns false for a message that can't be sent
   */
  publish(fields: PublishFields, payload: Buffer, start: number, end: number): boolean;
  readonly takesProperties: boolean;
  close(): void;
  readonly congested: boolean;
  pauseReading(): void;
  resumeReading(): void;
}

export interface BridgePort {
  /** Time of the event at hand, as the broker of this node has it: what it writes brings no time. */
  readonly now: number;
  /** Opens a connection; Bridge.farOpened() or Bridge.farClosed() follows. */
  connect(address: BridgeAddress): FarOutbox;
  /** Connects to the bridge's session on this node. It sends what waits after LocalClient.drained(). */
  attach(outbox: LocalOutbox, sendWindow: number, now: number): LocalClient;
  /** True if the session existed before this run of the node, so that its Packet Identifiers go on. */
  readonly isSessionKnown: boolean;
  /** The far side's session is new: forget the QoS 2 messages that it has not released. */
  forgetReceived(): void;
  /** Sends the retained messages of the outgoing topics. */
  sendRetained(client: LocalClient, now: number): void;
  /** The connection has come or gone. */
  stateChanged(isConnected: boolean): void;
  /** Call Bridge.runDeferred() in the next turn of the event loop. */
  defer(): void;
  /** Bridge.nextDeadline has changed. */
  deadlineChanged(): void;
}
