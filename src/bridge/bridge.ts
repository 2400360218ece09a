// A bridge: joins a session on this node with a session at another broker, the far side, of which it is
// an MQTT client. Packets pass through it with their Packet Identifiers, acknowledgements as well: what
// is in flight or queued is kept by the two sessions, and a bridge that is cut, killed or restarted has
// nothing of its own to lose.
// Knows no sockets and no broker (ports.ts); the time comes with every event.
//
//   from        to           when
//   off         connecting   start()
//   connecting  greeting     the transport is open, CONNECT is sent
//   greeting    connected    CONNACK accepts; the session on this node is attached
//   each        waiting      the connection is lost or refused
//   waiting     connecting   the pause is over
//   each        off          stop()

import {
  type ConnackPacket,
  decodeConnack,
  decodeServerDisconnect,
  decodeSuback,
  encodeClientDisconnect,
  encodeConnect,
  encodeNotice,
  encodeSubscribe,
  PINGREQ,
} from '../mqtt/client-packets.ts';
import { FirstByte, PacketType, packetTypeOf } from '../mqtt/packet-type.ts';
import { ProtocolError, protocolFault } from '../mqtt/protocol-fault.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import { isFailure, ReasonCode } from '../mqtt/reason-code.ts';
import { LogLimiter } from '../shared/log-limiter.ts';
import type { LogFields, Logger } from '../shared/logger.ts';
import type { BridgeCounters } from './counters.ts';
import { DropLog } from './drop-log.ts';
import { FarFramer } from './far-framer.ts';
import { ALIASES_MAX } from './incoming.ts';
import { Junction } from './junction.ts';
import { type BridgeAddress, type BridgeOptions, formatAddress, stateTopic } from './options.ts';
import type { BridgePort, FarOutbox } from './ports.ts';
import { describeCode } from './reason-text.ts';
import { Reconnect } from './reconnect.ts';
import { TopicMapper } from './topic-mapper.ts';

export type BridgeState = 'off' | 'connecting' | 'greeting' | 'connected' | 'waiting';

/** For CONNACK after the transport is open, and for the transport itself. */
const ANSWER_MS_MAX = 20_000;
/** Of the SUBSCRIBE with QoS 0. Messages use the identifiers from 1 upwards: these are hardly in use. */
const SUBSCRIBE_ID = 65_533;
const QOS_LEVELS = [0, 1, 2] as const;
const MQTT_VERSIONS = { 4: '3.1.1', 5: '5.0' } as const;
const SHORT_SUBACK = protocolFault('a SUBACK without a Packet Identifier');
const UNEXPECTED = protocolFault('a packet that a server does not send at this point');

/** What a page or a command shows of a bridge. */
export interface BridgeStatus {
  readonly state: BridgeState;
  /** Of the clock of the node, milliseconds. */
  readonly since: number;
  readonly address: BridgeAddress;
  /** Why it is not connected, or what the far side refuses; undefined if nothing is wrong. */
  readonly lastError: string | undefined;
  /** Begin of the outage, by the same clock; undefined while there is none. */
  readonly lostAt: number | undefined;
  /** Of the next attempt, by the same clock, while the bridge waits for it. */
  readonly retryAt: number | undefined;
  /** What the far side has granted, while it is connected. */
  readonly granted: ConnackPacket | undefined;
  readonly counters: Readonly<BridgeCounters>;
}

export interface BridgeParts {
  readonly options: BridgeOptions;
  readonly port: BridgePort;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly now: number;
  /** Counted in; they go on from a bridge that this one replaces. */
  readonly counters: BridgeCounters;
}

export class Bridge {
  readonly #options: BridgeOptions;
  readonly #port: BridgePort;
  readonly #log: Logger;
  readonly #limiter = new LogLimiter();
  readonly #reconnect: Reconnect;
  readonly #outgoing: TopicMapper;
  readonly #incoming: TopicMapper;
  readonly #counters: BridgeCounters;
  readonly #drops: DropLog;
  #state: BridgeState = 'off';
  #since: number;
  #lastError: string | undefined;
  /** Begin of an outage that has a line in the log, so that its end gets one. */
  #lostAt: number | undefined;
  #usesBridgeBit: boolean;
  /** The far side has ended what it had of a session before this one. */
  #hasBegunAnew = false;
  #far: FarOutbox | undefined;
  #framer: FarFramer;
  #granted: ConnackPacket | undefined;
  #junction: Junction | undefined;
  /** End of the pause, of the wait for an answer, or the next PINGREQ; by the state. */
  #deadline = Number.POSITIVE_INFINITY;
  #pingMs = Number.POSITIVE_INFINITY;
  #hasReceived = false;

