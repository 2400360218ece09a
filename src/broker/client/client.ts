// The broker's side of one connection: takes bytes, finds packets, and keeps its state (connection-state.ts). What
// a packet means is up to a PacketHandler (dispatch.ts); packet-sender.ts is the outgoing half.
// Invariant: nothing that a client sends throws out of receive(); at most it ends this connection.

import { Framer } from '../../mqtt/framer.ts';
import {
  FirstByte,
  PacketType,
  packetTypeOf,
  withPrescribedFlags,
} from '../../mqtt/packet-type.ts';
import { ProtocolError, type ProtocolFault } from '../../mqtt/protocol-fault.ts';
import type { ProtocolVersion } from '../../mqtt/publish-view.ts';
import { formatReasonCode, ReasonCode } from '../../mqtt/reason-code.ts';
import type { LogFields } from '../../shared/logger.ts';
import type { Listed } from '../../shared/swap-list.ts';
import type { BrokerContext } from '../context.ts';
import { connectionFields, formatVersion, originOf } from '../log-fields.ts';
import type { ConnectionInfo, ListenerRules, Outbox } from '../ports.ts';
import { bytesPrice, Price } from '../prices.ts';
import { ClientRates, type ListenerRates, noRates } from '../rate-limits.ts';
import { RetainedFeeds } from '../retained/retained-feed.ts';
import type { SessionConnection } from '../session/link.ts';
import type { Session } from '../session/session.ts';
import { ClientDeadlines } from './client-deadlines.ts';
import { CONNACK_MS_MAX, handleConnect, NOT_CONNECT, readConnect, refuseLate } from './connect.ts';
import { ConnectionMemory, chargeUnhandled } from './connection-memory.ts';
import { type ConnectionState, checkTransition } from './connection-state.ts';
import { type Continuation, runOf } from './continuation.ts';
import { disconnectPacket, refusalPacket } from './final-packets.ts';
import { HeldChunks } from './held-chunks.ts';
import { ANSWER_TOO_LARGE, oversizeFields, packetBytesTaken } from './oversize.ts';
import { PacketSender } from './packet-sender.ts';
import { ReceivedMessages } from './received-messages.ts';
import { mayServeRetained } from './retained-access.ts';
import { mustWait } from './store-backpressure.ts';
import type { InboundAliases } from './topic-aliases.ts';

/** Thousands of CONNECT packets may wait for the authorizer, each kept whole. */
const CONNECT_BYTES_MAX = 131_072;

export interface PacketHandler {
  dispatch(client: Client, buffer: Buffer, start: number, bodyStart: number, end: number): void;
}

export class Client implements SessionConnection, Listed {
  place: number | undefined;
  readonly info: ConnectionInfo;
  readonly listener: ListenerRules;
  readonly link: PacketSender;
  readonly memory: ConnectionMemory;
  readonly feeds: RetainedFeeds;
  readonly received: ReceivedMessages;
  readonly framer: Framer;
  bridge = false;
  /** A part of this node: it waits for the store where a client would be refused. */
  isLocal = false;
  isPaused = false;
  session: Session | undefined;
  /** What waits for the store; cleared at the end. */
  continuation: Continuation | undefined;
  requestProblemInformation = true;
  /** Time of the accepted CONNECT, milliseconds of the core's clock. */
  connectedAt = 0;
  publishReceived = 0;
  inboundAliases: InboundAliases | undefined;
  readonly #context: BrokerContext;
  readonly #handler: PacketHandler;
  readonly #outbox: Outbox;
  readonly #onEnd: (client: Client) => void;
  readonly #deadlines: ClientDeadlines;
  readonly #listenerRates: ListenerRates;
  #rates: ClientRates | undefined;
  #state: ConnectionState = 'waiting';
  #isPumpDeferred = false;
  /** Chunks that arrived while the connection was authenticating or suspended. */
  #held: HeldChunks | undefined;
  /** Packets that have arrived wait for a later turn. */
  #isYielding = false;
  /** What the transport keeps of a message that is not complete. */
  #transportBytes = 0;

  /** @param onEnd called once, when either side has ended the connection */
  constructor(
    context: BrokerContext,
    handler: PacketHandler,
    outbox: Outbox,
    info: ConnectionInfo,
    onEnd: (client: Client) => void,
  ) {
    this.#context = context;
    this.#handler = handler;
    this.#outbox = outbox;
    this.#onEnd = onEnd;
    this.info = info;
    this.listener = info.listener ?? { name: 'tcp' };
    this.#listenerRates = this.listener.rates ?? noRates;
    this.link = new PacketSender(outbox, context.stats, context.budget);
    this.received = new ReceivedMessages(this, context);
    this.memory = new ConnectionMemory(context.accounts);
    this.feeds = new RetainedFeeds(context);
    const packetBytesMax = Math.min(packetBytesTaken(context, this.listener), CONNECT_BYTES_MAX);
    this.framer = new Framer(packetBytesMax);
    this.#deadlines = new ClientDeadlines(context.deadlines, context.budget.now);
    const waitMs = context.options.connectTimeoutSeconds * 1000;
    this.#deadlines.awaitConnect(context.budget.now + waitMs, () => this.#connectTimeout());
  }

