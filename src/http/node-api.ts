// The port between the HTTP API and the node: what the handlers ask, in plain values. src/node implements
// it over the broker and the cluster; src/http must not know how.

import type { Metric, MetricValue } from '../metrics/metric.ts';
import type { NodeReply, NodeRequest } from '../shared/node-request.ts';
import type { ClientDetail } from './client-detail-view.ts';
import type { ClusterTokenApi } from './cluster-token-view.ts';
import type { DiagnosisView, PingView } from './diagnosis-view.ts';
import type { InvitationView, StrangerView } from './discovery-view.ts';
import {
  any,
  array,
  flag,
  integer,
  nullable,
  number,
  object,
  oneOf,
  optional,
  type Static,
  text,
} from './schema.ts';

const percent = (help: string) => nullable(number(`${help}, percent`));

export const faultSchema = object({
  code: text(),
  severity: oneOf(['fault', 'warning']),
  text: text({ help: 'A sentence without its full stop' }),
  since: optional(number('Start, ms since 1970, where it is known')),
  cure: text({ help: 'What to type or do' }),
});

export const verdictSchema = object({
  level: oneOf(['well', 'warning', 'fault']),
  sentence: text({ help: 'Whether the site is well, or the worst fault' }),
  faults: array(faultSchema, 65_535, 'The worst first; empty if all is well'),
});

const lossSchema = object({
  in: percent('Messages from this node that were lost on the way here in the last minute'),
  out: percent('Messages from here that were lost on the way to this node in the last minute'),
});

export const nodeSchema = object({
  name: text(),
  isSelf: flag('Whether this is the node that answers'),
  state: oneOf(['alive', 'suspect', 'offline', 'left']),
  since: number('Start of this state, ms since 1970 by the clock of the node that answers'),
  address: nullable(
    text({ help: 'Where its gossip is, or most probably is, reached; null without a cluster' }),
  ),
  version: nullable(text()),
  clients: nullable(integer(0, 2 ** 53, 'Connected clients')),
  sessions: nullable(integer(0, 2 ** 53)),
  receivedPerSecond: nullable(number('PUBLISH packets a second from its clients')),
  sentPerSecond: nullable(number('PUBLISH packets a second to its clients')),
  load: percent('Share of the time in which its event loop is busy'),
  rttSeconds: nullable(number('Round trip on the sync port')),
  delivery: optional(
    oneOf(['multicast', 'unicast'], 'How messages go to it; only with -sync=multicast'),
  ),
  loss: lossSchema,
  blocked: array(text(), 8, 'Directions that do not work, as: in on UDP 7946'),
  differingOptions: array(
    text(),
    64,
    'Options that must be the same on every node, as -flag=theirs',
  ),
  retainedDifferSince: nullable(
    number(
      'Up to then its retained messages were those of this node, ms since 1970; null: they are',
    ),
  ),
  clientAddresses: optional(array(text(), 64, 'Those of -address that it holds')),
});

export const summarySchema = object({
  retained: object({
    count: integer(0, 2 ** 53, 'Retained messages of this node'),
    isReplicated: flag('Whether every node is to hold the same (-retained-sync)'),
  }),
  clientUrls: array(text(), 256, 'Where clients reach this node, as mqtt://192.168.1.100:1883'),
  clientAddresses: optional(array(text(), 64, 'Of -address; one of the nodes holds each')),
  siteNames: optional(array(text(), 64, 'Names that lead to a live node by mDNS, as shoal.local')),
});

export type FaultView = Static<typeof faultSchema>;
export type SummaryView = Static<typeof summarySchema>;
export type NodeView = Static<typeof nodeSchema>;
export type VerdictView = Static<typeof verdictSchema>;

export const clientSchema = object({
  id: text(),
  node: text({ help: 'Where its session is' }),
  user: nullable(text()),
  isConnected: flag(),
  address: nullable(text({ help: 'Of the client, with its port; null while it is not connected' })),
  listener: nullable(text()),
  mqtt: nullable(text({ help: 'Version of the protocol: 3.1, 3.1.1 or 5.0' })),
  since: nullable(number('Of the connection, ms since 1970')),
  expirySeconds: nullable(number('Session Expiry Interval, s; null: never')),
  subscriptions: integer(0, 2 ** 53),
  queued: integer(0, 2 ** 53, 'Messages that wait for it'),
  inflight: integer(0, 2 ** 53, 'Messages of QoS 1 and 2 that it has not acknowledged'),
  isCongested: flag('Whether it reads more slowly than messages come'),
  publishReceived: optional(
    nullable(integer(0, 2 ** 53, 'PUBLISH packets from it since its connection began')),
  ),
  publishSent: optional(nullable(integer(0, 2 ** 53, 'PUBLISH packets to it'))),
});

