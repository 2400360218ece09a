// Answers the questions of the HTTP API (NodeApi) over the parts of this node. Reads; what it changes, it
// changes through the part that owns it.

import { isUtf8 } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { RetainedFacts, SessionFacts } from '../broker/administration.ts';
import type { Broker } from '../broker/broker.ts';
import { type Config, type ConfigKey, optionTable } from '../config/config.ts';
import type { AnyOption } from '../config/option.ts';
import type { ClientDetail } from '../http/client-detail-view.ts';
import type { DiagnosisView, PingView } from '../http/diagnosis-view.ts';
import type { InvitationView, StrangerView } from '../http/discovery-view.ts';
import type {
  BridgesApi,
  ClientFilter,
  ClientView,
  GuardsApi,
  Listed,
  NodeApi,
  NodeView,
  Observed,
  OptionSet,
  OptionView,
  Outgoing,
  Page,
  RetainedView,
  StreamFollower,
  SubscriptionView,
  SummaryView,
  TopicView,
  TracedPacket,
  TraceOptions,
  VerdictView,
} from '../http/node-api.ts';
import { PageCollector } from '../http/page.ts';
import type { Metric, MetricValue } from '../metrics/metric.ts';
import { formatEndpoint, isUnspecified } from '../shared/endpoint.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { Logger } from '../shared/logger.ts';
import type { NodeReply, NodeRequest } from '../shared/node-request.ts';
import { version } from '../shared/version.ts';
import type { Announcer } from './announcer.ts';
import type { Cluster } from './cluster/cluster.ts';
import { asProblem, ClusterTokens } from './cluster/cluster-tokens.ts';
import type { ConfigSource } from './config-source.ts';
import type { NodeDoctor } from './node-doctor.ts';
import type { OwnAddresses } from './own-addresses.ts';
import type { MemberStatus } from './status/cluster-status.ts';
import type { History } from './status/history.ts';
import { ListWalker } from './status/list-walker.ts';
import { LocalGuards } from './status/local-guards.ts';
import { PacketTrace } from './status/packet-trace.ts';
import type { SiteStatus } from './status/site-status.ts';
import { TopicLevel } from './status/topic-level.ts';
import type { LinkFacts } from './status/verdict.ts';
import { wallTime } from './wall-time.ts';

/** From a request to stop to the stop: its answer has left by then. */
const ANSWER_MS = 100;
const SUBSCRIPTIONS_SHOWN = 1000;
const RULES_SHOWN = 1000;
const PAYLOAD_SHOWN_BYTES = 4096;
const PREVIEW_BYTES = 100;
/** A time before this is that of a clock that has not been set. */
const CLOCK_SET_AFTER = Date.UTC(2024, 0, 1);
const NO_PROPERTIES = Buffer.alloc(0);
const BY_HAND = 'ended by an administrator';
const NOT_CLUSTERED: NodeReply = { status: 502, body: { error: 'this node is in no cluster' } };

export interface NodeViewParts {
  readonly name: string;
  readonly log: Logger;
  readonly site: SiteStatus;
  readonly broker: Broker;
  /** Undefined without -csk. */
  readonly cluster: Cluster | undefined;
  readonly bridges: BridgesApi;
  /** Whether every client may have every message without a password. */
  readonly isOpen: () => boolean;
  readonly history: History;
  /** Asks the program to end the node. */
  readonly stop: () => void;
  /** The options in force. */
  readonly config: () => Config;
  /** Where they come from, and how they change. */
  readonly source: ConfigSource;
  readonly doctor: NodeDoctor;
  readonly addresses: OwnAddresses;
  readonly announcer: Announcer;
}

export class LocalNodeApi implements NodeApi {
  readonly version = version;
  readonly guards: GuardsApi;
  readonly bridges: BridgesApi;
  readonly clusterToken: ClusterTokens;
  readonly #parts: NodeViewParts;
  readonly #limiter = new LogLimiter();
  readonly #walker = new ListWalker();

