// Random sequences of legal and illegal packets from several clients, drawn from a seed. A sequence is data, so that a
// failing one can be made smaller by leaving out steps. Every other seed has clients of MQTT 5 only, which then share
// subscriptions too: an MQTT 3.1.1 client would not hear of which group a message is.

import { seededRandom } from '../support/random.ts';
import * as wire from '../support/wire.ts';
import type { ModelConnect, ModelSubscription, ModelWill, QoS } from './model-broker.ts';

const CLIENTS = 4;
const TOPICS = ['a', 'a/b', 'a/c', 'b', '/', 'b//c'];
const FILTERS = ['a', 'a/b', 'a/+', 'a/#', '#', '+', '+/b', '/', '+/+', 'b/#', 'b//c'];
/** Each has a Subscription Identifier of its own, by which a client knows them apart. */
export const GROUPS = ['$share/g/a/+', '$share/h/a/+', '$share/g/#', '$share/g/b'];
export const GROUP_IDENTIFIER = 10;
/** Above every Maximum Packet Size that is drawn. */
const LARGE_BYTES = 200;

/** Packets that break the protocol, and the Reason Codes that fit. */
export const ILLEGAL: readonly { bytes(version: 4 | 5): Buffer; reasons: readonly number[] }[] = [
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
  {
    bytes: (version) =>
      version === 5
        ? wire.subscribe(5, 1, [{ filter: '$share/g/a', noLocal: true }])
        : wire.subscribe(4, 1, []),
    reasons: [0x81, 0x82],
  },
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
  const dice = new Dice(seed, seed % 2 === 0);
  return Array.from({ length: count }, (_, index) => dice.step(index));
}

class Dice {
  readonly #random: () => number;
  readonly #isShared: boolean;

  constructor(seed: number, isShared: boolean) {
    this.#random = seededRandom(seed);
    this.#isShared = isShared;
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
        const expirySeconds =
          this.#below(3) === 0 ? this.#oneOf([1 + client, 21 + client, 60 + client]) : undefined;
        return { kind: 'disconnect', client, keepsWill: this.#below(4) === 0, expirySeconds };
      }
      case 5:
      case 6:
      case 7:
        return { kind: 'subscribe', client, subscriptions: this.#subscriptions() };
      case 8: {
        const filters = [this.#oneOf(FILTERS), this.#oneOf(this.#isShared ? GROUPS : FILTERS)];
        return { kind: 'unsubscribe', client, filters };
      }
      case 9:
        return this.#below(3) > 0
          ? { kind: 'ping', client }
          : { kind: 'illegal', client, index: this.#below(ILLEGAL.length) };
      case 10:
        return { kind: 'wait', ms: this.#oneOf([503, 1511, 4507, 10_513, 70_529]) };
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
      payload: this.#payload(payload),
      qos: this.#qos(),
      retain: this.#below(4) === 0,
      id: this.#packetId(),
      expirySeconds: this.#below(5) === 0 ? 2 : 0,
      alias: this.#below(3) === 0 ? 1 + this.#below(3) : 0,
      omitsTopic: this.#below(2) === 0,
    };
  }

  #payload(unique: string): string {
    const kind = this.#below(12);
    if (kind === 0) return '';
    return kind === 1 ? unique.padEnd(LARGE_BYTES, 'x') : unique;
  }

  #connect(client: number, payload: string): ModelConnect {
    const version = this.#isShared || this.#below(2) === 0 ? 5 : 4;
    const clean = this.#below(3) === 0;
    const untilEnd = clean ? 0 : Number.POSITIVE_INFINITY;
    return {
      version,
      clientId: `c${client}`,
      clean,
      expirySeconds:
        version === 5
          ? this.#oneOf([0, 0, 21 + client, 60 + client, Number.POSITIVE_INFINITY])
          : untilEnd,
      receiveMaximum: version === 5 ? this.#oneOf([1, 2, 100]) : 100,
      topicAliasMaximum: version === 5 ? this.#oneOf([0, 2, 10]) : 0,
      packetBytesMax: version === 5 && this.#below(4) === 0 ? 100 : Number.POSITIVE_INFINITY,
      keepAliveSeconds: this.#below(3) === 0 ? 3 + 2 * client : 0,
      login: this.#login(version),
      will: this.#below(3) === 0 ? this.#will(payload, version, client) : undefined,
    };
  }

  #login(version: 4 | 5): ModelConnect['login'] {
    const kind = this.#below(16);
    if (kind === 0) return 'wrong password';
    return kind === 1 && version === 5 ? 'unknown method' : 'none';
  }

  #will(payload: string, version: 4 | 5, client: number): ModelWill {
    return {
      topic: this.#oneOf(TOPICS),
      payload,
      qos: this.#qos(),
      retain: this.#below(4) === 0,
      // Of two wills that are due at the same time either may come first: the times of each client are its own.
      delaySeconds: version === 5 ? this.#oneOf([0, 0, 11 + client, 30 + client]) : 0,
    };
  }

  /** Of two equal filters in one packet the broker serves the last one only. */
  #subscriptions(): ModelSubscription[] {
    if (this.#isShared && this.#below(2) === 0) return [this.#groupSubscription()];
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

  #groupSubscription(): ModelSubscription {
    const index = this.#below(GROUPS.length);
    return {
      ...{ filter: GROUPS[index]!, qos: this.#qos(), noLocal: false, retainHandling: 0 },
      ...{ retainAsPublished: this.#below(3) === 0, identifier: GROUP_IDENTIFIER + index },
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