export const subscriptionSchema = object({
  client: text(),
  node: text(),
  filter: text(),
  qos: integer(0, 2),
  noLocal: flag(),
  retainAsPublished: flag(),
});

export const messageHead = {
  topic: text(),
  qos: integer(0, 2),
  bytes: integer(0, 2 ** 32, 'Payload'),
};

export const retainedSchema = object({
  ...messageHead,
  node: text({ help: 'That answered; all nodes of a cluster hold the same messages' }),
  expiresIn: nullable(number('Seconds; null: never')),
  version: nullable(
    text({ help: 'Of the value in the cluster; equal on all nodes that hold the same' }),
  ),
  text: nullable(
    text({ help: 'Payload as text; null if it is no UTF-8, or larger than 4096 bytes' }),
  ),
  base64: nullable(
    text({ help: 'Payload, where it is no text; null if it is larger than 4096 bytes' }),
  ),
});

export const topicSchema = object({
  name: text({ help: 'The level' }),
  topic: text({ help: 'The levels above it and the name' }),
  values: integer(0, 2 ** 53, 'Retained messages of this topic and of all below it'),
  value: nullable(
    object({
      qos: integer(0, 2),
      bytes: integer(0, 2 ** 32, 'Payload'),
      preview: nullable(
        text({ help: 'The first characters of the payload; null if it is no text' }),
      ),
      at: nullable(number('When it was published, ms since 1970 by the clock of the cluster')),
    }),
  ),
  variants: array(
    object({
      nodes: array(text(), 4096, 'That hold the same values of the topic and below it'),
      values: integer(0, 2 ** 53),
      fingerprint: integer(0, 2 ** 53, 'Of all their versions; 0 for none'),
      version: nullable(text({ help: 'Of the value of the topic itself' })),
    }),
    4096,
    'One if all nodes hold the same',
  ),
});

export const timelineSchema = array(
  object({
    node: text(),
    at: number('ms since 1970 by the clock of that node'),
    level: oneOf(['debug', 'info', 'warn', 'error']),
    event: text(),
    fields: any('What the line of the log says, by name'),
  }),
  65_535,
  'The latest last',
);

export type TopicView = Static<typeof topicSchema>;
export type ClientView = Static<typeof clientSchema>;
export type SubscriptionView = Static<typeof subscriptionSchema>;
export type RetainedView = Static<typeof retainedSchema>;

/** Part of a list in the order of its keys. */
export interface Page {
  /** Only keys behind this one; empty for the beginning. */
  readonly after: string;
  readonly limit: number;
}

export interface ClientFilter extends Page {
  /** Part of the identifier, the user or the address, in any case. */
  readonly search: string;
  readonly isConnected: boolean | undefined;
}

export interface Listed<T> {
  /** In the order of their keys. */
  readonly items: readonly T[];
  /** All that match, on this page or not. */
  readonly total: number;
}

export interface Outgoing {
  /** A valid Topic Name. */
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** Seconds; undefined: never. */
  readonly expirySeconds: number | undefined;
}

export const historySchema = object({
  samples: array(
    object({
      at: number('ms since 1970'),
      clients: number(),
      sessions: number(),
      receivedPerSecond: number('PUBLISH packets from clients'),
      sentPerSecond: number('PUBLISH packets to clients'),
      loadPercent: number('Share of the time in which the event loop was busy'),
      queued: number('Messages that wait for clients'),
      dropped: number('Messages that full queues dropped since the sample before'),
      loopDelayMs: number('The longest that a timer was late since the sample before'),
    }),
    120,
    'The latest last',
  ),
  marks: array(
    object({
      at: number('ms since 1970'),
      kind: oneOf(['gone', 'back', 'left', 'wave', 'config']),
      text: text(),
    }),
    60,
    'What happened to the site in that time, the latest last',
  ),
});

export type HistoryView = Static<typeof historySchema>;
export type HistoryMark = HistoryView['marks'][number];
export type HistorySample = HistoryView['samples'][number];

export interface OptionView {
  readonly flag: string;
  /** As a user writes it; secrets are stars, and `-` is no value. */
  readonly value: string;
  readonly source: string;
  /** `-nid`, `SHOAL_NID`, `/etc/shoal.toml:3`; empty for a default, and for what was set. */
  readonly place: string;
  readonly help: string;
}

export const optionSetSchema = object({
  node: text(),
  option: text(),
  from: text({ help: 'Secrets are stars, and - is no value' }),
  to: text(),
  isInForce: flag('False: the value waits for a restart'),
  file: nullable(text({ help: 'That keeps the value; null: the node forgets it at its end' })),
  backup: nullable(text({ help: 'A copy of the file as it was before' })),
  notes: array(text(), 8, 'What else is to be done'),
});

export type OptionSet = Omit<Static<typeof optionSetSchema>, 'node'>;

export interface Observed {
  readonly topic: string;
  /** Valid during the call only. */
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
}