  constructor(parts: NodeViewParts) {
    this.#parts = parts;
    this.guards = new LocalGuards(parts.broker);
    this.bridges = parts.bridges;
    this.clusterToken = new ClusterTokens({
      ...parts,
      nodeName: parts.name,
      wait: (ms) => delay(ms, undefined, { ref: false }),
    });
  }

  get name(): string {
    return this.#parts.name;
  }

  verdict(): VerdictView {
    return this.#parts.site.verdict();
  }

  strangers(): readonly StrangerView[] {
    const clockAhead = Date.now() - performance.now();
    const strangers = this.#parts.cluster?.beacon?.strangers ?? [];
    return strangers.map(({ address, since }) => ({
      address,
      since: Math.round(since + clockAhead),
    }));
  }

  get retainedHash(): number {
    return this.#parts.site.retainedHash;
  }

  async invite(): Promise<InvitationView | undefined> {
    return this.#parts.cluster?.invite();
  }

  diagnose(): Promise<DiagnosisView> {
    return this.#parts.doctor.diagnose();
  }

  ping(name: string): Promise<PingView | undefined> {
    return this.#parts.doctor.ping(name);
  }

  nodes(): readonly NodeView[] {
    const { nodes, links } = this.#parts.site.facts();
    const isMulticast = this.#parts.config().syncDelivery === 'multicast';
    const members = new Map<string, MemberStatus>();
    for (const status of this.#parts.cluster?.status?.members() ?? [])
      members.set(status.member.name, status);
    return nodes.map((facts) => {
      const { name, isSelf, state, since, version, clients, loadPercent, messagesPerSecond } =
        facts;
      const status = members.get(name);
      const own = isSelf ? this.#parts.site.figures : status?.own;
      const { rttMs, delivery, isOnline = false } = status?.peer ?? {};
      return {
        name,
        isSelf,
        state,
        since,
        address: this.#addressOf(status),
        version: version ?? null,
        clients: clients ?? null,
        sessions: own?.sessions ?? null,
        receivedPerSecond: messagesPerSecond ?? null,
        sentPerSecond: own?.sentPerSecond ?? null,
        load: loadPercent ?? null,
        rttSeconds: rttMs === undefined ? null : Number((rttMs / 1000).toPrecision(3)),
        ...(isMulticast && isOnline && { delivery }),
        retainedDifferSince: facts.retainedDifferSince ?? null,
        ...linksOf(name, links),
        differingOptions: facts.differingOptions,
        clientAddresses: (state === 'alive' && status?.own?.clientAddresses) || [],
      };
    });
  }

  summary(): SummaryView {
    const { broker, cluster, addresses, announcer, config } = this.#parts;
    return {
      retained: {
        count: broker.retainedCount,
        isReplicated: cluster?.replicatesRetained ?? false,
      },
      clientUrls: addresses.clientUrls,
      clientAddresses: config().clientAddresses.map(({ address }) => address),
      siteNames: announcer.siteNames,
    };
  }

  /** A node that no other has seen yet does not know which of its addresses others use. */
  #addressOf(status: MemberStatus | undefined): string | null {
    if (status === undefined) return null;
    const { endpoint, isSelf } = status.member;
    if (isSelf) return formatEndpoint(this.#parts.addresses.reachable(endpoint));
    return isUnspecified(endpoint.address) ? null : formatEndpoint(endpoint);
  }

  obstacles(): readonly string[] {
    const { cluster, config } = this.#parts;
    const expectsOthers = config().members.length > 0;
    const others = cluster?.status
      ?.members()
      .filter(({ member }) => !member.isSelf && member.state === 'alive');
    if (expectsOthers && others?.length === 0) return ['No other node is online.'];
    return [];
  }

  get online(): readonly string[] {
    return this.#parts.cluster?.queries.nodes ?? [this.name];
  }

  async clients({ search, isConnected, ...page }: ClientFilter): Promise<Listed<ClientView>> {
    const wanted = search.toLowerCase();
    const collector = new PageCollector<ClientView>(page, ({ id }) => id);
    await this.#walker.walk(this.#parts.broker.administration.sessions(), (facts) => {
      if (isConnected !== undefined && facts.isConnected !== isConnected) return;
      if (wanted === '' || isFound(facts, wanted)) collector.add(this.#clientView(facts));
    });
    return collector.listed;
  }

