// Random sequences of legal and illegal packets from several clients: draws them from a seed, plays them to the
// broker core and to the model, and compares what comes out after every step. A sequence is data, so that a
// failing one can be made smaller by leaving out steps.

import assert from 'node:assert/strict';
import { type TestClient, World } from '../support/mqtt-world.ts';
import { seededRandom } from '../support/random.ts';
import * as wire from '../support/wire.ts';
import {
  ModelBroker,
  type ModelConnect,
  type ModelConnection,
  type ModelDelivery,
  type ModelSubscription,
  type ModelWill,
  type QoS,
} from './model-broker.ts';

const CLIENTS = 4;
const TOPICS = ['a', 'a/b', 'a/c', 'b', '/', 'b//c'];
const FILTERS = ['a', 'a/b', 'a/+', 'a/#', '#', '+', '+/b', '/', '+/+', 'b/#', 'b//c'];
const EXPIRIES = [0, 0, 5, 60, Number.POSITIVE_INFINITY];
const NEVER = 0xffffffff;

/** Packets that break the protocol, and the Reason Codes that fit. */
const ILLEGAL: readonly { bytes(version: 4 | 5): Buffer; reasons: readonly number[] }[] = [
  { bytes: (version) => wire.connect({ version, clientId: 'again' }), reasons: [0x82] },
  { bytes: () => wire.packet(0x36, wire.text('a'), wire.u16(1)), reasons: [0x81] },
  { bytes: (version) => wire.publish(version, { topic: 'a/#' }), reasons: [0x81, 0x82, 0x90] },
  { bytes: (version) => wire.publish(version, { topic: 'a\0' }), reasons: [0x81, 0x82, 0x90] },
  {
    bytes: (version) => wire.publish(version, { topic: 'a', qos: 1, id: 0 }),
    reasons: [0x81, 0x82],
  },
  { bytes: (version) => wire.subscribe(version, 1, []), reasons: [0x81, 0x82] },
  { bytes: (version) => wire.unsubscribe(version, 1, []), reasons: [0x81, 0x82] },
  { bytes: (version) => wire.subscribe(version, 0, ['a']), reasons: [0x81, 0x82] },
  {
    bytes: (version) => wire.subscribe(version, 1, [{ filter: 'a', options: 3 }]),
    reasons: [0x81, 0x82],
  },
  { bytes: () => wire.packet(0x80, wire.u16(1)), reasons: [0x81, 0x82] },
  { bytes: () => wire.packet(0x60, wire.u16(1)), reasons: [0x81, 0x82] },
  { bytes: () => wire.packet(0x20, [0, 0]), reasons: [0x81, 0x82] },
  { bytes: () => wire.packet(0x00), reasons: [0x81, 0x82] },
  { bytes: () => Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff]), reasons: [0x81, 0x82] },
  { bytes: () => wire.packet(0x30, [0, 9, 97]), reasons: [0x81, 0x82] },
  { bytes: (version) => publishWithAlias(version, 0), reasons: [0x82, 0x94] },
  { bytes: (version) => publishWithAlias(version, 11), reasons: [0x82, 0x94] },
];

/** The broker allows ten. Before MQTT 5 a packet without a topic is as wrong. */
function publishWithAlias(version: 4 | 5, topicAlias: number): Buffer {
  if (version === 4) return wire.publish(4, { topic: '' });
  return wire.publish(5, { topic: 'a', properties: { topicAlias } });
}

export type Step =
  | { readonly kind: 'connect'; readonly client: number; readonly packet: ModelConnect }
  | {
      readonly kind: 'publish';
      readonly client: number;
      readonly topic: string;
      readonly payload: string;
      readonly qos: QoS;
      readonly retain: boolean;
      readonly id: number;
      readonly expirySeconds: number;
      /** 0: none. */
      readonly alias: number;
      /** Only the alias says which. */
      readonly omitsTopic: boolean;
    }
  | { readonly kind: 'pubrel'; readonly client: number; readonly id: number }
  | { readonly kind: 'acknowledge'; readonly client: number; readonly isRefused: boolean }
  | {
      readonly kind: 'subscribe';
      readonly client: number;
      readonly subscriptions: readonly ModelSubscription[];
    }
  | { readonly kind: 'unsubscribe'; readonly client: number; readonly filters: readonly string[] }
  | { readonly kind: 'ping' | 'lose'; readonly client: number }
  | {
      readonly kind: 'disconnect';
      readonly client: number;
      readonly keepsWill: boolean;
      readonly expirySeconds: number | undefined;
    }
  | { readonly kind: 'illegal'; readonly client: number; readonly index: number }
  | { readonly kind: 'wait'; readonly ms: number };

