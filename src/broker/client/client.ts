// The broker's side of one connection: takes bytes, finds packets, keeps the connection's own state
// (aliases, turns, what is unfinished). What a packet means for sessions and subscriptions stands in
// connect.ts, publish.ts, acknowledge.ts, subscribe.ts.
// Invariant: nothing that a client sends throws out of receive(); it ends this connection at most.

import {
  checkAuth,
  decodeConnect,
  decodeDisconnect,
  decodeSubscribe,
  decodeUnsubscribe,
} from '../../mqtt/control-decoder.ts';
import { encodeConnack, encodeDisconnect, PINGRESP } from '../../mqtt/control-encoder.ts';
import { peekConnectVersion } from '../../mqtt/frame-check.ts';
import { Framer } from '../../mqtt/framer.ts';
import {
  FirstByte,
  isServerPacket,
  PacketType,
  packetTypeOf,
  withPrescribedFlags,
} from '../../mqtt/packet-type.ts';
import {
  malformed,
  ProtocolError,
  type ProtocolFault,
  protocolFault,
} from '../../mqtt/protocol-fault.ts';
import { formatReasonCode, isFailure, ReasonCode } from '../../mqtt/reason-code.ts';
import type { Broker } from '../broker.ts';
import { originOf } from '../log-fields.ts';
import type { ConnectionInfo, ListenerRules, Outbox } from '../ports.ts';
import { RetainedFeeds } from '../retained/retained-feed.ts';
import { PacketIdSet } from '../session/packet-id-set.ts';
import type { Session } from '../session/session.ts';
import { WORK_A_TURN } from '../work-budget.ts';
import { handleAck } from './acknowledge.ts';
import { ClientDeadlines } from './client-deadlines.ts';
import { handleConnect } from './connect.ts';
import { ClientOutput } from './packet-sender.ts';
import { mustWait } from './store-backpressure.ts';
import { handleSubscribe, handleUnsubscribe } from './subscribe.ts';
import { type InboundAliases, OutboundAliases } from './topic-aliases.ts';

const NOT_CONNECT = protocolFault('the first packet is not CONNECT');
const ANSWER_TOO_LARGE: ProtocolFault = {
  reasonCode: ReasonCode.packetTooLarge,
  text: 'the answer is larger than the Maximum Packet Size of the client',
};
const SECOND_CONNECT = protocolFault('a second CONNECT');
const UNKNOWN_PACKET = malformed('a packet type or fixed header flags that MQTT does not define');
const SERVER_PACKET = protocolFault('a packet type that only a server sends');
const PADDED_LENGTH = malformed('the Remaining Length has more bytes than needed');
/** Thousands of CONNECTs may wait for the authorizer, each kept whole. */
const CONNECT_BYTES_MAX = 131_072;

interface Waiting {
  goOn: (() => void) | undefined;
}

type State = 'waiting' | 'authenticating' | 'connected' | 'suspended' | 'closed';

export class Client extends ClientOutput {
  readonly info: ConnectionInfo;
  readonly listener: ListenerRules;
  bridge = false;
  session: Session | undefined;
  requestProblemInformation = true;
  inbound: InboundAliases | undefined;
  readonly #framer: Framer;
  #state: State = 'waiting';
  #feeds: RetainedFeeds | undefined;
  #isPumpDeferred = false;
  /** Chunks that came while the authorizer was thinking, or a packet waited. */
  #held: Buffer[] | undefined;
  #isPaused = false;
  /** What goes on when the store has room; whoever is gone leaves nothing of itself there. */
  #waiting: Waiting | undefined;
  readonly #deadlines: ClientDeadlines;
  /** QoS 1 and 2 messages received on this connection and not yet finished. */
  #unfinished: PacketIdSet | undefined;