export interface TraceOptions {
  /** Of one client; undefined: of all. */
  readonly client: string | undefined;
  /** PUBLISH packets whose topic matches this filter, and nothing else; undefined: every packet. */
  readonly topic: string | undefined;
  readonly seconds: number;
  /** Of a payload that are shown. */
  readonly payloadBytes: number;
}

export interface TracedPacket {
  readonly client: string;
  /** `in`: from the client. */
  readonly direction: 'in' | 'out';
  /** `CLOSED` is no packet: the connection has ended. */
  readonly type: string;
  /** Of the whole packet; 0 of a CONNECT and of CLOSED. */
  readonly bytes: number;
  readonly packetId?: number;
  readonly reason?: string;
  /** What a CONNECT asks for, the filters of a SUBSCRIBE or UNSUBSCRIBE, why a connection has ended. */
  readonly detail?: string;
  readonly topic?: string;
  readonly qos?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly payloadBytes?: number;
  readonly payload?: string;
}

export interface StreamFollower {
  item(item: unknown): void;
  dropped(count: number): void;
  /** @param reply why it ended; undefined if the node has no more items */
  ended(reply: NodeReply | undefined): void;
}

/** Lists take several turns of the event loop where they are long, so that clients are not delayed. */
export const banSchema = object({
  address: nullable(text({ help: 'An IPv4 address or an IPv6 /64; null: any' })),
  client: nullable(text({ help: 'A client identifier; null: any' })),
  user: optional(nullable(text({ help: 'A user name; null: any' }))),
  reason: oneOf(['wrong passwords', 'flapping', 'by hand']),
  since: number('ms since 1970'),
  until: number('ms since 1970'),
});

export const slowSubscriberSchema = object({
  client: text(),
  user: nullable(text()),
  isOnline: flag(),
  messages: integer(0, 2 ** 53, 'Messages in its queue'),
  bytes: integer(0, 2 ** 53, 'Bytes in its queue'),
  since: number('First measurement with its queue among the longest, ms since 1970'),
});

export type BanView = Static<typeof banSchema>;
export type SlowSubscriberView = Static<typeof slowSubscriberSchema>;

export const farSideSchema = object({
  session: oneOf(['new', 'resumed'], 'Whether the far side had a session of the bridge'),
  maximumQos: integer(0, 2),
  retain: flag('Whether it takes retained messages'),
  packetBytesMax: nullable(integer(0, 2 ** 32, 'The largest packet that it takes; null: any')),
  inflightMax: integer(1, 65_535, 'Messages on their way to it before it acknowledges one'),
  keepAliveSeconds: integer(0, 65_535),
});

export const bridgeSchema = object({
  name: text(),
  node: text({ help: 'One that has the bridge in its file' }),
  state: oneOf(
    ['connected', 'connecting', 'waiting', 'standby'],
    'waiting: for the next attempt; standby: another node of the cluster runs it',
  ),
  since: number('Start of this state, ms since 1970'),
  address: text({ help: 'Of the far side, or of the one of several that is tried' }),
  mqtt: oneOf(['3.1.1', '5.0']),
  reason: nullable(
    text({ help: 'Why it is not connected, or what the far side refuses; null if all is well' }),
  ),
  lostSince: nullable(number('Start of the outage, ms since 1970')),
  retryAt: nullable(number('Next attempt, ms since 1970')),
  queued: integer(0, 2 ** 53, 'Messages that wait for the far side'),
  queuedBytes: integer(0, 2 ** 53),
  inflight: integer(0, 2 ** 53, 'Messages that it has not acknowledged'),
  oldest: nullable(number('The oldest of all these has come after this, ms since 1970')),
  sent: integer(0, 2 ** 53, 'Messages to the far side since the start, repetitions too'),
  received: integer(0, 2 ** 53, 'Messages of the far side since the start'),
  dropped: integer(
    0,
    2 ** 53,
    'Messages given up since the start: queue full, too old, too large for the far side, or refused by it',
  ),
  sentPerSecond: number('In the last ten seconds'),
  receivedPerSecond: number(),
  droppedPerSecond: number(),
  farSide: nullable(farSideSchema),
});

export type BridgeView = Static<typeof bridgeSchema>;
export type FarSideView = Static<typeof farSideSchema>;

export interface BridgesApi {
  /** Those of this node, in the order of its file. */
  list(): readonly BridgeView[];
  /** Connects anew at once. @returns false if this node does not run a bridge of this name */
  reconnect(name: string): boolean;
}

/** Whom a ban is for: an address, or a client or a user, or one of these at that address. */
export interface BanTargetView {
  readonly address?: string | undefined;
  readonly client?: string | undefined;
  readonly user?: string | undefined;
}

