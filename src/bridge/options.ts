// What a bridge is configured to do, with its bounds and defaults. The rows of src/config/bridges.ts
// read the defaults.

import type { QoS } from '../mqtt/publish-view.ts';
import { formatHostPort } from '../shared/endpoint.ts';

/** A bridge speaks no version before 3.1.1. */
export type BridgeVersion = 4 | 5;

export type BridgeProtocol = 'mqtt' | 'mqtts' | 'ws' | 'wss';

/** Where the far side listens. */
export interface BridgeAddress {
  readonly protocol: BridgeProtocol;
  readonly host: string;
  readonly port: number;
  /** Of a WebSocket. */
  readonly path: string;
}

/** `mqtts://broker.example.com:8883`, with the path of a WebSocket. */
export function formatAddress({ protocol, host, port, path }: BridgeAddress): string {
  const isWeb = protocol === 'ws' || protocol === 'wss';
  return `${protocol}://${formatHostPort({ host, port })}${isWeb ? path : ''}`;
}

export type Direction = 'in' | 'out' | 'both';

/** Topics that cross: `local prefix + pattern` here is `far prefix + pattern` there. */
export interface TopicRule {
  /** A Topic Filter. */
  readonly pattern: string;
  readonly direction: Direction;
  /** Highest QoS that messages cross with. */
  readonly qos: QoS;
  readonly localPrefix: string;
  readonly farPrefix: string;
}

export interface BridgeOptions {
  readonly name: string;
  /** At least one. */
  readonly addresses: readonly BridgeAddress[];
  readonly topics: readonly TopicRule[];
  readonly version: BridgeVersion;
  /** With MQTT 3.1.1: mosquitto's bridge bit, dropped where the far side refuses it. */
  readonly tryPrivate: boolean;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The far side's session ends with the connection. */
  readonly cleanStart: boolean;
  readonly sessionExpirySeconds: number;
  readonly keepAliveSeconds: number;
  /** Unacknowledged QoS 1 and 2 messages towards the far side, at most. */
  readonly inflightMax: number;
  /** Largest packet that this node takes from the far side, bytes. */
  readonly packetBytesMax: number;
  /** Messages towards the far side a second; Infinity: no bound. */
  readonly rateMax: number;
  /** First and longest pause before a new connection, milliseconds. */
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** After a loss try the next address; otherwise begin with the first again. */
  readonly roundRobin: boolean;
  /** Announce the connection on the far side, as mosquitto does. */
  readonly notifications: boolean;
}

export const defaultBridgeOptions = {
  version: 5,
  tryPrivate: true,
  cleanStart: false,
  sessionExpirySeconds: 604_800,
  keepAliveSeconds: 60,
  inflightMax: 100,
  packetBytesMax: 1_048_576,
  rateMax: Number.POSITIVE_INFINITY,
  reconnectMinMs: 1_000,
  reconnectMaxMs: 60_000,
  roundRobin: false,
  notifications: false,
  queueMessagesMax: 100_000,
  queueBytesMax: 67_108_864,
  queueDrop: 'oldest',
} as const;

/** The topic that carries 1 or 0, retained: here always, and on the far side with `notifications`. */
export function stateTopic(name: string): string {
  return `$SYS/broker/connection/${name}/state`;
}
