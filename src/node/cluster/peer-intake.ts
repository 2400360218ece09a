// Takes the messages of other nodes, each in a turn of the event loop that has work left for it: one datagram may
// hold hundreds of messages, each for thousands of subscribers here. What a turn has no room for waits, and
// nodes take turns. Is between the sync channel and what handles its messages; knows no sockets.
// Invariant: the messages of one node keep their order. What waits is bounded in time and bytes, and a node loses
// messages only while it has more than its share of the bytes.

import type { Broker } from '../../broker/broker.ts';
import { PublishView } from '../../mqtt/publish-view.ts';
import { flushQueue } from '../../net/clients/flush-queue.ts';
import type { LogFields } from '../../shared/logger.ts';
import type { Stamp } from '../../shared/stamp.ts';
import type { PeerPublishHandler, Sender } from '../../sync/packet-reader.ts';
import type { RepairHandler } from '../../sync/repair.ts';
import type { RepairHead } from '../../sync/repair-codec.ts';
import type { IntakeCounters } from '../status/cluster-status.ts';
import { isStarved, ProcessorShare } from './processor-share.ts';

/** A message that has waited for longer is lost, as if the network had lost it, ms. */
const INTAKE_MS_MAX = 2000;
/** Of all nodes together, which share it equally; repaired values have as much again. */
export const INTAKE_BYTES_MAX = 8_388_608;
/** Of a message that waits, besides its packet. */
const ITEM_BYTES = 400;
/** Messages of one node between two looks at the clock, while no other node waits. */
const MESSAGES_PER_STEP = 16;
/** Repaired values of all nodes: they come on request, and may be older than live messages. */
const REPAIRS = 'repairs';

/** Why messages are lost: the machine is busy with other programs, or this node with its own work. */
const STARVED = {
  event: 'messages of another node lost: this node gets too little of the processor',
  bound: 'the processor time of this node',
  hint: 'top shows the programs that use it; in a container, its limit may be too low',
};
const BUSY = {
  event: 'messages of another node lost: this node has more work than time',
  bound: 'the work of this node',
  hint: 'are there many subscribers here for their topics, or busy clients? shoal top shows them',
};

type Handle = (now: number) => void;

interface Item {
  readonly bytes: number;
  readonly handle: Handle;
}

interface Lane {
  readonly items: Item[];
  /** The first item that waits. */
  next: number;
  bytes: number;
}

export interface PeerIntakeParts {
  readonly broker: { readonly context: Pick<Broker['context'], 'bounds' | 'budget' | 'log'> };
  readonly handler: PeerPublishHandler;
  readonly repairHandler: RepairHandler | undefined;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Processor time of this process so far, ms. */
  processorMs(): number;
}

export class PeerIntake implements PeerPublishHandler, RepairHandler {
  readonly counters: IntakeCounters = { delayed: 0, dropped: 0, starved: 0 };
  readonly #parts: PeerIntakeParts;
  /** Since messages began to wait. */
  readonly #processor: ProcessorShare;
  /** By boot id, in the order of their turns; none is empty. */
  readonly #lanes = new Map<bigint | typeof REPAIRS, Lane>();
  /** The turn of the event loop in which a message last came. */
  #turn = flushQueue.turns;
  /** The rest of a block of repaired values is dropped with it, so that it is asked for again. */
  #isDroppingBlock = false;

  constructor(parts: PeerIntakeParts) {
    this.#parts = parts;
    this.#processor = new ProcessorShare(parts.processorMs);
  }

