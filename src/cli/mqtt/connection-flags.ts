// The flags that pub, sub, rr and bench share: which broker, who connects, TLS, the will. Names and
// letters are those of mosquitto_pub and mosquitto_sub. Without -h and -L the broker is the node on this
// machine.

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { ClientWill } from '../../mqtt/client-packets.ts';
import { STRING_BYTES_MAX } from '../../mqtt/limits.ts';
import type { ProtocolVersion, QoS } from '../../mqtt/publish-view.ts';
import { isTopicName } from '../../mqtt/topic.ts';
import type { ListenerProtocol } from '../../shared/listener-config.ts';
import { maskedUrl } from '../../shared/masked-url.ts';
import { UsageError } from '../exit-codes.ts';
import type { ClientSettings } from './mqtt-client.ts';
import type { BrokerAddress } from './transport.ts';

export interface ConnectionFlags {
  readonly host?: string;
  readonly port?: string;
  readonly url?: string;
  readonly id?: string;
  readonly username?: string;
  readonly pw?: string;
  readonly keepalive: string;
  readonly protocolVersion: string;
  readonly ws?: boolean;
  readonly tls?: boolean;
  readonly cafile?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure?: boolean;
  readonly willTopic?: string;
  readonly willPayload?: string;
  readonly willQos?: string;
  readonly willRetain?: boolean;
}

const DEFAULT_PORTS: Readonly<Record<ListenerProtocol, number>> = {
  tcp: 1883,
  tls: 8883,
  ws: 80,
  wss: 443,
};
const PROTOCOLS: Readonly<Record<string, ListenerProtocol>> = {
  mqtt: 'tcp',
  tcp: 'tcp',
  mqtts: 'tls',
  tls: 'tls',
  ssl: 'tls',
  ws: 'ws',
  wss: 'wss',
};
const VERSIONS: Readonly<Record<string, ProtocolVersion>> = {
  mqttv31: 3,
  '31': 3,
  mqttv311: 4,
  '311': 4,
  mqttv5: 5,
  '5': 5,
};
const WEBSOCKET_PATH = '/mqtt';
const SECONDS_MAX = 65_535;

export function addConnectionFlags(command: Command): Command {
  return command
    .option('-h, --host <host>', 'broker (default this machine)')
    .option('-p, --port <port>', 'port (default 1883; 8883 with TLS)')
    .option('-L, --url <url>', 'mqtt or mqtts://user:password@host:port/topic, ws or wss://…/path')
    .option('-i, --id <id>', 'client identifier (default a random one)')
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password; other users of the machine see it for an instant')
    .option('-k, --keepalive <seconds>', 'Keep Alive', '60')
    .option('-V, --protocol-version <version>', '5, 311 or 31', '5')
    .option('--ws', 'MQTT over WebSocket')
    .option('--tls', 'TLS with the authorities of the system')
    .option('--cafile <file>', 'TLS with the authorities of this file')
    .option('--cert <file>', 'certificate of this client')
    .option('--key <file>', 'its private key')
    .option('--insecure', 'do not check the certificate of the broker')
    .option('--will-topic <topic>', 'topic of the will')
    .option('--will-payload <text>', 'its payload (default empty)')
    .option('--will-qos <qos>', 'its QoS (default 0)')
    .option('--will-retain', 'its message is retained');
}

/** What the flags say, with the topic of an `-L` that has one. */
export interface Connection {
  readonly settings: ClientSettings;
  readonly urlTopic: string | undefined;
}

