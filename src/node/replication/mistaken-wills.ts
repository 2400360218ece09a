// Mends the retained value of a client that another node took for dead: in a partition, for instance, it
// published the will, and `offline` replaced the `online` of a device that is still connected here. That node
// also cleared the client's register, in the same moment. Register and value arrive in any order; the register does not
// arrive at all if the node ends before. A node that was not online here when it wrote the value could not know of the client.
// Invariant: a value is published again only if the client is connected here, and only in place of its will.

import type { Broker } from '../../broker/broker.ts';
import type { Message } from '../../broker/message/message.ts';
import type { WillPacket } from '../../mqtt/control-decoder.ts';
import type { Stamp } from '../../shared/stamp.ts';

/** Times of nodes that have just met differ by less than this, ms of the cluster clock. */
const CLOCK_ERROR_MS = 1000;
/** All nodes have heard of a client after this time, also where datagrams are lost. */
const HEARD_WITHIN_MS = 5000;

interface Replacement {
  /** ms of the cluster clock. */
  readonly time: number;
  /** The writer was not online here at that time. */
  readonly isByStranger: boolean;
  readonly before: Message;
}

interface Client {
  readonly clientId: string;
  readonly topic: string;
  /** Until when other nodes may have taken the client for gone, ms of the cluster clock. */
  goneUntil: number | undefined;
  /** When another node replaced the value of the topic, and what it was. */
  replacement: Replacement | undefined;
}

export class MistakenWills {
  readonly #broker: Broker;
  readonly #mended: (clientId: string) => void;
  readonly #wasOnline: (writer: bigint, time: number) => boolean;
  /** Connected clients whose wills are retained. */
  readonly #clients = new Map<string, Client>();
  /** By the topic of the will; of two clients with one topic the later one. */
  readonly #byTopic = new Map<string, Client>();

  /**
   * @param mended called when a value was published again
   * @param wasOnline whether this node was online here at this time, ms of the cluster clock, and is since then
   */
  constructor(
    broker: Broker,
    mended: (clientId: string) => void,
    wasOnline: (writer: bigint, time: number) => boolean,
  ) {
    this.#broker = broker;
    this.#mended = mended;
    this.#wasOnline = wasOnline;
  }

  /** @param announcedAt when the other nodes are informed, ms of the cluster clock */
  connected(clientId: string, will: WillPacket | undefined, announcedAt: number): void {
    if (will?.retain === true && this.#clients.get(clientId)?.topic === will.topic) return;
    this.disconnected(clientId);
    if (will?.retain !== true) return;
    const { topic } = will;
    const goneUntil = announcedAt + HEARD_WITHIN_MS;
    const client = { clientId, topic, goneUntil, replacement: undefined };
    this.#clients.set(clientId, client);
    this.#byTopic.set(topic, client);
  }

  disconnected(clientId: string): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    this.#clients.delete(clientId);
    if (this.#byTopic.get(client.topic) === client) this.#byTopic.delete(client.topic);
  }

  /**
   * Another node has cleared the register of a client that is connected here, and this node has announced it
   * anew. Each side of a partition takes the client for gone at a time of its own: of the others only
   * the wills are seen here, of any time before the announcement.
   * @param announcedAt ms of the cluster clock
   */
  cleared(clientId: string, announcedAt: number, now: number): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    client.goneUntil = announcedAt + CLOCK_ERROR_MS;
    this.#mend(client, now);
  }

  /** A value of another node is about to replace the one that is retained here. */
  replacing(topic: string, { time, writer }: Stamp): void {
    const client = this.#byTopic.get(topic);
    if (client === undefined) return;
    const before = this.#broker.retainedMessage(topic);
    const will = this.#broker.publishableWill(client.clientId);
    // A second node may have published the will as well.
    const isWill = before !== undefined && will?.payload.equals(before.payload) === true;
    const value = isWill ? client.replacement?.before : before;
    const isByStranger = !this.#wasOnline(writer, time);
    client.replacement = value && { time, isByStranger, before: value };
  }

  /** The broker has got the value that replacing() announced. */
  replaced(topic: string, now: number): void {
    const client = this.#byTopic.get(topic);
    if (client?.replacement !== undefined) this.#mend(client, now);
  }

  #mend(client: Client, now: number): void {
    const { clientId, topic, goneUntil, replacement } = client;
    if (replacement === undefined) return;
    const wasGone = goneUntil !== undefined && replacement.time <= goneUntil;
    if (!wasGone && !replacement.isByStranger) return;
    const current = this.#broker.retainedMessage(topic);
    const will = this.#broker.publishableWill(clientId);
    if (current === undefined || will?.payload.equals(current.payload) !== true) return;
    client.goneUntil = undefined;
    client.replacement = undefined;
    this.#broker.retainAgain(replacement.before, now);
    this.#mended(clientId);
  }
}
