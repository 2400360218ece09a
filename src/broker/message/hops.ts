// Which way a message has come over bridges, as a user property that travels with it, so that it reaches
// every site once however bridges join them:
//
//   shoal-hops = {id} {node} {node} ...
//
// The id names the message: the node that it was published on, and its number there. Each node whose
// bridge, or whose client that is a bridge, takes it on adds itself. Nodes are written as the hash of
// their boot id. A site drops what has passed one of its own nodes, and what it has seen before.
// Invariant: bounded in sites, in messages remembered and in hops.

import { encodeHops, hopsStart, hopsText, isHops } from '../../mqtt/hops-property.ts';
import { STRING_BYTES_MAX } from '../../mqtt/limits.ts';
import { PropertyId, walkProperties } from '../../mqtt/properties.ts';
import { FNV_PRIME, fnv1a } from '../../shared/fnv1a.ts';
import { sameBytes } from '../../shared/same-bytes.ts';
import { type Message, NO_BYTES, type Topic } from './message.ts';
import { HOPS_RADIX, NumberedHops } from './numbered-hops.ts';
import type { Publication } from './publication.ts';
import { SeenIds } from './seen-ids.ts';

/** Longer ways are cut: there is no site so far away, so it must be a circle of foreign bridges. */
const HOPS_MAX = 16;
/** Nodes of this site, those of earlier runs included. */
const SITE_NODES_MAX = 10_000;

export class Hops {
  /** This node; set anew when it gets a boot id. */
  #seed: number;
  #name: string;
  /** Of this node, and of the nodes that have been in its cluster. */
  readonly #site = new Set<string>();
  /** Of the messages that no other node has; falls. */
  #lastOwn = 0;
  /** Undefined until a bridge brings a message. */
  #seen: SeenIds | undefined;
  #plain: NumberedHops | undefined;
  /** The nodes of the last message: those of one bridge are nearly always the same. */
  #lastNodes = NO_BYTES;
  #wasFromOutside = false;
  #wasCircle = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#name = seed.toString(HOPS_RADIX);
    this.addNode(seed);
  }

  get seed(): number {
    return this.#seed;
  }

  set seed(seed: number) {
    this.#site.delete(this.#name);
    this.#seed = seed;
    this.#name = seed.toString(HOPS_RADIX);
    this.#plain = undefined;
    this.addNode(seed);
  }

  /** A node of this site. @param seed the hash of its boot id */
  addNode(seed: number): void {
    const name = seed.toString(HOPS_RADIX);
    if (this.#site.has(name)) return;
    this.#lastNodes = NO_BYTES;
    this.#site.add(name);
    const [oldest = ''] = this.#site;
    if (this.#site.size > SITE_NODES_MAX) this.#site.delete(oldest);
  }

  /** Names the message of a publication, once for all bridges that take it. */
  identify(message: Message, publication: Publication): void {
    message.hopId ??= this.#idOf(this.#originOf(publication), publication.hopNumber);
  }

  /** @returns the node that the id begins with. The number is `publication.hopNumber` afterwards. */
  #originOf(publication: Publication): number {
    const { number } = publication;
    if (publication.hopNumber === 0) {
      publication.hopNumber = number > 0 ? number : this.#ownNumber();
    }
    return number > 0 ? publication.origin : this.#seed;
  }

  /** For a message that only this node has: the number is negative, so that it is like no other. */
  #ownNumber(): number {
    this.#lastOwn -= 1;
    return this.#lastOwn;
  }

  #idOf(origin: number, number: number): string {
    return `${origin.toString(HOPS_RADIX)}.${number.toString(HOPS_RADIX)}`;
  }

  /**
   * The properties of a publication that came without any, as propertiesOf() makes them. Most differ only
   * in their number, so they share a buffer: it changes with the next call.
   */
  propertiesOfPlain(publication: Publication): Buffer {
    const origin = this.#originOf(publication);
    const number = publication.hopNumber;
    if (this.#plain?.takes(origin, number) !== true) {
      this.#plain = new NumberedHops(origin, number, this.#idOf(origin, number), this.#name);
    }
    return this.#plain.withNumber(number);
  }

  /** The properties of a message on its way over a bridge, with this node added. */
  propertiesOf(message: Message): Buffer {
    const { properties } = message;
    message.hopId ??= this.#idOf(this.#seed, this.#ownNumber());
    if (properties.length === 0) return encodeHops(`${message.hopId} ${this.#name}`);
    const parts: Buffer[] = [];
    let way: string = message.hopId;
    walkProperties(properties, 0, properties.length, 'publish', (id, start, end) => {
      if (id === PropertyId.userProperty && isHops(properties, start)) {
        way = hopsText(properties, start, end);
      } else parts.push(properties.subarray(start - 1, end));
    });
    // A client may send as many as a string takes: they begin anew then.
    if (way.length + 1 + this.#name.length > STRING_BYTES_MAX) way = message.hopId;
    parts.push(encodeHops(`${way} ${this.#name}`));
    return Buffer.concat(parts);
  }

  /**
   * Whether a message with hops must not be published here. Remembers it otherwise, under its topic: so
   * a client can make others lose only what it may publish itself.
   * @param start offset of the user property's value, as PublishProperties has it
   * @param isFromOutside it comes from no node of this site, so that one on its way means a circle
   */
  isRepeated(
    buffer: Buffer,
    start: number,
    end: number,
    topic: Topic,
    isFromOutside: boolean,
  ): boolean {
    const idStart = hopsStart(start);
    let idEnd = idStart;
    while (idEnd < end && buffer[idEnd] !== SPACE) idEnd += 1;
    if (this.#isCircle(buffer, idEnd, end, isFromOutside)) return true;
    this.#seen ??= new SeenIds();
    return !remember(this.#seen, buffer, idStart, idEnd, topic);
  }

  /** @param start behind the id */
  #isCircle(buffer: Buffer, start: number, end: number, isFromOutside: boolean): boolean {
    const last = this.#lastNodes;
    const isLast = isFromOutside === this.#wasFromOutside && sameBytes(last, buffer, start, end);
    if (isLast) return this.#wasCircle;
    const nodes = buffer.toString('latin1', start, end).trim().split(' ');
    const isOurs = isFromOutside && nodes.some((node) => this.#site.has(node));
    this.#lastNodes = Buffer.from(buffer.subarray(start, end));
    this.#wasFromOutside = isFromOutside;
    this.#wasCircle = isOurs || nodes.length > HOPS_MAX;
    return this.#wasCircle;
  }
}

const SPACE = 0x20;
const SECOND_FACTOR = 0x9e3779b1;

/** By two hashes of id and topic, FNV-1a and another one. @returns false if it was known */
function remember(
  seen: SeenIds,
  buffer: Buffer,
  start: number,
  end: number,
  topic: Topic,
): boolean {
  let first = fnv1a(topic.bytes, 0, topic.bytes.length);
  let second = topic.bytes.length;
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!;
    first = Math.imul(first ^ byte, FNV_PRIME);
    second = Math.imul(second + byte, SECOND_FACTOR) ^ (second >>> 15);
  }
  return seen.add(first, second);
}
