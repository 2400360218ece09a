// A subscription of the program that embeds the node. It has a session of its own, with the queue and
// the bounds of a client's, and takes messages as they are, without packets. Its session ends with it.
// Invariant: the sink is called within an event of the core, so it must only take notes; what it has
// dealt with comes back through acknowledge() and drained().

import type { QoS } from '../../mqtt/publish-view.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import type { BrokerContext } from '../context.ts';
import type { Message } from '../message/message.ts';
import type { Publication } from '../message/publication.ts';
import type { Identity } from '../ports.ts';
import { filterPrice } from '../prices.ts';
import { RetainedFeeds } from '../retained/retained-feed.ts';
import type { Delivery } from '../session/delivery.ts';
import type { SessionConnection, SessionLink } from '../session/link.ts';
import { PROGRAM_PREFIX } from '../session/local-session.ts';
import type { Session } from '../session/session.ts';
import { type ParsedFilter, parseFilter } from './subscribe.ts';

/** Unacknowledged QoS 1 and 2 messages: it acknowledges within a turn, or else is full. */
const SEND_WINDOW = 10_000;

/** Where the messages of the subscription go. */
export interface InProcessSink {
  /** True while it takes no further message; InProcessSubscriber.drained() ends it. */
  readonly isFull: boolean;
  /** @param packetId 0 with QoS 0; else it comes back through InProcessSubscriber.acknowledge() */
  take(message: Message, qos: QoS, retain: boolean, packetId: number): void;
  /** The broker has ended the subscription. */
  ended(reason: string): void;
}

export interface InProcessSpec {
  /** Unique among the subscriptions of the program. */
  readonly name: string;
  /** A well-formed Topic Filter, or one of a Shared Subscription. */
  readonly filter: string;
  readonly qos: QoS;
  readonly withRetained: boolean;
  /** What the authorizer gets in Identity. */
  readonly grant: unknown;
  readonly sink: InProcessSink;
}

export class InProcessSubscriber implements SessionConnection, SessionLink {
  readonly sendWindow = SEND_WINDOW;
  readonly #context: BrokerContext;
  readonly #sink: InProcessSink;
  readonly #session: Session;
  readonly #feeds: RetainedFeeds;
  #isPumpDeferred = false;
  #isEnded = false;

  private constructor(context: BrokerContext, sink: InProcessSink, identity: Identity) {
    this.#context = context;
    this.#sink = sink;
    this.#feeds = new RetainedFeeds(context);
    const { clientId } = identity;
    const { session } = context.sessions.open(this, identity, clientId, true);
    context.sessions.markLocal(session);
    session.attach(this);
    context.sessions.persist(session);
    this.#session = session;
  }

  /** @returns the bound that it would exceed, or the Reason Code for its filter, if it is refused */
  static open(context: BrokerContext, spec: InProcessSpec): InProcessSubscriber | string | number {
    const { options, sessions, tree } = context;
    const { filter, sink, grant } = spec;
    const parsed = parseFilter(options, { filter, noLocal: false });
    if (typeof parsed === 'number') return parsed;
    const clientId = PROGRAM_PREFIX + spec.name;
    const identity = { clientId, username: undefined, grant };
    const bound = sessions.boundFor(identity, clientId, undefined);
    if (bound !== undefined) return bound;
    const subscriber = new InProcessSubscriber(context, sink, identity);
    const { account } = subscriber.#session.outbound;
    const full = tree.boundFor(parsed.filter, parsed.group, account);
    if (full === undefined) subscriber.#subscribe(parsed, spec);
    else subscriber.#end();
    return full ?? subscriber;
  }

  get link(): SessionLink {
    return this;
  }

  get congested(): boolean {
    return this.#sink.isFull;
  }

  /** Messages that wait because the sink is full. */
  get queued(): number {
    return this.#session.outbound.queued;
  }

  /** Messages that the queue had no room for. */
  get dropped(): number {
    return this.#session.outbound.dropped;
  }

  #subscribe(parsed: ParsedFilter, { filter, qos, withRetained }: InProcessSpec): void {
    const { sessions, retained, budget } = this.#context;
    const session = this.#session;
    budget.spend(filterPrice(filter));
    const options = { noLocal: false, retainAsPublished: false, identifiers: [] };
    const subscription = { subscriber: session.outbound, filter, qos, ...options };
    sessions.addSubscription(session, { subscription, ...parsed });
    if (!withRetained || parsed.group !== undefined) return;
    this.#feeds.add(subscription, retained.match(parsed.filter, budget.now));
    this.#pump();
  }

  sendQos0(publication: Publication, retain: boolean): void {
    const message = publication.message();
    this.#context.queueMemory.ownPayload(message);
    this.#sink.take(message, 0, retain, 0);
  }

  sendDelivery({ message, qos, retain, packetId }: Delivery): boolean {
    this.#context.queueMemory.ownPayload(message);
    this.#sink.take(message, qos, retain, packetId);
    return true;
  }

  /** The exchange of a QoS 2 message ends at once: both of its sides are in this process. */
  sendPubrel(packetId: number): void {
    this.#session.outbound.handlePubcomp(packetId);
  }

  continueLater(): void {
    if (this.#isPumpDeferred) return;
    this.#isPumpDeferred = true;
    this.#context.budget.defer(() => {
      this.#isPumpDeferred = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isEnded) return;
    this.#session.outbound.pump();
    if (!this.#feeds.pump(() => true)) this.continueLater();
  }

  /** The sink has dealt with a QoS 1 or 2 message. */
  acknowledge(qos: QoS, packetId: number, now: number): void {
    if (this.#isEnded) return;
    this.#context.budget.enter(now);
    const { outbound } = this.#session;
    if (qos === 1) outbound.handlePuback(packetId);
    else outbound.handlePubrec(packetId, ReasonCode.success);
  }

  /** The sink takes messages again. */
  drained(now: number): void {
    this.#context.budget.enter(now);
    this.#pump();
  }

  /** The program ends the subscription: what waits is dropped. */
  close(now: number): void {
    this.#context.budget.enter(now);
    this.#end();
  }

  disconnect(_reasonCode: number, reason: string): void {
    if (this.#isEnded) return;
    this.#end();
    this.#sink.ended(reason);
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#feeds.clear();
    this.#context.sessions.release(this.#session, false);
  }
}