export function drawSteps(seed: number, count: number): Step[] {
  const dice = new Dice(seed);
  return Array.from({ length: count }, (_, index) => dice.step(index));
}

class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** @param index makes the payload unique */
  step(index: number): Step {
    const client = this.#below(CLIENTS);
    switch (this.#below(22)) {
      case 0:
      case 1:
      case 2:
        return { kind: 'connect', client, packet: this.#connect(client, `${index}`) };
      case 3:
        return { kind: 'lose', client };
      case 4: {
        const expirySeconds = this.#below(3) === 0 ? this.#oneOf([1, 7, 60]) : undefined;
        return { kind: 'disconnect', client, keepsWill: this.#below(4) === 0, expirySeconds };
      }
      case 5:
      case 6:
      case 7:
        return { kind: 'subscribe', client, subscriptions: this.#subscriptions() };
      case 8: {
        const filters = [this.#oneOf(FILTERS), this.#oneOf(FILTERS)];
        return { kind: 'unsubscribe', client, filters };
      }
      case 9:
        return this.#below(3) > 0
          ? { kind: 'ping', client }
          : { kind: 'illegal', client, index: this.#below(ILLEGAL.length) };
      case 10:
        return { kind: 'wait', ms: this.#oneOf([500, 1500, 4500, 10_500, 70_500]) };
      case 11:
        return { kind: 'pubrel', client, id: this.#packetId() };
      case 12:
      case 13:
      case 14:
        return { kind: 'acknowledge', client, isRefused: this.#below(8) === 0 };
      default:
        return this.#publish(client, `${index}`);
    }
  }

  #publish(client: number, payload: string): Step {
    return {
      kind: 'publish',
      client,
      topic: this.#oneOf(TOPICS),
      payload: this.#below(12) === 0 ? '' : payload,
      qos: this.#qos(),
      retain: this.#below(4) === 0,
      id: this.#packetId(),
      expirySeconds: this.#below(5) === 0 ? 2 : 0,
      alias: this.#below(3) === 0 ? 1 + this.#below(3) : 0,
      omitsTopic: this.#below(2) === 0,
    };
  }

  #connect(client: number, payload: string): ModelConnect {
    const version = this.#below(2) === 0 ? 4 : 5;
    const clean = this.#below(3) === 0;
    const untilEnd = clean ? 0 : Number.POSITIVE_INFINITY;
    return {
      version,
      clientId: `c${client}`,
      clean,
      expirySeconds: version === 5 ? this.#oneOf(EXPIRIES) : untilEnd,
      receiveMaximum: version === 5 ? this.#oneOf([1, 2, 100]) : 100,
      topicAliasMaximum: version === 5 ? this.#oneOf([0, 2, 10]) : 0,
      will: this.#below(3) === 0 ? this.#will(payload, version) : undefined,
    };
  }

  #will(payload: string, version: 4 | 5): ModelWill {
    return {
      topic: this.#oneOf(TOPICS),
      payload,
      qos: this.#qos(),
      retain: this.#below(4) === 0,
      delaySeconds: version === 5 ? this.#oneOf([0, 0, 3, 30]) : 0,
    };
  }

  /** Of two equal filters in one packet the broker serves the last one only. */
  #subscriptions(): ModelSubscription[] {
    const drawn = Array.from({ length: 1 + this.#below(3) }, () => this.#subscription());
    return [...new Map(drawn.map((one) => [one.filter, one])).values()];
  }

  #subscription(): ModelSubscription {
    const noLocal = this.#below(5) === 0;
    return {
      filter: this.#oneOf(FILTERS),
      qos: this.#qos(),
      noLocal,
      retainAsPublished: this.#below(3) === 0,
      // The standard does not say what No Local means for retained messages.
      retainHandling: noLocal ? 2 : (this.#below(3) as 0 | 1 | 2),
      identifier: this.#below(3),
    };
  }

  /** Few, so that they meet. */
  #packetId(): number {
    return 1 + this.#below(4);
  }

  #qos(): QoS {
    return this.#below(3) as QoS;
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

interface Slot {
  readonly client: TestClient;
  readonly connection: ModelConnection;
  /** Topic Aliases that the broker has set. */
  readonly aliases: Map<number, string>;
}

/** Plays steps to the broker core and to the model. @returns how they differ, or undefined */
export function play(steps: readonly Step[]): string | undefined {
  const game = new Game();
  for (const [index, step] of steps.entries()) {
    try {
      game.play(step);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return `step ${index}, ${JSON.stringify(step)}: ${text}`;
    }
  }
  return undefined;
}

class Game {
  readonly #world = new World();
  readonly #model = new ModelBroker();
  readonly #slots: (Slot | undefined)[] = [];
  /** Connections of this step, closed ones included. */
  #seen: Slot[] = [];

  play(step: Step): void {
    this.#seen = this.#slots.filter((slot) => slot !== undefined);
    if (step.kind === 'wait') {
      this.#model.advance(step.ms);
      this.#world.advance(step.ms);
    } else if (step.kind === 'connect') this.#connect(step.client, step.packet);
    else {
      const slot = this.#slots[step.client];
      if (slot === undefined) return;
      this.#act(slot, step);
    }
    for (const slot of this.#seen) this.#compare(slot);
    for (const [index, slot] of this.#slots.entries()) {
      if (slot?.connection.isOpen === false) this.#slots[index] = undefined;
    }
  }

  #connect(index: number, packet: ModelConnect): void {
    const { version, clientId, clean, expirySeconds, will } = packet;
    const { receiveMaximum, topicAliasMaximum } = packet;
    const connection = this.#model.connect(packet);
    const client = this.#world.open(version);
    const expiry = Math.min(expirySeconds, NEVER);
    const { delaySeconds = 0, ...fields } = will ?? {};
    const limits = { receiveMaximum, topicAliasMaximum };
    const properties = version === 5 ? { sessionExpiryInterval: expiry, ...limits } : {};
    const willProperties = version === 5 ? { willDelayInterval: delaySeconds } : {};
    const willFields = will && { ...will, ...fields, properties: willProperties };
    const slot = { client, connection, aliases: new Map<number, string>() };
    this.#seen.push(slot);
    this.#slots[index] = slot;
    client.expectLimits(properties);
    client.send(
      wire.connect({
        version,
        clientId,
        clean,
        properties,
        ...(willFields && { will: willFields }),
      }),
    );
  }

  #act(slot: Slot, step: Exclude<Step, { kind: 'wait' | 'connect' }>): void {
    const { client, connection } = slot;
    const model = this.#model;
    const { version } = connection;
    switch (step.kind) {
      case 'publish':
        this.#publish(slot, step);
        break;
      case 'pubrel':
        model.pubrel(connection, step.id);
        client.send(wire.ack('pubrel', step.id));
        break;
      case 'acknowledge':
        this.#acknowledge(slot, step.isRefused && version === 5);
        break;
      case 'subscribe':
        // A client that leaves retained messages unacknowledged gets the others later, as they are then.
        this.#acknowledgeAll(slot);
        this.#subscribe(slot, step.subscriptions);
        this.#acknowledgeAll(slot);
        break;
      case 'unsubscribe':
        model.unsubscribe(connection, 9, step.filters);
        client.send(wire.unsubscribe(version, 9, [...step.filters]));
        break;
      case 'ping':
        model.ping(connection);
        client.send(wire.PINGREQ);
        break;
      case 'disconnect':
        this.#disconnect(slot, step.keepsWill, step.expirySeconds);
        break;
      case 'lose':
        model.lose(connection);
        client.lose();
        break;
      case 'illegal': {
        const { bytes, reasons } = ILLEGAL[step.index]!;
        model.fault(connection, reasons);
        client.send(bytes(version));
      }
    }
  }

  #publish({ client, connection }: Slot, step: Extract<Step, { kind: 'publish' }>): void {
    const model = this.#model;
    const { version } = connection;
    const { payload, qos, retain, expirySeconds } = step;
    const alias = version === 5 ? step.alias : 0;
    const written = alias > 0 && step.omitsTopic ? '' : step.topic;
    const id = qos === 2 ? step.id : 100 + step.id;
    const isLimited = expirySeconds > 0 && version === 5;
    const expiresAt = isLimited ? model.now + expirySeconds * 1000 : Number.POSITIVE_INFINITY;
    const properties = {
      ...(isLimited && { messageExpiryInterval: expirySeconds }),
      ...(alias > 0 && { topicAlias: alias }),
    };
    const topic = alias > 0 ? model.aliasedTopic(connection, written, alias) : written;
    if (topic === undefined) model.fault(connection, [0x82]);
    else model.publish(connection, { topic, payload, qos, retain, expiresAt }, id);
    client.send(wire.publish(version, { topic: written, payload, qos, retain, id, properties }));
  }

  #subscribe({ client, connection }: Slot, drawn: readonly ModelSubscription[]): void {
    const isModern = connection.version === 5;
    // A SUBSCRIBE has one identifier for all of its filters.
    const identifier = isModern ? drawn[0]!.identifier : 0;
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = drawn.map((one) => ({ ...one, ...(isModern ? {} : plain), identifier }));
    this.#model.subscribe(connection, 8, subscriptions);
    const properties = identifier > 0 ? { subscriptionIdentifier: identifier } : {};
    client.send(wire.subscribe(connection.version, 8, subscriptions, properties));
  }

  #disconnect({ client, connection }: Slot, keepsWill: boolean, expiry: number | undefined): void {
    const isModern = connection.version === 5;
    // An interval that was 0 may not be changed [MQTT5-3.14.2-2].
    const mayChange = isModern && connection.session.expirySeconds > 0;
    const expirySeconds = mayChange ? expiry : undefined;
    this.#model.disconnect(connection, keepsWill && isModern, expirySeconds);
    const properties = expirySeconds ? { sessionExpiryInterval: expirySeconds } : undefined;
    const reason = isModern ? (keepsWill ? 4 : 0) : undefined;
    client.send(wire.disconnect(reason, properties));
    client.lose();
  }

  #acknowledgeAll(slot: Slot): void {
    do this.#compare(slot);
    while (this.#acknowledge(slot, false));
  }

  /** The client answers the oldest message that waits for it. @returns false if none does */
  #acknowledge({ client, connection }: Slot, isRefused: boolean): boolean {
    const delivery = connection.session.deliveries.find(
      ({ qos, state }) => qos > 0 && (state === 'sent' || state === 'released'),
    );
    if (delivery === undefined) return false;
    const { packetId, qos, state } = delivery;
    const type = state === 'released' ? 'pubcomp' : qos === 1 ? 'puback' : 'pubrec';
    const mayRefuse = isRefused && type === 'pubrec';
    this.#model.acknowledge(connection, delivery, mayRefuse);
    client.send(wire.ack(type, packetId, mayRefuse ? 0x80 : undefined));
    return true;
  }

  /** What has come to a connection is what the model says, and nothing that has to come is missing. */
  #compare({ client, connection, aliases }: Slot): void {
    const packets = client.inbox.splice(0).map((packet) => withTopic(packet, aliases));
    const { session } = connection;
    for (const packet of packets) {
      if (packet.type === 'publish') {
        const isCurrent = session.connection === connection || connection.isOpen;
        takeDelivery(session.deliveries, packet, isCurrent, connection.version);
      } else if (!isRepeatedRelease(session.deliveries, packet)) takeAnswer(connection, packet);
    }
    assert.deepEqual(connection.answers, [], `${session.clientId} misses packets`);
    assert.equal(client.closed || !connection.isOpen, !connection.isOpen, 'closed by the broker');
    if (!connection.isOpen) return;
    session.deliveries = session.deliveries.filter(
      ({ qos, state }) => qos > 0 || state === 'pending',
    );
    const hasRoom = session.unacknowledged < connection.receiveMaximum;
    const late = session.deliveries.filter(
      ({ state }) => hasRoom && ['resend', 'release again', 'pending'].includes(state),
    );
    assert.deepEqual(late, [], `${session.clientId} misses messages`);
    const { unacknowledged } = session;
    assert.ok(unacknowledged <= connection.receiveMaximum, 'Receive Maximum is exceeded');
  }
}