  constructor(broker: Broker, outbox: Outbox, info: ConnectionInfo, now: number) {
    super(broker, outbox);
    this.info = info;
    this.listener = info.listener ?? { name: 'tcp' };
    this.#framer = new Framer(Math.min(this.#packetBytesTaken, CONNECT_BYTES_MAX));
    this.#deadlines = new ClientDeadlines(broker.deadlines, now);
    const waitMs = broker.options.connectTimeoutSeconds * 1000;
    this.#deadlines.awaitConnect(now + waitMs, () => this.#connectTimeout());
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** Bytes from the network. The core keeps views into `chunk`: don't reuse it. */
  receive(chunk: Buffer, now: number): void {
    this.broker.now = now;
    this.broker.stats.bytesReceived += chunk.length;
    this.#deadlines.lastReceivedAt = now;
    if (this.#state === 'authenticating' || this.#state === 'suspended') {
      const isPing = chunk.length === 2 && chunk[0] === FirstByte.pingreq && chunk[1] === 0;
      if (isPing && !this.#isPaused) {
        this.send(PINGRESP);
        return;
      }
      this.#pauseReading();
      this.#held ??= [];
      this.#held.push(chunk);
      return;
    }
    if (chunk.length === 0) return;
    if (
      this.#state === 'waiting' &&
      !this.#framer.isHolding &&
      packetTypeOf(chunk[0]!) !== PacketType.connect
    ) {
      // Another protocol: its lengths mean nothing, so nothing of it is waited for.
      this.fail(NOT_CONNECT);
      return;
    }
    this.broker.workLeft = WORK_A_TURN;
    this.#framer.push(chunk);
    this.#guard(() => this.#processFrames());
  }

  /** The client takes bytes again: what waited for it goes out. */
  drained(now: number): void {
    this.broker.now = now;
    this.broker.workLeft = WORK_A_TURN;
    this.pump();
  }

  /** The transport ended without our doing: the will is due [MQTT5-3.1.2-8]. */
  disconnected(now: number): void {
    this.broker.now = now;
    this.broker.workLeft = WORK_A_TURN;
    if (this.#state === 'closed') return;
    if (this.session === undefined) {
      this.broker.log.debug('connection lost before CONNACK', originOf(this.info));
    }
    this.#end(true, 'connection lost');
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(error.fault);
    }
  }

  #processFrames(): void {
    const framer = this.#framer;
    while (this.#state === 'waiting' || this.#state === 'connected') {
      if (this.broker.workLeft <= 0) {
        this.#yieldTurn(() => undefined);
        return;
      }
      const found = framer.next();
      if (found === false) return;
      if (found !== true) throw new ProtocolError(found);
      this.broker.stats.packetsReceived += 1;
      this.#handlePacket(framer.buffer, framer.start, framer.bodyStart, framer.end);
    }
  }

