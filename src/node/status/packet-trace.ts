// The packets of one client, or of one topic, as they pass its connection: for a limited time, bounded in
// what it may cost, and without any cost while nothing is traced. Reads a second time what the connection
// reads and writes; changes nothing. Several traces may see one connection.
// Invariants: a trace ends by itself; it never throws into a connection.

import { performance } from 'node:perf_hooks';
import type { Administration, TracedConnection } from '../../broker/administration.ts';
import type { ByteTap, Outbox } from '../../broker/ports.ts';
import type { TracedPacket, TraceOptions } from '../../http/node-api.ts';
import type { ConnectPacket } from '../../mqtt/control-decoder.ts';
import { Framer } from '../../mqtt/framer.ts';
import { PacketType, packetTypeOf } from '../../mqtt/packet-type.ts';
import { PublishProperties, readPublishProperties } from '../../mqtt/properties.ts';
import { decodePublish } from '../../mqtt/publish-decoder.ts';
import { type ProtocolVersion, PublishView } from '../../mqtt/publish-view.ts';
import { topicMatches } from '../../mqtt/topic.ts';
import { connectDetail, filtersDetail, reasonOf } from './trace-details.ts';

/** How often the trace forgets connections that are closed, and looks whether its time is over, ms. */
const LOOK_MS = 500;
/** A client that has sent its CONNECT may be waiting for its login for as many looks. */
const LOOKS_MISSED_MAX = 40;
/** Packets that one second may bring; with more the trace ends, before it delays clients. */
const PACKETS_PER_SECOND_MAX = 20_000;
const PACKET_BYTES_MAX = 1_048_576;
const ALIASES_MAX = 100;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(PacketType).map(([name, value]) => [value as number, name.toUpperCase()]),
);
/** Packets whose body begins with a Packet Identifier. */
const IDENTIFIED: ReadonlySet<number> = new Set<number>([
  PacketType.puback,
  PacketType.pubrec,
  PacketType.pubrel,
  PacketType.pubcomp,
  PacketType.subscribe,
  PacketType.suback,
  PacketType.unsubscribe,
  PacketType.unsuback,
]);
export class PacketTrace {
  readonly #administration: Administration;
  readonly #options: TraceOptions;
  readonly #take: (packet: TracedPacket) => void;
  readonly #ended: (reason: string) => void;
  readonly #taps = new Map<Outbox, ConnectionTap>();
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #endsAt: number;
  #second = 0;
  #packets = 0;
  #isOver = false;

  /** @param ended called once, unless end() is called first */
  constructor(
    administration: Administration,
    options: TraceOptions,
    take: (packet: TracedPacket) => void,
    ended: (reason: string) => void,
  ) {
    this.#administration = administration;
    this.#options = options;
    this.#take = take;
    this.#ended = ended;
    this.#endsAt = performance.now() + options.seconds * 1000;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
    this.#unwatch = administration.watchConnects((packet, outbox) =>
      this.#connects(packet, outbox),
    );
    this.#look();
  }

  end(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#unwatch();
    for (const [outbox, tap] of this.#taps) removeTap(outbox, tap);
    this.#taps.clear();
  }

  /** Before the broker answers, so that its CONNACK is seen. */
  #connects(packet: ConnectPacket, outbox: Outbox): void {
    const { client: wanted, topic } = this.#options;
    const { clientId: client, version } = packet;
    if (wanted !== undefined && client !== wanted) return;
    this.#tap({ client, version, outbox });
    if (topic !== undefined) return;
    this.#pass({
      client,
      direction: 'in',
      type: 'CONNECT',
      bytes: 0,
      detail: connectDetail(packet),
    });
  }

  #tap({ client, version, outbox }: TracedConnection): void {
    if (this.#isOver || this.#taps.has(outbox)) return;
    const tap = new ConnectionTap(client, version, this.#options, (packet) => {
      // The broker chooses an identifier only after the CONNECT without one has been seen [MQTT5-3.1.3-6].
      if (packet?.client === '') tap.client = this.#clientOf(outbox);
      this.#pass(packet && { ...packet, client: tap.client });
    });
    addTap(outbox, tap);
    this.#taps.set(outbox, tap);
  }

  #clientOf(wanted: Outbox): string {
    for (const { client, outbox } of this.#administration.connections(undefined)) {
      if (outbox === wanted) return client;
    }
    return '';
  }

  /** Finds the connections that are to be traced, and forgets those that are closed. */
  #look(): void {
    if (performance.now() >= this.#endsAt) {
      this.#finish('the time is over');
      return;
    }
    const open = new Set<Outbox>();
    for (const connection of this.#administration.connections(this.#options.client)) {
      open.add(connection.outbox);
      this.#tap(connection);
    }
    for (const [outbox, tap] of this.#taps) {
      tap.looksMissed = open.has(outbox) ? 0 : tap.looksMissed + 1;
      if (tap.looksMissed < LOOKS_MISSED_MAX) continue;
      removeTap(outbox, tap);
      this.#taps.delete(outbox);
    }
  }

  /** @param packet undefined: one that is not shown counts as well */
  #pass(packet: TracedPacket | undefined): void {
    if (this.#isOver) return;
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) this.#packets = 0;
    this.#second = second;
    this.#packets += 1;
    if (this.#packets > PACKETS_PER_SECOND_MAX) {
      this.#finish(`more than ${PACKETS_PER_SECOND_MAX} packets in a second: trace one client`);
    } else if (packet !== undefined) {
      this.#take(packet);
    }
  }

  #finish(reason: string): void {
    this.end();
    this.#ended(reason);
  }
}

/** More than one trace on a connection. */
class SharedTap implements ByteTap {
  readonly taps: ByteTap[];