  client(id: string): ClientDetail | undefined {
    const { administration } = this.#parts.broker;
    const facts = administration.session(id);
    const means = administration.means(id);
    if (facts === undefined || means === undefined) return undefined;
    const { memory, traffic, rules } = means;
    const subscriptions: SubscriptionView[] = [];
    for (const one of administration.subscriptions(id)) {
      if (subscriptions.length === SUBSCRIPTIONS_SHOWN) break;
      subscriptions.push({ ...one, node: this.name });
    }
    return {
      client: this.#clientView(facts),
      subscriptions,
      deliveries: administration.deliveries(id),
      will: administration.will(id) ?? null,
      memory,
      traffic,
      rules: rules?.slice(0, RULES_SHOWN) ?? null,
    };
  }

  #clientView({ connectedAt, ...facts }: SessionFacts): ClientView {
    const since = connectedAt === null ? null : wallTime(connectedAt);
    return { ...facts, node: this.name, since };
  }

  disconnect(id: string): boolean {
    return this.#parts.broker.administration.disconnect(id, BY_HAND, performance.now());
  }

  forget(id: string): boolean {
    return this.#parts.broker.administration.forget(id, BY_HAND, performance.now());
  }

  async subscriptions(search: string, page: Page): Promise<Listed<SubscriptionView>> {
    const collector = new PageCollector<SubscriptionView>(
      page,
      ({ filter, client }) => `${filter}\n${client}`,
    );
    await this.#walker.walk(this.#parts.broker.administration.subscriptions(), (one) => {
      if (one.filter.includes(search)) collector.add({ ...one, node: this.name });
    });
    return collector.listed;
  }

  async retained(filter: string, page: Page): Promise<Listed<RetainedView>> {
    const { administration } = this.#parts.broker;
    const collector = new PageCollector<RetainedFacts>(page, ({ topic }) => topic);
    await this.#walker.walk(administration.retained(filter, performance.now()), (one) => {
      if (one !== undefined) collector.add(one);
    });
    const { items, total } = collector.listed;
    return { items: items.map((one) => this.#retainedView(one)), total };
  }

  async topics(prefix: string, name: string | undefined, page: Page): Promise<Listed<TopicView>> {
    const { administration } = this.#parts.broker;
    const filter = name === undefined ? `${prefix}#` : `${prefix}${name}/#`;
    const level = new TopicLevel<RetainedFacts & { version: string | undefined }>(prefix);
    await this.#walker.walk(administration.retained(filter, performance.now()), (one) => {
      if (one === undefined) return;
      level.add({ ...one, version: this.#versionOf(one.topic) });
    });
    return level.list(page, this.name, topicValueOf);
  }

  /** Of a retained value, the same on every node that holds it; undefined if it has none. */
  #versionOf(topic: string): string | undefined {
    const register = this.#parts.cluster?.retained?.map.get(topic);
    return register && `${register.time}.${register.writer.toString(16)}`;
  }

  #retainedView({ payload, ...facts }: RetainedFacts): RetainedView {
    const isShown = payload.length <= PAYLOAD_SHOWN_BYTES;
    const isText = isShown && isUtf8(payload);
    return {
      ...facts,
      node: this.name,
      version: this.#versionOf(facts.topic) ?? null,
      text: isText ? payload.toString('utf8') : null,
      base64: isShown && !isText ? payload.toString('base64') : null,
    };
  }

  publish({ topic, payload, qos, retain, expirySeconds = -1 }: Outgoing) {
    const content = { payload, properties: NO_PROPERTIES, qos, retain, expirySeconds };
    return this.#parts.broker.administration.publish(topic, content, performance.now());
  }

  async ask(node: string, request: NodeRequest): Promise<NodeReply> {
    return (await this.#parts.cluster?.queries.ask(node, request)) ?? NOT_CLUSTERED;
  }

  async askAll(request: NodeRequest): Promise<ReadonlyMap<string, NodeReply>> {
    return (await this.#parts.cluster?.queries.askAll(request)) ?? new Map();
  }

  get isOpen(): boolean {
    return this.#parts.isOpen();
  }

  /** Retained messages are passed on in a later turn, so that the caller has begun its response. */
  observe(filter: string, take: (message: Observed) => void): () => void {
    const { administration } = this.#parts.broker;
    const end = administration.observe(filter, take);
    let isEnded = false;
    const retained = administration.retained(filter, performance.now());
    void this.#walker.walk(retained, (one) => {
      if (one !== undefined && !isEnded) take({ ...one, retain: true });
    });
    return () => {
      isEnded = true;
      end();
    };
  }

  trace(
    options: TraceOptions,
    take: (packet: TracedPacket) => void,
    ended: (reason: string) => void,
  ): () => void {
    const trace = new PacketTrace(this.#parts.broker.administration, options, take, ended);
    return () => trace.end();
  }

  follow(node: string, request: NodeRequest, follower: StreamFollower): () => void {
    return this.#parts.cluster?.queries.follow(node, request, follower) ?? (() => undefined);
  }

  forgetNode(name: string): boolean {
    return this.#parts.cluster?.forget(name) ?? false;
  }

  contact(address: string, port: number): boolean {
    this.#parts.cluster?.contact({ address, port });
    return this.#parts.cluster !== undefined;
  }

  stop(): void {
    setTimeout(() => this.#parts.stop(), ANSWER_MS);
  }

  metrics(): Iterable<readonly [string, Metric, MetricValue]> {
    return this.#parts.broker.sys.metrics();
  }

  history() {
    const { samples, marks } = this.#parts.history;
    return { samples, marks };
  }

  config(): readonly OptionView[] {
    const config = this.#parts.config();
    const origins = this.#parts.source.origins();
    return (Object.keys(optionTable) as ConfigKey[]).map((key) => {
      const { flag, type, help }: AnyOption = optionTable[key];
      const value: unknown = config[key];
      const shown = value === undefined ? '' : type.format(value);
      const { source, place } = origins[key];
      return { flag, value: shown === '' ? '-' : shown, source, place, help };
    });
  }

  async setOption(option: string, value: string): Promise<OptionSet> {
    return this.#parts.source.set(option, value).catch(asProblem);
  }

  reportFault(error: unknown): void {
    const count = this.#limiter.admit('fault', performance.now());
    if (count === 0) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.log.error('a request over HTTP found a fault of this program', {
      error: text,
      count,
    });
  }
}

/** A version begins with the time of its write; before 2024 a clock was not set. */
function topicValueOf({
  qos,
  bytes,
  payload,
  version,
}: RetainedFacts & { version: string | undefined }): TopicView['value'] {
  const time = Number.parseInt(version ?? '', 10);
  const part = payload.subarray(0, PREVIEW_BYTES);
  // The cut may go through a character.
  const isText = isUtf8(part) || (bytes > PREVIEW_BYTES && isUtf8(part.subarray(0, -3)));
  return {
    qos,
    bytes,
    preview: isText ? part.toString('utf8').replace(/\ufffd+$/, '') : null,
    at: time > CLOCK_SET_AFTER ? time : null,
  };
}

function isFound({ id, user, address }: SessionFacts, wanted: string): boolean {
  return [id, user, address].some((one) => one?.toLowerCase().includes(wanted) === true);
}

/** Loss and blocked directions between this node and another one. */
function linksOf(name: string, links: readonly LinkFacts[]): Pick<NodeView, 'loss' | 'blocked'> {
  const loss: { in: number | null; out: number | null } = { in: null, out: null };
  const blocked: string[] = [];
  for (const { from, to, protocol, port, isBlocked, lossShare } of links) {
    const direction = from === name ? 'in' : to === name ? 'out' : undefined;
    if (direction === undefined) continue;
    if (isBlocked) blocked.push(`${direction} on ${protocol} ${port}`);
    if (lossShare !== undefined) loss[direction] = Number((lossShare * 100).toPrecision(3));
  }
  return { loss, blocked };
}
