// Publishes runs: QoS 0 messages of one topic that came together and go to each subscriber as they came
// (mqtt/publish-run.ts). Decides which messages may be a run; publish.ts has checked the first of them.
// Invariant: a run has the effect of its messages one by one: on counters, on other nodes, on the budget, and on
// the order at each subscriber. Where one subscriber needs a look at each message, no one gets a run.

import { PublishRun } from '../../mqtt/publish-run.ts';
import type { PublishView } from '../../mqtt/publish-view.ts';
import type { BrokerContext } from '../context.ts';
import { bytesPrice, Price } from '../prices.ts';
import type { RoutedTopic } from '../routing/topic-table.ts';
import type { Client } from './client.ts';

const MESSAGE_PRICE = Price.packet + Price.message;

/** One for all clients. */
export class RunPublisher {
  readonly #context: BrokerContext;
  readonly #run = new PublishRun();

  constructor(context: BrokerContext) {
    this.#context = context;
  }

  /**
   * Publishes the packet at hand together with those behind it.
   * @param view the packet, of QoS 0; may move to the last one of the run
   * @returns false: the message is to be published alone
   */
  publish(client: Client, view: PublishView, topic: RoutedTopic): boolean {
    const { budget, distributor, options, router } = this.#context;
    const { framer, session } = client;
    if (view.end === framer.buffer.length || framer.isMarked) return false;
    if (!this.#mayRun(client, view)) return false;
    const run = this.#run;
    const packetBytesMax = Math.min(framer.packetBytesMax, options.payloadBytesMax);
    // Many clients that flood have a small share of a turn each, and would look at the same packets in every turn.
    const packetsMax = budget.workLeft / MESSAGE_PRICE;
    if (!run.find(view, packetBytesMax, packetsMax)) return false;
    const subscribers = router.subscribersOf(topic);
    // Each of thousands of subscribers gets only as many messages as this turn has work left for.
    const price = priceOf(run, subscribers);
    const { workLeft } = budget;
    const bytesMax = (run.bytes * workLeft) / price;
    if (price > workLeft && !run.find(view, packetBytesMax, packetsMax, bytesMax)) return false;
    const firstEnd = view.end;
    if (subscribers < 0 || !distributor.distributeRun(run, view, topic, session!.outbound)) {
      // The whole chunk goes one by one: to look at all subscribers again would make each message dearer.
      framer.isMarked = true;
      return false;
    }
    budget.spend(priceOf(run, subscribers));
    this.#count(client, run.count - 1, run.end - firstEnd);
    framer.skipTo(run.end);
    return true;
  }

  /** The packet says nothing of its own, and nothing decides on each packet: no rate, no bridge, no program. */
  #mayRun({ listener, session }: Client, view: PublishView): boolean {
    const { authorizer, distributor, options } = this.#context;
    return (
      !view.retain &&
      view.propertiesStart === view.propertiesEnd &&
      listener.rates?.isLimited !== true &&
      session!.outbound.bridge === undefined &&
      authorizer.judge === undefined &&
      distributor.onPublished === undefined &&
      !options.upgradeQos
    );
  }

  /** What the first packet has not been counted for. */
  #count(client: Client, packets: number, bytes: number): void {
    const { stats } = this.#context;
    stats.packetsReceived += packets;
    stats.publishReceived += packets;
    client.publishReceived += packets;
    stats.publishReceivedBytes += bytes;
  }
}

/**
 * As of its messages one by one, but for the bytes of each subscriber: they are not copied here, and
 * connections write those of many subscribers in several turns.
 */
function priceOf({ count, bytes }: PublishRun, subscribers: number): number {
  const copies = 1 + subscribers / 4;
  return count * MESSAGE_PRICE + subscribers * Price.delivery + copies * bytesPrice(bytes);
}