  constructor(taps: ByteTap[]) {
    this.taps = taps;
  }

  received(chunk: Buffer): void {
    for (const tap of [...this.taps]) tap.received(chunk);
  }

  sent(bytes: Buffer): void {
    for (const tap of [...this.taps]) tap.sent(bytes);
  }

  closed(reason: string): void {
    for (const tap of [...this.taps]) tap.closed(reason);
  }
}

function addTap(outbox: Outbox, tap: ByteTap): void {
  const { tap: present } = outbox;
  if (present === undefined) outbox.tap = tap;
  else if (present instanceof SharedTap) present.taps.push(tap);
  else outbox.tap = new SharedTap([present, tap]);
}

function removeTap(outbox: Outbox, tap: ByteTap): void {
  const { tap: present } = outbox;
  if (present === tap) outbox.tap = undefined;
  if (!(present instanceof SharedTap)) return;
  const others = present.taps.filter((one) => one !== tap);
  outbox.tap = others.length > 1 ? new SharedTap(others) : others[0];
}

/** Decodes both directions of one connection. */
class ConnectionTap implements ByteTap {
  /** Times in a row that no session had the connection when the trace looked. */
  looksMissed = 0;
  client: string;
  readonly #version: ProtocolVersion;
  readonly #options: TraceOptions;
  readonly #pass: (packet: TracedPacket | undefined) => void;
  readonly #view = new PublishView();
  readonly #in = new Direction('in');
  readonly #out = new Direction('out');

  constructor(
    client: string,
    version: ProtocolVersion,
    options: TraceOptions,
    pass: (packet: TracedPacket | undefined) => void,
  ) {
    this.client = client;
    this.#version = version;
    this.#options = options;
    this.#pass = pass;
  }

  /** A copy: a Framer removes the padding of a length in place, and the connection's own would find no packet. */
  received(chunk: Buffer): void {
    this.#read(this.#in, Buffer.from(chunk));
  }

  sent(bytes: Buffer): void {
    this.#read(this.#out, bytes);
  }

  closed(detail: string): void {
    if (this.#options.topic !== undefined) return;
    const { client } = this;
    // The last packets are written at the end of this turn of the event loop.
    setImmediate(() => this.#pass({ client, direction: 'out', type: 'CLOSED', bytes: 0, detail }));
  }

  /** The trace may begin in the middle of a packet: what makes no sense is skipped up to the next chunk. */
  #read(direction: Direction, chunk: Buffer): void {
    const { framer } = direction;
    framer.push(chunk);
    for (let found = framer.next(); found !== false; found = framer.next()) {
      if (found !== true) {
        direction.framer = new Framer(PACKET_BYTES_MAX);
        return;
      }
      this.#pass(this.#packet(direction));
    }
  }

  #packet(direction: Direction): TracedPacket | undefined {
    const { buffer, start, bodyStart, end } = direction.framer;
    const type = packetTypeOf(buffer[start]!);
    const { topic: wanted } = this.#options;
    const name = TYPE_NAMES.get(type) ?? `type ${type}`;
    const head = {
      client: this.client,
      direction: direction.name,
      type: name,
      bytes: end - start,
    };
    if (type === PacketType.publish) return this.#publish(direction, head);
    if (wanted !== undefined) return undefined;
    const hasId = IDENTIFIED.has(type) && end >= bodyStart + 2;
    const packetId = hasId ? buffer.readUInt16BE(bodyStart) : undefined;
    const reason = reasonOf(type, direction.framer, this.#version);
    const detail = filtersDetail(type, direction.framer, this.#version);
    return {
      ...head,
      ...(packetId !== undefined && { packetId }),
      ...(reason !== undefined && { reason }),
      ...(detail !== undefined && { detail }),
    };
  }

  #publish(direction: Direction, head: TracedPacket): TracedPacket | undefined {
    const { buffer, start, bodyStart, end } = direction.framer;
    const view = this.#view;
    if (decodePublish(view, buffer, start, bodyStart, end, this.#version) !== undefined)
      return head;
    const topic = direction.topicOf(view);
    const { topic: wanted, payloadBytes } = this.#options;
    if (wanted !== undefined && !topicMatches(wanted, topic)) return undefined;
    const { qos, dup, retain, packetId, payloadStart } = view;
    const payload = buffer.toString(
      'utf8',
      payloadStart,
      Math.min(end, payloadStart + payloadBytes),
    );
    return {
      ...head,
      topic,
      qos,
      dup,
      retain,
      payloadBytes: end - payloadStart,
      ...(packetId > 0 && { packetId }),
      ...(payloadBytes > 0 && { payload }),
    };
  }
}

class Direction {
  readonly name: 'in' | 'out';
  framer = new Framer(PACKET_BYTES_MAX);
  readonly #properties = new PublishProperties();
  readonly #aliases = new Map<number, string>();

  constructor(name: 'in' | 'out') {
    this.name = name;
  }

  /** The topic, or what its alias stands for as far as the trace has seen it. */
  topicOf(view: PublishView): string {
    const { buffer, topicStart, topicEnd, propertiesStart, propertiesEnd } = view;
    const topic = buffer.toString('utf8', topicStart, topicEnd);
    if (propertiesEnd === propertiesStart) return topic;
    readPublishProperties(buffer, propertiesStart, propertiesEnd, this.#properties);
    const { topicAlias } = this.#properties;
    if (topicAlias === 0) return topic;
    if (topic === '') return this.#aliases.get(topicAlias) ?? `(alias ${topicAlias})`;
    if (this.#aliases.size < ALIASES_MAX) this.#aliases.set(topicAlias, topic);
    return topic;
  }
}