/** @throws UsageError that names the flag, the value and the right form */
export function connectionOf(flags: ConnectionFlags): Connection {
  const url = flags.url === undefined ? undefined : parseUrl(flags.url);
  if (url !== undefined && (flags.host !== undefined || flags.port !== undefined)) {
    throw new UsageError('-L names host and port: leave -h and -p out');
  }
  const protocol = url?.protocol ?? protocolOf(flags);
  const port = flags.port === undefined ? undefined : wholeNumber(flags.port, '-p', 1, 65_535);
  const { cafile, cert, key, insecure = false } = flags;
  const address: BrokerAddress = {
    protocol,
    host: url?.host ?? flags.host ?? 'localhost',
    port: url?.port ?? port ?? DEFAULT_PORTS[protocol],
    path: url?.path ?? WEBSOCKET_PATH,
    tls: { cafile, cert, key, insecure },
  };
  return {
    settings: {
      address,
      version: versionOf(flags.protocolVersion),
      clientId: flags.id ?? randomClientId(),
      cleanStart: true,
      sessionExpirySeconds: 0,
      keepAliveSeconds: wholeNumber(flags.keepalive, '-k', 0, SECONDS_MAX),
      username: flags.username ?? url?.username,
      password: flags.pw ?? url?.password,
      will: willOf(flags),
    },
    urlTopic: url?.topic,
  };
}

/** @param needed as `sub needs -t FILTER` */
export function missingTopic(needed: string, { url = '' }: ConnectionFlags): UsageError {
  const hint = /^wss?:/i.test(url) ? ': the path of a WebSocket URL is no topic' : '';
  return new UsageError(needed + hint);
}

/** @throws UsageError */
export function wholeNumber(text: string, flag: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value < min || value > max) {
    throw new UsageError(`bad value '${text}' for ${flag}: expected ${min} to ${max}`);
  }
  return value;
}

/** @throws UsageError */
export function qosOfFlag(text: string, flag = '-q'): QoS {
  return wholeNumber(text, flag, 0, 2) as QoS;
}

/** @throws UsageError if it cannot be published to */
export function topicOfFlag(topic: string, flag = '-t'): string {
  if (!isTopicName(topic) || Buffer.byteLength(topic) > STRING_BYTES_MAX) {
    throw new UsageError(
      `bad value '${topic}' for ${flag}: expected a topic without wildcards, such as home/t7`,
    );
  }
  return topic;
}

export function randomClientId(): string {
  return `shoal-${randomBytes(6).toString('hex')}`;
}

function protocolOf({ ws, tls, cafile, cert }: ConnectionFlags): ListenerProtocol {
  const isEncrypted = tls === true || cafile !== undefined || cert !== undefined;
  if (ws === true) return isEncrypted ? 'wss' : 'ws';
  return isEncrypted ? 'tls' : 'tcp';
}

function versionOf(text: string): ProtocolVersion {
  const version = VERSIONS[text];
  if (version === undefined)
    throw new UsageError(`bad value '${text}' for -V: expected 5, 311 or 31`);
  return version;
}

function willOf(flags: ConnectionFlags): ClientWill | undefined {
  const { willTopic, willPayload, willQos, willRetain } = flags;
  if (willTopic === undefined) {
    if (willPayload === undefined && willQos === undefined && willRetain === undefined) {
      return undefined;
    }
    throw new UsageError('a will needs -will-topic');
  }
  return {
    topic: topicOfFlag(willTopic, '-will-topic'),
    payload: Buffer.from(willPayload ?? ''),
    qos: qosOfFlag(willQos ?? '0', '-will-qos'),
    retain: willRetain === true,
  };
}

interface ParsedUrl {
  readonly protocol: ListenerProtocol;
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string | undefined;
  readonly topic: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

function parseUrl(text: string): ParsedUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const protocol = PROTOCOLS[url?.protocol.replace(/:$/, '') ?? ''];
  if (url === undefined || protocol === undefined || url.hostname === '') {
    throw new UsageError(`bad value '${maskedUrl(text)}' for -L: expected mqtt://host:port/topic`);
  }
  const isWebSocket = protocol === 'ws' || protocol === 'wss';
  const path = url.pathname === '/' || url.pathname === '' ? undefined : url.pathname;
  return {
    protocol,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    path: isWebSocket ? path : undefined,
    topic: isWebSocket || path === undefined ? undefined : decodeURIComponent(path.slice(1)),
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
  };
}