  constructor({ options, port, log, random, now, counters }: BridgeParts) {
    this.#counters = counters;
    this.#options = options;
    this.#port = port;
    this.#log = log;
    this.#since = now;
    this.#reconnect = new Reconnect(options, random);
    this.#outgoing = TopicMapper.outgoing(options.topics);
    this.#incoming = TopicMapper.incoming(options.topics);
    this.#usesBridgeBit = options.version === 4 && options.tryPrivate;
    this.#framer = new FarFramer(options.version, options.packetBytesMax);
    this.#drops = new DropLog(this.#counters, (event, fields) =>
      this.#warn(event, `${event} ${fields.reason}`, fields, port.now),
    );
  }

  get status(): BridgeStatus {
    return {
      state: this.#state,
      since: this.#since,
      address: this.#reconnect.address,
      lastError: this.#lastError,
      lostAt: this.#lostAt,
      retryAt: this.#state === 'waiting' ? this.#deadline : undefined,
      granted: this.#granted,
      counters: this.#counters,
    };
  }

  /** Time of the next advance(); Infinity: none. */
  get nextDeadline(): number {
    return Math.min(this.#deadline, this.#junction?.deadline ?? Number.POSITIVE_INFINITY);
  }

  start(now: number): void {
    if (this.#state === 'off') this.#connect(now);
  }

  /** Ends the connection in good order; the session on this node goes on collecting. */
  stop(now: number): void {
    if (this.#state === 'off') return;
    this.#leave(now);
    this.#lostAt = undefined;
    this.#moveTo('off', Number.POSITIVE_INFINITY, now);
  }

  /** Connects anew at once, whatever pause is on. @returns false while the bridge is off */
  reconnect(now: number): boolean {
    if (this.#state === 'off') return false;
    this.#leave(now);
    this.#connect(now);
    return true;
  }

  #leave(now: number): void {
    if (this.#state === 'connected') {
      this.#announce('0');
      this.#write(encodeClientDisconnect(this.#options.version));
    }
    this.#endConnection(now);
  }

  advance(now: number): void {
    this.#junction?.advance(now);
    if (now < this.#deadline) return;
    if (this.#state === 'waiting') this.#connect(now);
    else if (this.#state === 'connected') this.#ping(now);
    else if (this.#state !== 'off') this.#fail('no answer in time', now);
  }

  runDeferred(now: number): void {
    this.#junction?.runDeferred(now);
  }

  #moveTo(state: BridgeState, deadline: number, now: number): void {
    if (state !== this.#state) this.#since = now;
    this.#state = state;
    this.#deadline = deadline;
    this.#port.deadlineChanged();
  }

  #connect(now: number): void {
    this.#moveTo('connecting', now + ANSWER_MS_MAX, now);
    this.#framer = new FarFramer(this.#options.version, this.#options.packetBytesMax);
    this.#far = this.#port.connect(this.#reconnect.address);
  }

  /** The transport is open. */
  farOpened(now: number): void {
    if (this.#state !== 'connecting') return;
    this.#moveTo('greeting', now + ANSWER_MS_MAX, now);
    const { notifications, name, ...options } = this.#options;
    const { inflightMax, packetBytesMax } = options;
    const will = {
      topic: stateTopic(name),
      payload: Buffer.from('0'),
      qos: 1,
      retain: true,
    } as const;
    const connect = encodeConnect({
      ...options,
      isBridge: this.#usesBridgeBit,
      bridgeName: name,
      cleanStart: options.cleanStart || this.#mustBeginAnew,
      will: notifications ? will : undefined,
      limits: {
        receiveMaximum: inflightMax,
        maximumPacketSize: packetBytesMax,
        topicAliasMaximum: ALIASES_MAX,
      },
    });
    this.#write(connect);
  }

  /**
   * The session on this node begins anew, and with it its Packet Identifiers: the far side must not
   * take a new QoS 2 message for one that it has of the session before.
   */
  get #mustBeginAnew(): boolean {
    const isExact = this.#options.topics.some(
      ({ qos, direction }) => qos === 2 && direction !== 'in',
    );
    return isExact && !this.#port.isSessionKnown && !this.#hasBegunAnew;
  }

  #write(packet: Buffer): void {
    this.#far?.write(packet, 0, packet.length);
  }

  /** Bytes of the far side. The core keeps views into `chunk`. */
  farReceived(chunk: Buffer, now: number): void {
    // Another program may answer with what looks like the begin of a long packet.
    if (this.#state === 'greeting' && !this.#framer.isHolding && chunk[0] !== FirstByte.connack) {
      this.#fail('it does not speak MQTT on that port', now);
      return;
    }
    this.#hasReceived = true;
    this.#framer.push(chunk);
    try {
      this.#handlePackets(now);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(`protocol error of the far side: ${error.fault.text}`, now);
    }
  }

  #handlePackets(now: number): void {
    const framer = this.#framer;
    while (this.#far !== undefined && framer === this.#framer) {
      const found = framer.next();
      if (found === false) return;
      if (found !== true) {
        if (!('topic' in found)) throw new ProtocolError(found);
        this.#junction?.incoming.skipped(found);
        continue;
      }
      const { buffer, start, bodyStart, end } = framer;
      if (this.#junction === undefined) this.#handleConnack(buffer, start, end, now);
      else this.#handlePacket(this.#junction, buffer, start, bodyStart, end, now);
    }
  }

  #handleConnack(buffer: Buffer, start: number, end: number, now: number): void {
    if (buffer[start] !== FirstByte.connack) throw new ProtocolError(UNEXPECTED);
    const connack = decodeConnack(buffer.subarray(start, end), this.#options.version);
    const { reasonCode, reasonString } = connack;
    if (reasonCode === ReasonCode.success) {
      const hadToBegin = this.#mustBeginAnew;
      this.#hasBegunAnew = true;
      if (hadToBegin && this.#isCleanForGood) this.#connectAgain(now);
      else this.#begin(connack, now);
      return;
    }
    const isOfBit = reasonCode === ReasonCode.unsupportedProtocolVersion && this.#usesBridgeBit;
    if (isOfBit) this.#usesBridgeBit = false;
    const hint = isOfBit ? '; the next attempt goes without the bridge bit' : '';
    this.#fail(`refused: ${describeCode(reasonCode, reasonString)}${hint}`, now);
  }

  /** Before MQTT 5 a session that begins anew also ends with its connection. */
  get #isCleanForGood(): boolean {
    return this.#options.version !== 5 && !this.#options.cleanStart;
  }

  #connectAgain(now: number): void {
    this.#write(encodeClientDisconnect(this.#options.version));
    this.#endConnection(now);
    this.#connect(now);
  }

  #begin(connack: ConnackPacket, now: number): void {
    const { version, inflightMax, keepAliveSeconds } = this.#options;
    const outage = this.#lostAt === undefined ? {} : { lostForMs: Math.round(now - this.#lostAt) };
    this.#lostAt = undefined;
    this.#lastError = undefined;
    this.#counters.connects += 1;
    const pingSeconds = connack.keepAliveSeconds ?? keepAliveSeconds;
    this.#pingMs = pingSeconds === 0 ? Number.POSITIVE_INFINITY : pingSeconds * 500;
    this.#moveTo('connected', now + this.#pingMs, now);
    this.#granted = connack;
    this.#outgoing.reset();
    const session = connack.sessionPresent ? 'resumed' : 'new';
    this.#log.info('bridge connected', {
      ...this.#fields,
      mqtt: MQTT_VERSIONS[version],
      session,
      ...outage,
    });
    if (!connack.sessionPresent) this.#port.forgetReceived();
    const far = this.#far!;
    const junction = new Junction(
      {
        options: this.#options,
        port: this.#port,
        far,
        limits: { ...connack, version },
        sendWindow: Math.min(connack.receiveMaximum, inflightMax),
        returnsOwn: version === 4 && !this.#usesBridgeBit,
        outgoing: this.#outgoing,
        incoming: this.#incoming,
        counters: this.#counters,
        localClosed: () =>
          this.#fail('this node has ended the session of the bridge', this.#port.now),
        drops: this.#drops,
      },
      now,
    );
    this.#junction = junction;
    this.#subscribe();
    this.#announce('1');
    this.#port.stateChanged(true);
    junction.begin(now, !connack.sessionPresent);
  }

  /** One SUBSCRIBE for each QoS. */
  #subscribe(): void {
    const { version } = this.#options;
    const options = { noLocal: true, retainAsPublished: true };
    for (const qos of QOS_LEVELS) {
      const filters = this.#filtersOf(qos);
      if (filters.length === 0) continue;
      const packetId = SUBSCRIBE_ID + qos;
      this.#write(encodeSubscribe(version, { packetId, filters, qos, ...options }));
    }
  }

  #filtersOf(qos: QoS): readonly string[] {
    return this.#incoming.subscriptions
      .filter((one) => one.qos === qos)
      .map(({ filter }) => filter);
  }

  /** The state of the connection, retained at the far side. */
  #announce(state: '0' | '1'): void {
    const { notifications, name, version } = this.#options;
    if (notifications) this.#write(encodeNotice(version, stateTopic(name), state));
  }

  #handlePacket(
    junction: Junction,
    buffer: Buffer,
    start: number,
    bodyStart: number,
    end: number,
    now: number,
  ): void {
    switch (packetTypeOf(buffer[start]!)) {
      case PacketType.publish:
        junction.incoming.publish(buffer, start, bodyStart, end, now);
        break;
      case PacketType.puback:
      case PacketType.pubrec:
      case PacketType.pubrel:
      case PacketType.pubcomp: {
        const code = junction.incoming.acknowledge(buffer, start, bodyStart, end, now);
        if (code > 0) this.#fail(`takes no messages: ${describeCode(code, undefined)}`, now);
        break;
      }
      case PacketType.pingresp:
        break;
      case PacketType.suback: {
        if (end - bodyStart < 2) throw new ProtocolError(SHORT_SUBACK);
        const granted = decodeSuback(buffer.subarray(start, end), this.#options.version);
        this.#handleSuback(buffer.readUInt16BE(bodyStart) - SUBSCRIBE_ID, granted);
        break;
      }
      case PacketType.disconnect: {
        const { reasonCode, reasonString } = decodeServerDisconnect(buffer.subarray(start, end));
        const reason = describeCode(reasonCode, reasonString);
        this.#fail(`the far side ends the connection: ${reason}`, now);
        break;
      }
      default:
        throw new ProtocolError(UNEXPECTED);
    }
  }

  #handleSuback(qos: number, granted: readonly number[]): void {
    for (const [index, filter] of this.#filtersOf(qos as QoS).entries()) {
      const code = granted[index] ?? ReasonCode.unspecifiedError;
      const fields = { ...this.#fields, topic: filter };
      if (isFailure(code)) {
        const reason = describeCode(code, undefined);
        this.#lastError = `the far side refuses the subscription to ${filter}: ${reason}`;
        this.#log.warn('bridge subscription refused', { ...fields, reason });
      } else if (code < qos) {
        this.#log.info('bridge subscription granted with a lower QoS', { ...fields, qos: code });
      }
    }
  }

  #ping(now: number): void {
    if (!this.#hasReceived) {
      this.#fail('nothing received for longer than the keep alive', now);
      return;
    }
    this.#hasReceived = false;
    this.#write(PINGREQ);
    this.#moveTo('connected', now + this.#pingMs, now);
  }

  farDrained(now: number): void {
    this.#junction?.farDrained(now);
  }

  /** The transport has ended, or could not be opened. @param reason in words */
  farClosed(reason: string, now: number): void {
    if (this.#far === undefined) return;
    this.#far = undefined;
    const { version, tryPrivate } = this.#options;
    if (this.#state !== 'greeting' || version === 5 || !tryPrivate) {
      this.#fail(reason, now);
      return;
    }
    // A server that does not know the bridge bit may close without a word.
    this.#usesBridgeBit = !this.#usesBridgeBit;
    const how = this.#usesBridgeBit ? 'with' : 'without';
    this.#fail(`${reason}; the next attempt goes ${how} the bridge bit`, now);
  }

  /** Ends the connection, if there is one, and pauses before the next. */
  #fail(reason: string, now: number): void {
    const wasConnected = this.#state === 'connected';
    const lastedMs = now - this.#since;
    this.#lastError = reason;
    this.#endConnection(now);
    if (!wasConnected) this.#counters.failures += 1;
    const pauseMs = Math.round(
      wasConnected ? this.#reconnect.lost(lastedMs) : this.#reconnect.failed(),
    );
    this.#moveTo('waiting', now + pauseMs, now);
    this.#lostAt ??= now;
    const event = wasConnected ? 'bridge lost' : 'bridge does not reach the far side';
    const fields = { reason, retryMs: pauseMs };
    if (wasConnected) this.#log.warn(event, { ...this.#fields, ...fields });
    else this.#warn(event, event, fields, now);
  }

  /** At most once a minute for each key. */
  #warn(event: string, key: string, fields: LogFields, now: number): void {
    const count = this.#limiter.admit(key, now);
    if (count > 0) this.#log.warn(event, { ...this.#fields, ...fields, count });
  }

  #endConnection(now: number): void {
    const far = this.#far;
    const junction = this.#junction;
    this.#far = undefined;
    this.#junction = undefined;
    this.#granted = undefined;
    this.#hasReceived = false;
    far?.close();
    junction?.end(now);
    if (junction !== undefined) this.#port.stateChanged(false);
  }

  get #fields() {
    return { bridge: this.#options.name, address: formatAddress(this.#reconnect.address) };
  }
}