  #handlePacket(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    let first = buffer[start]!;
    if (this.#state === 'waiting') {
      this.#handleConnect(buffer, start, bodyStart, end);
      return;
    }
    // In MQTT 3.1 the flags of these packets are not used, or only say that the packet is repeated.
    if (this.version === 3 && packetTypeOf(first) !== PacketType.publish) {
      first = buffer[start] = withPrescribedFlags(first);
    }
    if (this.broker.store.durable && mustWait(first, this.broker, this)) {
      this.#suspend(() => this.#dispatch(buffer, start, bodyStart, end));
    } else {
      this.#dispatch(buffer, start, bodyStart, end);
    }
  }

  #dispatch(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const first = buffer[start]!;
    if (packetTypeOf(first) === PacketType.publish) {
      const fault = this.broker.publisher.handlePublish(this, buffer, start, bodyStart, end);
      if (fault !== undefined) throw new ProtocolError(fault);
      return;
    }
    switch (first) {
      case FirstByte.puback:
      case FirstByte.pubrec:
      case FirstByte.pubrel:
      case FirstByte.pubcomp:
        handleAck(this, first, buffer, start, bodyStart, end);
        if (this.#feeds !== undefined) this.pump();
        break;
      case FirstByte.pingreq:
        if (end !== bodyStart) throw new ProtocolError(malformed('PINGREQ with a body'));
        this.send(PINGRESP);
        break;
      case FirstByte.subscribe:
        handleSubscribe(
          this.broker,
          this,
          decodeSubscribe(buffer, start, bodyStart, end, this.version),
        );
        break;
      case FirstByte.unsubscribe:
        handleUnsubscribe(
          this.broker,
          this,
          decodeUnsubscribe(buffer, start, bodyStart, end, this.version),
        );
        break;
      case FirstByte.disconnect:
        this.#handleDisconnect(buffer, start, bodyStart, end);
        break;
      case FirstByte.auth:
        if (this.version !== 5) throw new ProtocolError(UNKNOWN_PACKET);
        checkAuth(buffer, bodyStart, end, this.version);
        throw new ProtocolError(protocolFault('AUTH without an authentication method'));
      case FirstByte.connect:
        throw new ProtocolError(SECOND_CONNECT);
      default:
        throw new ProtocolError(isServerPacket(first) ? SERVER_PACKET : UNKNOWN_PACKET);
    }
  }

  #handleConnect(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const version = peekConnectVersion(buffer, bodyStart, end);
    this.version = version === 5 ? 5 : version === 3 ? 3 : 4;
    if (this.version === 3) buffer[start] = FirstByte.connect;
    else if (buffer[start] !== FirstByte.connect) throw new ProtocolError(NOT_CONNECT);
    if (this.version === 5 && this.#framer.isLengthPadded) throw new ProtocolError(PADDED_LENGTH);
    this.#framer.allowsPadding = this.version !== 5;
    const packet = decodeConnect(buffer, start, bodyStart, end);
    this.#deadlines.connectCame();
    this.#state = 'authenticating';
    handleConnect(this.broker, this, packet);
    if (this.#state === 'authenticating') this.#pauseReading();
  }

  /** Largest packet that is taken from the client once it is in. */
  get #packetBytesTaken(): number {
    return this.listener.packetBytesMax ?? this.broker.options.packetBytesMax;
  }

  /** The authorizer let the client in and the session is attached. */
  connected(
    session: Session,
    limits: { keepAliveSeconds: number; topicAliasMaximum: number },
  ): void {
    this.session = session;
    this.#state = 'connected';
    this.#framer.packetBytesMax = this.#packetBytesTaken;
    if (limits.topicAliasMaximum > 0) {
      this.aliases = new OutboundAliases(limits.topicAliasMaximum);
    }
    this.#deadlines.lastReceivedAt = this.broker.now;
    this.#deadlines.keepAlive(
      limits.keepAliveSeconds,
      () => this.#isPaused,
      () => this.disconnect(ReasonCode.keepAliveTimeout, 'keep alive timeout', true),
    );
  }

  /** The right to be connected ends then. */
  expireAfter(ms: number): void {
    if (this.#state === 'closed') return;
    this.#deadlines.expire(this.broker.now + ms, () =>
      this.disconnect(ReasonCode.maximumConnectTime, 'the authentication has expired', true),
    );
  }

  /** Leaves this packet, and all behind it, until what the store was told is safe. */
  #suspend(handle: () => void): void {
    this.#state = 'suspended';
    // While it has said nothing more its PINGREQs are answered, and its end is noticed.
    if (!this.#framer.isDrained || this.#held?.length) this.#pauseReading();
    this.#waiting = {
      goOn: () => {
        this.broker.workLeft = WORK_A_TURN;
        this.#goOn(handle);
      },
    };
    this.broker.store.whenDurable(whatIsLeft(this.#waiting));
  }

  #pauseReading(): void {
    this.#isPaused = true;
    this.outbox.pauseReading();
  }

  /** Lets the other clients have their turn before the rest of what this one sent. */
  #yieldTurn(handle: () => void): void {
    this.#state = 'suspended';
    this.#pauseReading();
    this.broker.defer(() => this.#goOn(handle));
  }

  #goOn(handle: () => void): void {
    if (this.#state !== 'suspended') return;
    this.#state = 'connected';
    this.#guard(handle);
    if (this.#state !== 'connected') return;
    this.#readOn();
    this.pump();
  }

  /** Handles the items of one packet, with pauses where they are more than a turn's work. */
  inTurns<T>(items: readonly T[], handle: (item: T) => void, done: () => void, from = 0): void {
    for (let i = from; i < items.length; i++) {
      if (i > from && this.broker.workLeft <= 0) {
        this.#yieldTurn(() => this.inTurns(items, handle, done, i));
        return;
      }
      handle(items[i]!);
    }
    done();
  }

  /** Goes on with what came while the authorizer was thinking. */
  resume(): void {
    this.broker.workLeft = WORK_A_TURN;
    this.#readOn();
  }

  #readOn(): void {
    this.#isPaused = false;
    this.outbox.resumeReading();
    this.#deadlines.lastReceivedAt = this.broker.now;
    this.#guard(() => {
      this.#processFrames();
      while (this.#state === 'connected') {
        const chunk = this.#held?.shift();
        if (chunk === undefined) return;
        this.#framer.push(chunk);
        this.#processFrames();
      }
    });
  }

  #handleDisconnect(buffer: Buffer, start: number, bodyStart: number, end: number): void {
    const packet = decodeDisconnect(buffer, start, bodyStart, end, this.version);
    const session = this.session!;
    const expiry = packet.sessionExpirySeconds;
    if (expiry !== undefined) {
      // [MQTT5-3.1.2.11.2] a session that was to end at once can't be prolonged now.
      if (expiry > 0 && session.expirySeconds === 0) {
        throw new ProtocolError(protocolFault('Session Expiry Interval set where it was zero'));
      }
      session.expirySeconds = this.broker.boundedExpiry(expiry);
    }
    // Only a normal DISCONNECT takes the will back [MQTT5-3.14.4-3].
    const isNormal = packet.reasonCode === ReasonCode.normalDisconnection;
    this.#end(
      !isNormal,
      isNormal ? 'DISCONNECT' : `DISCONNECT ${formatReasonCode(packet.reasonCode)}`,
    );
  }

  get unfinished(): number {
    return this.#unfinished?.size ?? 0;
  }

  /** Counts a QoS 1 or 2 message; false beyond our Receive Maximum [MQTT5-3.3.4-9]. */
  begin(packetId: number): boolean {
    this.#unfinished ??= new PacketIdSet();
    this.#unfinished.add(packetId);
    return this.version !== 5 || this.#unfinished.size <= this.broker.options.receiveMaximum;
  }

  /**
   * Acknowledges once what it stands for is safe. PUBACK, PUBCOMP and a PUBREC with an error end
   * the exchange and give the client its place in the window back.
   */
  acknowledge(header: number, packetId: number, reasonCode: number): void {
    const { store } = this.broker;
    // Of a session that is not kept, a PUBCOMP stands for nothing that is.
    if (store.durable && (header !== FirstByte.pubcomp || this.session?.saved)) {
      const done = (): void => this.#finish(header, packetId, reasonCode);
      // Only MQTT 5 can be told. A QoS 2 message that was taken can't be given back: it has gone on
      // to subscribers, and a second time would be once too often.
      const isTold = header === FirstByte.puback || (isFailure(reasonCode) && !store.accepting);
      const refuse = (): void => this.#finish(header, packetId, ReasonCode.quotaExceeded);
      store.whenDurable(done, this.version === 5 && isTold ? refuse : undefined);
    } else {
      this.#finish(header, packetId, reasonCode);
    }
  }

  #finish(header: number, packetId: number, reasonCode: number): void {
    if (this.#state === 'closed') return;
    if (header !== FirstByte.pubrec || isFailure(reasonCode)) this.#unfinished?.delete(packetId);
    this.sendAck(header, packetId, reasonCode);
  }

  /** Queues a packet made by a control encoder. One that the client can't take ends it [MQTT5-3.1.2-24]. */
  sendControl(packet: Buffer): void {
    if (this.#state === 'closed') return;
    if (packet.length > this.packetBytesMax) this.fail(ANSWER_TOO_LARGE);
    else this.send(packet);
  }

  get feeds(): RetainedFeeds {
    this.#feeds ??= new RetainedFeeds(this.broker);
    return this.#feeds;
  }

  /** Sends what waits for the client: queued messages, then retained ones of new subscriptions. */
  pump(): void {
    const { session } = this;
    if (session === undefined || this.#state !== 'connected') return;
    session.pump();
    const { authorizer } = this.broker;
    const isDone = this.#feeds?.pump(
      session,
      (topic) => authorizer.permissive || authorizer.mayReceive(session.identity, topic),
    );
    if (isDone === false) this.#pumpLater();
  }

  #pumpLater(): void {
    if (this.#isPumpDeferred) return;
    this.#isPumpDeferred = true;
    this.broker.defer(() => {
      this.#isPumpDeferred = false;
      this.pump();
    });
  }

  /** Ends the connection for a fault of the client's: with a reason in MQTT 5, silently before. */
  fail(fault: ProtocolFault): void {
    if (this.#state === 'closed') return;
    this.broker.stats.protocolErrors += 1;
    this.broker.log.info('client fault', {
      client: this.session?.clientId,
      ...originOf(this.info),
      reason: fault.text,
      code: formatReasonCode(fault.reasonCode),
    });
    if (this.#state === 'connected') this.disconnect(fault.reasonCode, fault.text, true);
    else this.refuse(fault.reasonCode);
  }

  /** CONNACK with an error, then the end. A CONNECT of no known version is not answered in MQTT 5's form. */
  refuse(reasonCode: number): void {
    this.broker.stats.connectionsRefused += 1;
    const answerable =
      this.#state === 'authenticating' ||
      this.version === 5 ||
      reasonCode === ReasonCode.unsupportedProtocolVersion;
    const packet = encodeConnack(this.version, reasonCode, false, {});
    if (answerable && packet.length <= this.packetBytesMax) this.send(packet);
    this.#end(false, 'refused');
  }

  /** DISCONNECT with a reason (MQTT 5), then the end. */
  disconnect(reasonCode: number, reason: string, withWill: boolean): void {
    if (this.#state === 'closed') return;
    if (this.version === 5) {
      const text = this.requestProblemInformation ? reason : undefined;
      const packet = encodeDisconnect(reasonCode, text);
      const fits = packet.length <= this.packetBytesMax;
      this.send(fits ? packet : encodeDisconnect(reasonCode, undefined));
    }
    this.#end(withWill, reason);
  }

  #end(withWill: boolean, reason: string): void {
    this.#state = 'closed';
    this.#deadlines.stop();
    this.#held = undefined;
    this.#feeds = undefined;
    if (this.#waiting !== undefined) this.#waiting.goOn = undefined;
    this.outbox.close();
    this.broker.clientEnded(this, withWill, reason);
  }

  #connectTimeout(): void {
    if (this.#state !== 'waiting') return;
    this.broker.log.info('connect timeout', originOf(this.info));
    this.#end(false, 'connect timeout');
  }
}

/** Apart, for a function holds all that those beside it need. */
function whatIsLeft(waiting: Waiting): () => void {
  return () => waiting.goOn?.();
}