  get version(): ProtocolVersion {
    return this.link.version;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  get #isConnected(): boolean {
    return this.#state === 'connected';
  }

  keepAliveTimeout(): void {
    this.disconnect(ReasonCode.keepAliveTimeout, 'keep alive timeout', true);
  }

  /** Bytes from the network. The core keeps views into `chunk` and writes to it: its owner must not reuse it. */
  receive(chunk: Buffer, now: number): void {
    const { budget, stats } = this.#context;
    budget.enter(now);
    stats.bytesReceived += chunk.length;
    this.#deadlines.lastReceivedAt = now;
    if (this.#state === 'authenticating' || this.#state === 'suspended') {
      this.#hold(chunk);
      return;
    }
    if (chunk.length === 0) return;
    if (
      this.#state === 'waiting' &&
      !this.framer.isHolding &&
      packetTypeOf(chunk[0]!) !== PacketType.connect
    ) {
      // Another protocol: waiting for the length that it seems to announce would be useless.
      this.fail(NOT_CONNECT);
      return;
    }
    this.framer.push(chunk);
    this.#guard(() => this.#processFrames());
  }

  /** The transport keeps so many bytes of what has begun: they count as those that the framer keeps. */
  transportHolds(bytes: number, now: number): void {
    this.#context.budget.enter(now);
    this.#transportBytes = bytes;
    if (this.#state !== 'closed') this.#chargeUnhandled();
  }

  #chargeUnhandled(): void {
    const bytes = this.framer.heldBytes + this.#transportBytes + (this.#held?.bytes ?? 0);
    chargeUnhandled(this.#context, this, bytes);
  }

  /** The client reads again: sends what waited for it. */
  drained(now: number): void {
    this.#context.budget.enter(now);
    this.pump();
  }

  /** The transport ended without a DISCONNECT: the will is due [MQTT5-3.1.2-8]. */
  disconnected(now: number): void {
    this.#context.budget.enter(now);
    this.#lost();
  }

  #lost(): void {
    const { budget } = this.#context;
    if (this.#state === 'closed') return;
    // Thousands may be lost at once; and packets that wait for their turn came before, perhaps a DISCONNECT.
    if (budget.isTurnSpent || this.#isYielding) {
      budget.defer(() => this.#lost());
      return;
    }
    if (this.session === undefined) {
      this.#context.log.debug('connection lost before CONNACK', originOf(this.info));
    }
    this.end(true, 'connection lost');
  }

  #moveTo(next: ConnectionState): void {
    checkTransition(this.#state, next);
    this.#state = next;
  }

  #hold(chunk: Buffer): void {
    const isPing = chunk.length === 2 && chunk[0] === FirstByte.pingreq && chunk[1] === 0;
    if (isPing && !this.isPaused) {
      this.link.sendPingresp();
      return;
    }
    this.#pauseReading();
    this.#held ??= new HeldChunks();
    this.#held.push(chunk);
    this.#chargeUnhandled();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(error.fault);
    }
    this.#chargeUnhandled();
  }

