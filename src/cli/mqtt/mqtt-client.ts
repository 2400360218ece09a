// An MQTT client for the commands, made of the broker's own codec (src/mqtt): connects, publishes with
// every QoS, subscribes, acknowledges what arrives. Does not reconnect: a command that loses its broker
// says so and ends. Invariants: at most as many publishes await an acknowledgement as the server allows,
// and a promise of this client is settled at the latest when the connection ends.

import { AckView, decodeAck, encodeAck } from '../../mqtt/ack-codec.ts';
import {
  type ConnackPacket,
  type ConnectFields,
  decodeConnack,
  decodeServerDisconnect,
  decodeSuback,
  encodeClientDisconnect,
  encodeConnect,
  encodeSubscribe,
  encodeUnsubscribe,
  PINGREQ,
  type SubscribeFields,
} from '../../mqtt/client-packets.ts';
import { Framer } from '../../mqtt/framer.ts';
import { PACKET_ID_MAX } from '../../mqtt/limits.ts';
import { FirstByte, PacketType, packetTypeOf, publishFirstByte } from '../../mqtt/packet-type.ts';
import { ProtocolError, type ProtocolFault } from '../../mqtt/protocol-fault.ts';
import { decodePublish } from '../../mqtt/publish-decoder.ts';
import { encodePublishHead, publishBytes } from '../../mqtt/publish-encoder.ts';
import { PublishView, type QoS } from '../../mqtt/publish-view.ts';
import { describeReasonCode, isFailure, ReasonCode } from '../../mqtt/reason-code.ts';
import { type BrokerAddress, formatAddress, openTransport, type Transport } from './transport.ts';

/** The largest that MQTT has: a command takes whatever its broker sends. */
const PACKET_BYTES_MAX = 268_435_460;
/** Publishes that await an acknowledgement, where the server allows more. */
const WINDOW_MAX = 1000;
const CONNECT_MS_MAX = 10_000;
const REFUSALS_OF_USERS: readonly number[] = [
  ReasonCode.badUserNameOrPassword,
  ReasonCode.notAuthorized,
];
const NO_BYTES = Buffer.alloc(0);

export interface ClientSettings extends ConnectFields {
  readonly address: BrokerAddress;
}

export interface OutgoingMessage {
  readonly topic: Buffer;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Encoded properties; MQTT 5 only. */
  readonly properties?: Buffer;
}

export interface ClientEvents {
  /** Called with each message; the view is valid during the call only. */
  onMessage?(message: PublishView): void;
  /** Called once, when the connection ends without end(). */
  onLost?(error: ClientError): void;
}