/** The packet with the topic that its alias means. */
function withTopic(packet: wire.Packet, aliases: Map<number, string>): wire.Packet {
  const { type, topic, properties } = packet;
  const alias = properties?.topicAlias as number | undefined;
  if (type !== 'publish' || alias === undefined) return packet;
  if (topic !== '') aliases.set(alias, topic);
  return { ...packet, topic: aliases.get(alias) ?? assert.fail(`alias ${alias} was not set`) };
}

/** Of messages of one topic and QoS the oldest comes first; between topics any order is right. */
function takeDelivery(
  deliveries: readonly ModelDelivery[],
  packet: wire.Packet,
  isCurrent: boolean,
  version: 4 | 5,
): void {
  const { topic, payload, qos, retain, dup, id, properties } = packet;
  const text = `PUBLISH ${topic} '${payload}' QoS ${qos}`;
  const delivery = deliveries.find(
    ({ message, qos: other, state }) =>
      message.topic === topic && other === qos && (state === 'pending' || state === 'resend'),
  );
  if (delivery === undefined || !isCurrent) assert.fail(`${text} was not expected`);
  assert.equal(payload, delivery.message.payload, `${text} is in the wrong order`);
  assert.equal(retain, delivery.retain, `RETAIN of ${text}`);
  assert.equal(dup, delivery.state === 'resend', `DUP of ${text}`);
  if (dup) assert.equal(id, delivery.packetId, `Packet Identifier of ${text}`);
  const identifiers = (properties.subscriptionIdentifier as number[] | undefined) ?? [];
  const expected = version === 5 ? delivery.identifiers : [];
  assert.deepEqual([...identifiers].sort(), [...expected].sort(), text);
  delivery.packetId = id;
  delivery.isCounted = qos > 0;
  delivery.state = 'sent';
}