/** What only one node can see; it goes out as an event of a stream. */
export interface Observations {
  readonly node: string;
  readonly verdict: VerdictView;
  /** To the other nodes that are online. */
  readonly links: readonly Pick<NodeView, 'name' | 'loss' | 'blocked'>[];
  /** On the sync port, by the name of the other node. */
  readonly rttSeconds: Readonly<Record<string, number | null>>;
  /** Those that end last. */
  readonly bans: readonly BanView[];
  /** The one with the most bytes first. */
  readonly slowSubscribers: readonly SlowSubscriberView[];
  readonly bridges: readonly BridgeView[];
}

export interface GuardsApi {
  bans(): readonly BanView[];
  /** @throws InputError for an address that is none */
  ban(target: BanTargetView, seconds: number): BanView;
  /** @returns false if there is no such ban. @throws InputError */
  liftBan(target: BanTargetView): boolean;
  /** The one with the most bytes first. */
  slowSubscribers(): readonly SlowSubscriberView[];
}

export interface NodeApi {
  readonly guards: GuardsApi;
  readonly bridges: BridgesApi;
  readonly clusterToken: ClusterTokenApi;
  readonly name: string;
  /** Names of all nodes that are online, this one first. */
  readonly online: readonly string[];
  verdict(): VerdictView;
  /** This node first; bounded. */
  nodes(): readonly NodeView[];
  summary(): SummaryView;
  /** Boxes on the same network with another token or cluster name; bounded. */
  strangers(): readonly StrangerView[];
  /** Changes with each write of a retained value in the cluster; 0 where values are not replicated. */
  readonly retainedHash: number;
  /** Invites one box. @returns undefined without a cluster. Rejects if no port can be opened. */
  invite(): Promise<InvitationView | undefined>;
  /** What keeps the node from being ready, as sentences; empty if it is ready. */
  obstacles(): readonly string[];
  clients(filter: ClientFilter): Promise<Listed<ClientView>>;
  client(id: string): ClientDetail | undefined;
  /** @returns false if the client is not connected here */
  disconnect(id: string): boolean;
  /** Ends the connection, if there is one, and the session. @returns false if there is none */
  forget(id: string): boolean;
  /** @param filter part of a Topic Filter; keys are filter and client, with a newline between them */
  subscriptions(filter: string, page: Page): Promise<Listed<SubscriptionView>>;
  /** @param filter a valid Topic Filter */
  retained(filter: string, page: Page): Promise<Listed<RetainedView>>;
  /**
   * @param prefix of the topics below which names are listed; empty, or with a slash at its end
   * @param name the only name that is wanted
   */
  topics(prefix: string, name: string | undefined, page: Page): Promise<Listed<TopicView>>;
  /** @returns whether a subscriber of this node matched, and whether it could not be retained */
  publish(message: Outgoing): { readonly isMatched: boolean; readonly isNotRetained: boolean };
  /** Asks another node. Never rejects: a fault is a reply with a status of its own. */
  ask(node: string, request: NodeRequest): Promise<NodeReply>;
  /** Asks every node that is online, this one included, for its own part. */
  askAll(request: NodeRequest): Promise<ReadonlyMap<string, NodeReply>>;
  /**
   * Every message from now on that matches, retained ones first, whatever the ACL says.
   * @param filter a valid Topic Filter
   * @returns ends it
   */
  observe(filter: string, take: (message: Observed) => void): () => void;
  /**
   * The packets of one client or one topic on this node.
   * @param ended called when the trace ends by itself
   * @returns ends it
   */
  trace(
    options: TraceOptions,
    take: (packet: TracedPacket) => void,
    ended: (reason: string) => void,
  ): () => void;
  /** Follows a stream of another node. @returns ends it */
  follow(node: string, request: NodeRequest, follower: StreamFollower): () => void;
  /** True where every client may have every message, without a password. */
  readonly isOpen: boolean;
  readonly version: string;
  /** Every metric with its id in the list and its value of now. */
  metrics(): Iterable<readonly [id: string, Metric, MetricValue]>;
  history(): HistoryView;
  /** Every option, in the order of the list. */
  config(): readonly OptionView[];
  /** @param option without its dash. Rejects with HttpProblem, and then nothing has changed. */
  setOption(option: string, value: string): Promise<OptionSet>;
  /** Runs the doctor; takes some seconds. */
  diagnose(): Promise<DiagnosisView>;
  /** @returns undefined if no other node of this name is known */
  ping(name: string): Promise<PingView | undefined>;
  /** Takes an offline node for one that left, on all nodes. @returns false if there is none of this name */
  forgetNode(name: string): boolean;
  /** Contacts a node by its gossip address, until this one restarts. @returns false without a cluster */
  contact(address: string, port: number): boolean;
  /** Begins to stop this node; it leaves the cluster. */
  stop(): void;
  /** Logs an error that no handler expects. */
  reportFault(error: unknown): void;
}