/** The connection failed, was refused, or ended. Its message is a sentence for the user. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
}

interface Pending {
  resolve(reasonCodes: readonly number[]): void;
  reject(error: Error): void;
}

export class MqttClient {
  readonly #settings: ClientSettings;
  readonly #events: ClientEvents;
  readonly #transport: Transport;
  readonly #framer = new Framer(PACKET_BYTES_MAX);
  readonly #view = new PublishView();
  readonly #ack = new AckView();
  readonly #pending = new Map<number, Pending>();
  /** Senders that wait for room in the window or in the transport. */
  #waiting: (() => void)[] = [];
  #windowMax = WINDOW_MAX;
  #lastPacketId = 0;
  #connecting: { resolve(packet: ConnackPacket): void; reject(error: Error): void } | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  /** Set when the connection is over. */
  #end: ClientError | undefined;
  #isEnding = false;
  #onClosed: () => void = () => undefined;

  /** Rejects with a ClientError that says why the broker cannot be used. */
  static async connect(settings: ClientSettings, events: ClientEvents = {}): Promise<MqttClient> {
    const client = new MqttClient(settings, events);
    await client.#connected();
    return client;
  }

  private constructor(settings: ClientSettings, events: ClientEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#transport = openTransport(settings.address, {
      onOpen: () => this.#transport.write(encodeConnect(settings)),
      onData: (bytes) => this.#receive(bytes),
      onDrain: () => this.#wake(),
      onClose: (reason) => this.#closed(reason ?? 'the broker closed the connection'),
    });
  }

  /**
   * Resolves for QoS 0 once the message is on its way, else once it is acknowledged. Waits for room in
   * the window before that.
   * @returns the Reason Code; below 0x80 is success
   */
  async publish(message: OutgoingMessage): Promise<number> {
    while (this.#end === undefined && this.#mustWait(message.qos)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#end !== undefined) throw this.#end;
    if (message.qos === 0) {
      this.#transport.write(this.#encode(message, 0));
      return ReasonCode.success;
    }
    const packetId = this.#nextPacketId();
    const acknowledged = this.#expect(packetId);
    this.#transport.write(this.#encode(message, packetId));
    const [reasonCode = ReasonCode.success] = await acknowledged;
    return reasonCode;
  }

  /** @returns the granted QoS of each filter, or the Reason Code of its refusal */
  async subscribe(fields: Omit<SubscribeFields, 'packetId'>): Promise<readonly number[]> {
    const packetId = this.#nextPacketId();
    const granted = this.#expect(packetId);
    this.#transport.write(encodeSubscribe(this.#settings.version, { packetId, ...fields }));
    return granted;
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    const packetId = this.#nextPacketId();
    const done = this.#expect(packetId);
    this.#transport.write(encodeUnsubscribe(this.#settings.version, packetId, filters));
    await done;
  }

  /** Disconnects without a will. Resolves when everything is sent and the connection is closed. */
  end(): Promise<void> {
    if (this.#end !== undefined) return Promise.resolve();
    this.#isEnding = true;
    return new Promise((resolve) => {
      this.#onClosed = resolve;
      this.#transport.write(encodeClientDisconnect(this.#settings.version));
      this.#transport.end();
    });
  }

  #connected(): Promise<ConnackPacket> {
    return new Promise((resolve, reject) => {
      this.#connecting = { resolve, reject };
      setTimeout(() => {
        if (this.#connecting !== undefined) this.#closed('no answer within 10 s');
      }, CONNECT_MS_MAX).unref();
    });
  }

  #receive(bytes: Buffer): void {
    const framer = this.#framer;
    framer.push(bytes);
    try {
      for (;;) {
        const found = framer.next();
        if (found === false) return;
        if (found !== true) throw new ProtocolError(found);
        this.#packet();
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#closed(`the broker sent what is no MQTT: ${error.message}`);
    }
  }

  /** Handles the packet that the framer found last. */
  #packet(): void {
    const { buffer, start, bodyStart, end } = this.#framer;
    const { version } = this.#settings;
    const packet = (): Buffer => buffer.subarray(start, end);
    switch (packetTypeOf(buffer[start]!)) {
      case PacketType.publish:
        check(decodePublish(this.#view, buffer, start, bodyStart, end, version));
        this.#message(this.#view);
        break;
      case PacketType.connack:
        this.#connack(decodeConnack(packet(), version));
        break;
      case PacketType.suback:
        this.#settle(buffer.readUInt16BE(bodyStart), decodeSuback(packet(), version));
        break;
      case PacketType.unsuback:
        this.#settle(buffer.readUInt16BE(bodyStart), []);
        break;
      case PacketType.disconnect: {
        const { reasonCode, reasonString } = decodeServerDisconnect(packet());
        this.#closed(`the broker ended the connection: ${reasonOf(reasonCode, reasonString)}`);
        break;
      }
      case PacketType.pingresp:
        break;
      default:
        check(decodeAck(this.#ack, buffer, start, bodyStart, end, version));
        this.#acknowledged(packetTypeOf(buffer[start]!));
    }
  }

  #message(view: PublishView): void {
    const { qos, packetId } = view;
    // A later packet may overwrite the view.
    this.#events.onMessage?.(view);
    if (qos === 1) this.#sendAck(FirstByte.puback, packetId);
    else if (qos === 2) this.#sendAck(FirstByte.pubrec, packetId);
  }

  #acknowledged(type: number): void {
    const { packetId, reasonCode } = this.#ack;
    if (type === PacketType.pubrel) this.#sendAck(FirstByte.pubcomp, packetId);
    else if (type === PacketType.pubrec && !isFailure(reasonCode)) {
      this.#sendAck(FirstByte.pubrel, packetId);
    } else this.#settle(packetId, [reasonCode]);
  }

  #connack(packet: ConnackPacket): void {
    const { reasonCode, reasonString, receiveMaximum, keepAliveSeconds } = packet;
    if (isFailure(reasonCode)) {
      const hint = REFUSALS_OF_USERS.includes(reasonCode) ? '; give -u NAME -P PASSWORD' : '';
      this.#closed(
        `the broker refused the connection: ${reasonOf(reasonCode, reasonString)}${hint}`,
      );
      return;
    }
    this.#windowMax = Math.min(WINDOW_MAX, receiveMaximum);
    const seconds = keepAliveSeconds ?? this.#settings.keepAliveSeconds;
    if (seconds > 0) {
      this.#keepAlive = setInterval(() => this.#transport.write(PINGREQ), seconds * 1000);
    }
    this.#connecting?.resolve(packet);
    this.#connecting = undefined;
  }

  #mustWait(qos: QoS): boolean {
    return this.#transport.isFull || (qos > 0 && this.#pending.size >= this.#windowMax);
  }

  #encode({ topic, payload, qos, retain, properties }: OutgoingMessage, packetId: number): Buffer {
    const fields = {
      version: this.#settings.version,
      firstByte: publishFirstByte(false, qos, retain),
      packetId,
      topic,
      properties: properties ?? NO_BYTES,
      expirySeconds: -1,
      subscriptionIdentifiers: [],
      topicAlias: 0,
      payloadBytes: payload.length,
    };
    const packet = Buffer.allocUnsafe(publishBytes(fields));
    payload.copy(packet, encodePublishHead(packet, 0, fields));
    return packet;
  }

  #sendAck(firstByte: number, packetId: number): void {
    const packet = Buffer.alloc(4);
    encodeAck(packet, 0, firstByte, packetId, ReasonCode.success, this.#settings.version);
    this.#transport.write(packet);
  }

  #nextPacketId(): number {
    do this.#lastPacketId = (this.#lastPacketId % PACKET_ID_MAX) + 1;
    while (this.#pending.has(this.#lastPacketId));
    return this.#lastPacketId;
  }

  #expect(packetId: number): Promise<readonly number[]> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => this.#pending.set(packetId, { resolve, reject }));
  }

  #settle(packetId: number, reasonCodes: readonly number[]): void {
    this.#pending.get(packetId)?.resolve(reasonCodes);
    this.#pending.delete(packetId);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** The first reason counts. */
  #closed(reason: string): void {
    if (this.#end !== undefined) return;
    const error = new ClientError(`${formatAddress(this.#settings.address)}: ${reason}`);
    this.#end = error;
    clearInterval(this.#keepAlive);
    this.#transport.end();
    const isConnected = this.#connecting === undefined;
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#wake();
    this.#onClosed();
    if (isConnected && !this.#isEnding) this.#events.onLost?.(error);
  }
}

function check(fault: ProtocolFault | undefined): void {
  if (fault !== undefined) throw new ProtocolError(fault);
}

function reasonOf(code: number, text: string | undefined): string {
  return text === undefined ? describeReasonCode(code) : `${describeReasonCode(code)} (${text})`;
}