function isRepeatedRelease(deliveries: readonly ModelDelivery[], packet: wire.Packet): boolean {
  if (packet.type !== 'pubrel') return false;
  const delivery = deliveries.find(
    ({ state, packetId }) => state === 'release again' && packetId === packet.id,
  );
  if (delivery !== undefined) delivery.state = 'released';
  return delivery !== undefined;
}

function takeAnswer({ answers, session }: ModelConnection, packet: wire.Packet): void {
  const { type, id, sessionPresent } = packet;
  const answer = answers.shift();
  assert.equal(type, answer?.type, `${session.clientId} got ${type}`);
  if (answer?.id !== undefined) assert.equal(id, answer.id, `Packet Identifier of ${type}`);
  if (type === 'connack') assert.equal(sessionPresent, answer?.sessionPresent, 'Session Present');
  const reasons = packet.reasons.length > 0 ? packet.reasons : [packet.reason];
  for (const [index, allowed] of (answer?.reasons ?? []).entries()) {
    const hex = `0x${reasons[index]?.toString(16)}`;
    assert.ok(allowed.includes(reasons[index] ?? 0), `Reason Code ${hex} of ${type}`);
  }
}

/** Leaves out steps as long as the rest still fails. */
export function shrink(steps: readonly Step[]): Step[] {
  let kept = [...steps];
  for (
    let size = Math.ceil(kept.length / 2);
    size >= 1;
    size = size > 1 ? Math.ceil(size / 2) : 0
  ) {
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (play(fewer) !== undefined) kept = fewer;
      else at += size;
    }
  }
  return kept;
}
