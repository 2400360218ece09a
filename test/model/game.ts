// Plays a sequence of packets to the broker core and to the model, and compares what comes out after every step.

import assert from 'node:assert/strict';
import { openAuthorizer } from '../../src/broker/ports.ts';
import { ReasonCode } from '../../src/mqtt/reason-code.ts';
import { type TestClient, World } from '../support/mqtt-world.ts';
import * as wire from '../support/wire.ts';
import {
  groupOf,
  isRepeatedRelease,
  takeAnswer,
  takeDelivery,
  takeGroupDelivery,
  withTopic,
} from './arrivals.ts';
import {
  ModelBroker,
  type ModelConnect,
  type ModelConnection,
  type ModelDelivery,
  type ModelSubscription,
} from './model-broker.ts';
import { ILLEGAL, type Step } from './steps.ts';

const NEVER = 0xffffffff;
const WRONG_PASSWORD = 'wrong';
const authorizer: typeof openAuthorizer = {
  ...openAuthorizer,
  authenticate: ({ password }) => ({
    reasonCode: password?.toString() === WRONG_PASSWORD ? ReasonCode.badUserNameOrPassword : 0,
  }),
};

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
  readonly #world = new World({}, { authorizer });
  readonly #model = new ModelBroker();
  readonly #slots: (Slot | undefined)[] = [];
  /** Connections of this step, closed ones included. */
  #seen: Slot[] = [];

  play(step: Step): void {
    this.#seen = this.#slots.filter((slot) => slot !== undefined);
    if (step.kind === 'wait') this.#wait(step.ms);
    else if (step.kind === 'connect') this.#connect(step.client, step.packet);
    else {
      const slot = this.#slots[step.client];
      if (slot === undefined) return;
      this.#act(slot, step);
    }
    this.#compareAll();
    for (const [index, slot] of this.#slots.entries()) {
      if (slot?.connection.isOpen === false) this.#slots[index] = undefined;
    }
  }

  /** Stops just before and just after each deadline, so that the model knows what came before it. */
  #wait(ms: number): void {
    const end = this.#model.now + ms;
    for (;;) {
      const { now, deadline } = this.#model;
      const next = Math.min(end, deadline - now > 1 ? deadline - 1 : deadline + 1);
      this.#model.advance(next - now);
      this.#world.advance(next - now);
      if (next === end) return;
      this.#compareAll();
    }
  }

  #compareAll(): void {
    for (const slot of this.#seen) this.#compare(slot);
    const missing = this.#model.groups.missing();
    const texts = missing.map(({ group, message }) => `${group}: ${message.payload}`);
    assert.deepEqual(texts, [], 'no member of the group has got the message');
  }

  #connect(index: number, packet: ModelConnect): void {
    const { version, clientId, clean, expirySeconds, will } = packet;
    const { receiveMaximum, topicAliasMaximum, packetBytesMax, keepAliveSeconds, login } = packet;
    const connection = this.#model.connect(packet);
    const client = this.#world.open(version);
    const expiry = Math.min(expirySeconds, NEVER);
    const { delaySeconds = 0, ...fields } = will ?? {};
    const properties: wire.Properties = {
      ...(version === 5 && { sessionExpiryInterval: expiry, receiveMaximum, topicAliasMaximum }),
      ...(packetBytesMax < NEVER && { maximumPacketSize: packetBytesMax }),
      ...(login === 'unknown method' && { authenticationMethod: 'SCRAM-SHA-1' }),
    };
    const credentials = login === 'wrong password' && { username: 'u', password: WRONG_PASSWORD };
    const willProperties = version === 5 ? { willDelayInterval: delaySeconds } : {};
    const willFields = will && { ...will, ...fields, properties: willProperties };
    const slot = { client, connection, aliases: new Map<number, string>() };
    this.#seen.push(slot);
    if (login === 'none') this.#slots[index] = slot;
    client.expectLimits(properties);
    client.send(
      wire.connect({
        version,
        clientId,
        clean,
        properties,
        keepAlive: keepAliveSeconds,
        ...credentials,
        ...(willFields && { will: willFields }),
      }),
    );
  }

  #act(slot: Slot, step: Exclude<Step, { kind: 'wait' | 'connect' }>): void {
    const { client, connection } = slot;
    const model = this.#model;
    const { version } = connection;
    if (step.kind !== 'acknowledge') connection.lastPacketAt = model.now;
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
    connection.lastPacketAt = this.#model.now;
    client.send(wire.ack(type, packetId, mayRefuse ? 0x80 : undefined));
    return true;
  }

  /** What has come to a connection is what the model says, and nothing that has to come is missing. */
  #compare({ client, connection, aliases }: Slot): void {
    const packets = client.inbox.splice(0).map((packet) => withTopic(packet, aliases));
    const { session } = connection;
    if (connection.isOpen) expectNothingTooLarge(connection);
    for (const packet of packets) {
      if (packet.type === 'publish') {
        const isCurrent = session.connection === connection || connection.isOpen;
        const group = groupOf(packet);
        if (group === undefined) {
          takeDelivery(session.deliveries, packet, isCurrent, connection.version);
        } else takeGroupDelivery(this.#model.groups, session, packet, group);
      } else if (!isRepeatedRelease(session.deliveries, packet)) takeAnswer(connection, packet);
    }
    assert.deepEqual(connection.answers, [], `${session.clientId} misses packets`);
    assert.equal(client.closed || !connection.isOpen, !connection.isOpen, 'closed by the broker');
    if (!connection.isOpen) return;
    const { hasRoom } = connection;
    session.deliveries = session.deliveries.filter(({ message, qos, state }) => {
      const isDropped = isWaiting(state) && hasRoom && connection.isTooLarge(message);
      return !isDropped && (qos > 0 || state === 'pending');
    });
    const late = session.deliveries.filter(
      ({ state, isOptional }) =>
        hasRoom && !isOptional && ['resend', 'release again', 'pending'].includes(state),
    );
    assert.deepEqual(late, [], `${session.clientId} misses messages`);
    const { unacknowledged } = session;
    assert.ok(unacknowledged <= connection.receiveMaximum, 'Receive Maximum is exceeded');
  }
}

function isWaiting(state: ModelDelivery['state']): boolean {
  return state === 'pending' || state === 'resend';
}

/** The broker drops what is too large [MQTT5-3.1.2-24, 3.1.2-25] when its turn to be sent comes, or before. */
function expectNothingTooLarge(connection: ModelConnection): void {
  for (const delivery of connection.session.deliveries) {
    const isTooLarge = connection.isTooLarge(delivery.message);
    if (isTooLarge && isWaiting(delivery.state)) delivery.isOptional = true;
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