  #processFrames(): void {
    const framer = this.framer;
    const { budget, stats } = this.#context;
    while (this.#state === 'waiting' || this.#state === 'connected') {
      if (budget.isSpent && !framer.isDrained) {
        this.#yieldTurn(() => undefined);
        return;
      }
      const found = framer.next();
      if (found === false) return;
      if (found !== true) {
        this.fail(found, oversizeFields(framer));
        return;
      }
      stats.packetsReceived += 1;
      budget.spend(Price.packet + bytesPrice(framer.end - framer.start));
      const waitMs = this.#listenerRates.isLimited ? this.#chargeRates() : 0;
      if (waitMs > 0) {
        this.#slow(waitMs, framer.buffer, framer.start, framer.bodyStart, framer.end);
        return;
      }
      this.#handlePacket(framer.buffer, framer.start, framer.bodyStart, framer.end);
    }
  }

  /** @returns how long the packet has to wait, milliseconds */
  #chargeRates(): number {
    if (this.#state !== 'connected') return 0;
    const { buffer, start, end } = this.framer;
    this.#rates ??= new ClientRates(this.#listenerRates);
    return this.#rates.charge(buffer[start]!, end - start, this.#context.budget.now);
  }

  /** The client is over a rate: its packet waits, and nothing more is read from it. */
  #slow(waitMs: number, buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const { budget, slowed } = this.#context;
    slowed.report(this, () => connectionFields(this), budget.now);
    this.#moveTo('suspended');
    this.#pauseReading();
    this.#deadlines.slow(budget.now + waitMs, () =>
      this.#continue(() => this.#handlePacket(buffer, start, bodyStart, end)),
    );
  }

  #handlePacket(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    if (this.#state === 'waiting') {
      this.#handleConnect(buffer, start, bodyStart, end);
      return;
    }
    let first = buffer[start]!;
    // MQTT 3.1 does not use the flags of these packets, or they only say that the packet is repeated.
    if (this.version === 3 && packetTypeOf(first) !== PacketType.publish) {
      first = buffer[start] = withPrescribedFlags(first);
    }
    const context = this.#context;
    if (context.store.durable && mustWait(first, context, this)) {
      this.#suspendPacket(buffer, start, bodyStart, end);
    } else {
      this.#handler.dispatch(this, buffer, start, bodyStart, end);
    }
  }

  /** Apart from #handlePacket(), which must not allocate a closure's scope for every packet. */
  #suspendPacket(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    this.#suspend(() => {
      // Thousands may have waited with this one, and the first of them filled the store again.
      if (this.#context.store.congested) this.#suspendPacket(buffer, start, bodyStart, end);
      else this.#handler.dispatch(this, buffer, start, bodyStart, end);
    });
  }

  #handleConnect(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const packet = readConnect(this, this.framer, buffer, start, bodyStart, end);
    const { budget } = this.#context;
    const late = () => refuseLate(this.#context, this, packet);
    this.#deadlines.awaitAnswer(budget.now + CONNACK_MS_MAX, late);
    budget.spend(Price.connect);
    this.#moveTo('authenticating');
    handleConnect(this.#context, this, packet);
    if (this.#state === 'authenticating') this.#pauseReading();
  }

  /** The client is accepted: attaches the session and begins the Keep Alive. */
  connected(
    session: Session,
    limits: { keepAliveSeconds: number; topicAliasMaximum: number },
  ): void {
    const { budget, stats, log, sessions, events } = this.#context;
    this.session = session;
    this.memory.begin(session.outbound.account);
    this.#moveTo('connected');
    this.framer.packetBytesMax = packetBytesTaken(this.#context, this.listener);
    this.link.useAliases(limits.topicAliasMaximum, this.memory);
    this.#deadlines.lastReceivedAt = budget.now;
    this.connectedAt = budget.now;
    this.#deadlines.keepAlive(limits.keepAliveSeconds, this);
    this.link.backlog = this;
    session.attach(this);
    log.info('client connected', connectionFields(this, 'mqtt', formatVersion(this.version)));
    if (!this.isLocal) {
      stats.clientConnected();
      events?.connected(session.identity);
    }
    sessions.persist(session);
  }

  /** Connects a part of this node, which sends no CONNECT and needs no permission. */
  connectLocally(session: Session, sendWindow: number): void {
    this.#moveTo('authenticating');
    this.isLocal = this.bridge = true;
    this.link.version = 5;
    if (this.link.outbox.takesProperties !== false) this.link.useHops(this.#context.hops);
    this.link.sendWindow = sendWindow;
    this.connected(session, { keepAliveSeconds: 0, topicAliasMaximum: 0 });
  }

  /** Disconnects the client after this time, in milliseconds (token expiry). */
  expireAfter(ms: number): void {
    if (this.#state === 'closed') return;
    this.#deadlines.expire(this.#context.budget.now + ms, () =>
      this.disconnect(ReasonCode.maximumConnectTime, 'the authentication has expired', true),
    );
  }

  /** Delays this packet and all later ones until the store has made earlier changes durable. */
  #suspend(handle: () => void): void {
    this.suspend();
    const continuation: Continuation = { run: (now) => this.resume(handle, now) };
    this.continuation = continuation;
    const { store } = this.#context;
    if (store.whenDurable(runOf(continuation)) === 'durable') this.#continue(handle);
  }

  /** The packet at hand waits, and all later ones with it, until resume(). */
  suspend(): void {
    this.#moveTo('suspended');
    // The broker reads until more bytes arrive: it answers PINGREQ and notices the end of the client.
    if (!this.framer.isDrained || this.#held?.length) this.#pauseReading();
  }

  /** @param handle handles the packet that has waited; not called if the connection has ended */
  resume(handle: () => void, now: number): void {
    this.#context.budget.resume(now);
    this.#continue(handle);
  }

  #pauseReading(): void {
    this.isPaused = true;
    this.#outbox.pauseReading();
  }

  /** Gives the other clients their turn before the rest of this one's packets. */
  #yieldTurn(handle: () => void): void {
    this.#moveTo('suspended');
    this.#pauseReading();
    this.#isYielding = true;
    this.#context.budget.defer(() => {
      this.#isYielding = false;
      this.#continue(handle);
    });
  }

  #continue(handle: () => void): void {
    if (this.#state !== 'suspended') return;
    this.#moveTo('connected');
    this.#guard(handle);
    if (!this.#isConnected) return;
    this.readHeld();
    this.pump();
  }

  /** Handles the items of one packet, in as many turns as they need. */
  inTurns<T>(items: readonly T[], handle: (item: T) => void, done: () => void, from = 0): void {
    for (let i = from; i < items.length; i++) {
      if (i > from && this.#context.budget.isSpent) {
        this.#yieldTurn(() => this.inTurns(items, handle, done, i));
        return;
      }
      handle(items[i]!);
    }
    done();
  }

  /** Handles the bytes that arrived while it waited, for the authorizer or the store. */
  readHeld(): void {
    this.isPaused = false;
    this.#outbox.resumeReading();
    this.#deadlines.lastReceivedAt = this.#context.budget.now;
    this.#guard(() => {
      this.#processFrames();
      while (this.#state === 'connected') {
        const chunk = this.#held?.shift();
        if (chunk === undefined) return;
        this.framer.push(chunk);
        this.#processFrames();
      }
    });
  }

  /** Queues an encoded control packet; one that the client cannot take ends the connection [MQTT5-3.1.2-24]. */
  sendControl(packet: Buffer): void {
    if (this.#state === 'closed') return;
    if (packet.length > this.link.packetBytesMax) this.fail(ANSWER_TOO_LARGE);
    else this.link.send(packet);
  }

  /** Sends queued messages, and retained ones of new subscriptions once no packet of the client waits. */
  pump(): void {
    const { session } = this;
    if (session === undefined || this.#state === 'closed') return;
    session.outbound.pump();
    if (!this.#isConnected) return;
    const { identity } = session;
    const isDone = this.feeds.pump((kept) => mayServeRetained(this.#context, identity, kept));
    if (!isDone) this.deferPump();
  }

  deferPump(): void {
    if (this.#isPumpDeferred) return;
    this.#isPumpDeferred = true;
    this.#context.budget.defer(() => {
      this.#isPumpDeferred = false;
      this.pump();
    });
  }

  /** Ends the connection for a fault of the client: with a Reason Code in MQTT 5, silently before. */
  fail(fault: ProtocolFault, fields: LogFields = {}): void {
    if (this.#state === 'closed') return;
    this.#context.stats.protocolErrors += 1;
    this.#context.log.info('client fault', {
      client: this.session?.clientId,
      ...originOf(this.info),
      reason: fault.text,
      code: formatReasonCode(fault.reasonCode),
      ...fields,
    });
    const isConnected = this.#state === 'connected' || this.#state === 'suspended';
    if (isConnected) this.disconnect(fault.reasonCode, fault.text, true);
    else this.refuse(fault.reasonCode);
  }

  /** Sends CONNACK with an error and ends the connection. */
  refuse(reasonCode: number): void {
    this.#context.stats.connectionsRefused += 1;
    const packet = refusalPacket(this.version, this.#state, reasonCode);
    if (packet !== undefined && packet.length <= this.link.packetBytesMax) this.link.send(packet);
    this.end(false, 'refused');
  }

  disconnect(reasonCode: number, reason: string, withWill: boolean): void {
    if (this.#state === 'closed') return;
    if (this.version === 5) {
      const text = this.requestProblemInformation ? reason : undefined;
      this.link.send(disconnectPacket(reasonCode, text, this.link.packetBytesMax));
    }
    this.end(withWill, reason);
  }

  /** Ends the connection without a further packet. @param reason for the log @param clientHasLeft by DISCONNECT */
  end(withWill: boolean, reason: string, clientHasLeft = false): void {
    this.#moveTo('closed');
    this.#deadlines.stop();
    this.#held = undefined;
    this.memory.end();
    this.feeds.clear();
    if (this.continuation !== undefined) this.continuation.run = undefined;
    this.#outbox.tap?.closed(reason);
    this.#outbox.close(clientHasLeft);
    this.#onEnd(this);
    const { session } = this;
    if (session?.connection !== this) return;
    const { stats, budget, log, sessions, events } = this.#context;
    budget.spend(Price.disconnect);
    log.info('client disconnected', connectionFields(this, 'reason', reason));
    if (!this.isLocal) {
      stats.clientsConnected -= 1;
      events?.disconnected(session.identity, reason);
    }
    sessions.release(session, withWill);
  }

  #connectTimeout(): void {
    this.#context.log.info('connect timeout', originOf(this.info));
    this.end(false, 'connect timeout');
  }
}