  publishFromPeer(
    view: PublishView,
    now: number,
    sender: Sender,
    number: number | undefined,
    stamp?: Stamp,
  ): void {
    const { handler, broker } = this.#parts;
    const { budget } = broker.context;
    this.#watchTurns(now);
    if (this.#lanes.size === 0 && !budget.isTurnSpent) {
      const begin = flushQueue.size;
      handler.publishFromPeer(view, now, sender, number, stamp);
      flushQueue.endGroup(begin);
      return;
    }
    const bytes = view.end - view.start + ITEM_BYTES;
    const lane = this.#lanes.get(sender.bootId);
    if (lane !== undefined && lane.bytes + bytes > INTAKE_BYTES_MAX / this.#lanes.size) {
      this.#drop(sender.name, now, { waitingBytes: lane.bytes });
      return;
    }
    const own = copyOf(view);
    this.#wait(sender.bootId, bytes, (at) => {
      const waitedMs = Math.round(at - now);
      if (waitedMs > INTAKE_MS_MAX) this.#drop(sender.name, at, { waitedMs });
      else handler.publishFromPeer(own, at, sender, number, stamp);
    });
  }

  repairFromPeer(view: PublishView, stamp: Stamp, now: number): void {
    const { repairHandler, broker } = this.#parts;
    const { budget } = broker.context;
    if (this.#lanes.size === 0 && !budget.isTurnSpent && !this.#isDroppingBlock) {
      const begin = flushQueue.size;
      repairHandler?.repairFromPeer(view, stamp, now);
      flushQueue.endGroup(begin);
      return;
    }
    const bytes = view.end - view.start + ITEM_BYTES;
    const waiting = this.#lanes.get(REPAIRS)?.bytes ?? 0;
    this.#isDroppingBlock ||= waiting + bytes > INTAKE_BYTES_MAX;
    if (this.#isDroppingBlock) return;
    const own = copyOf(view);
    this.#wait(REPAIRS, bytes, (at) => repairHandler?.repairFromPeer(own, stamp, at));
  }

  blockFromPeer(member: bigint, head: RepairHead, now: number): void {
    const { repairHandler } = this.#parts;
    if (this.#isDroppingBlock) this.#isDroppingBlock = false;
    else if (!this.#lanes.has(REPAIRS)) repairHandler?.blockFromPeer(member, head, now);
    else {
      this.#wait(REPAIRS, ITEM_BYTES, (at) => repairHandler?.blockFromPeer(member, head, at));
    }
  }

  /** Many short turns together spend a budget, too. Then the next one has a full budget, and nothing waits. */
  #watchTurns(now: number): void {
    const { turns } = flushQueue;
    if (turns === this.#turn) return;
    this.#turn = turns;
    const { budget } = this.#parts.broker.context;
    if (budget.isTurnSpent) budget.beginTurn(now);
  }

  #wait(key: bigint | typeof REPAIRS, bytes: number, handle: Handle): void {
    if (this.#lanes.size === 0) {
      this.#processor.begin(this.#parts.now());
      this.#parts.broker.context.budget.repeat(() => this.#handleNext());
    }
    this.counters.delayed += 1;
    const item = { bytes, handle };
    const lane = this.#lanes.get(key);
    if (lane === undefined) {
      this.#lanes.set(key, { items: [item], next: 0, bytes });
      return;
    }
    lane.items.push(item);
    lane.bytes += bytes;
  }

  /** Handles the next message of the node whose turn it is, or several if no other node waits. @returns false when none waits */
  #handleNext(): boolean {
    const [turn] = this.#lanes;
    if (turn === undefined) return false;
    const [key, lane] = turn;
    const isAlone = this.#lanes.size === 1;
    const now = this.#parts.now();
    const { budget } = this.#parts.broker.context;
    const end = Math.min(lane.items.length, lane.next + (isAlone ? MESSAGES_PER_STEP : 1));
    do {
      const item = lane.items[lane.next]!;
      lane.next += 1;
      lane.bytes -= item.bytes;
      const begin = flushQueue.size;
      item.handle(now);
      flushQueue.endGroup(begin);
    } while (lane.next < end && !budget.isTurnSpent);
    if (lane.next === lane.items.length || !isAlone) this.#lanes.delete(key);
    if (lane.next < lane.items.length) this.#lanes.set(key, withoutHandled(lane));
    return this.#lanes.size > 0;
  }

  #drop(node: string, now: number, bound: LogFields): void {
    const share = this.#processor.at(now);
    const cause = isStarved(share) ? STARVED : BUSY;
    this.counters.dropped += 1;
    if (cause === STARVED) this.counters.starved += 1;
    const { bounds, log } = this.#parts.broker.context;
    const count = bounds.admit(`messages of ${node}`, cause.bound, now);
    if (count === 0) return;
    const processorPercent = share === undefined ? undefined : Math.round(share * 100);
    const { event, hint } = cause;
    log.warn(event, { node, count, ...bound, processorPercent, hint });
  }
}

/** Removes handled items in large steps, so that each is moved a bounded number of times. */
function withoutHandled(lane: Lane): Lane {
  if (lane.next * 2 < lane.items.length) return lane;
  return { ...lane, items: lane.items.slice(lane.next), next: 0 };
}

/** The caller uses its view for the next packet; the bytes stay as they are. */
function copyOf(view: PublishView): PublishView {
  const copy = new PublishView();
  copy.buffer = view.buffer;
  copy.start = view.start;
  copy.end = view.end;
  copy.version = view.version;
  copy.qos = view.qos;
  copy.retain = view.retain;
  copy.dup = view.dup;
  copy.packetId = view.packetId;
  copy.topicStart = view.topicStart;
  copy.topicEnd = view.topicEnd;
  copy.propertiesStart = view.propertiesStart;
  copy.propertiesEnd = view.propertiesEnd;
  copy.payloadStart = view.payloadStart;
  return copy;
}
