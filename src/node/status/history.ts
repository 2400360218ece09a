// What this node did in the last ten minutes, sampled, and what happened to the site: for the dashboard's
// pulse, and the histograms of what only samples can show. Invariant: bounded; one timer, which runs twice a second.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';
import type { EventLog } from '../../http/event-log.ts';
import type { HistoryMark, HistorySample } from '../../http/node-api.ts';
import { Histogram } from '../../metrics/histogram.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import type { ClusterStatus } from './cluster-status.ts';
import { NodeGauge } from './node-gauge.ts';
import { markOfConnects, markOfEvent } from './pulse-marks.ts';

export const HISTORY_STEP_MS = 5_000;
const SAMPLES_MAX = 120;
const MARKS_MAX = 60;
const TICK_MS = 500;
const TICKS_PER_RTT = 2;
const TICKS_PER_SAMPLE = HISTORY_STEP_MS / TICK_MS;

export class History {
  readonly #broker: Broker;
  readonly #cluster: () => ClusterStatus | undefined;
  readonly #gauge: NodeGauge;
  readonly #timer: NodeJS.Timeout;
  readonly #loopDelay = new Histogram();
  #rtt = new Map<string, Histogram>();
  readonly #samples: HistorySample[] = [];
  readonly #marks: HistoryMark[] = [];
  #ticks = 0;
  #expectedAt = performance.now() + TICK_MS;
  #delayMax = 0;
  #dropped = 0;
  #connects = 0;

  /** @param events lines of the log, some of which are worth a mark */
  constructor(broker: Broker, events: EventLog, cluster: () => ClusterStatus | undefined) {
    this.#broker = broker;
    this.#cluster = cluster;
    this.#gauge = new NodeGauge(broker);
    this.#timer = setInterval(() => this.#tick(performance.now()), TICK_MS);
    this.#timer.unref();
    events.listen((event) => this.#mark(markOfEvent(event)));
    broker.sys.addSource('times', () => this.#metrics());
  }

  /** The latest last. */
  get samples(): readonly HistorySample[] {
    return this.#samples;
  }

  /** What happened to the site in that time, the latest last. */
  get marks(): readonly HistoryMark[] {
    return this.#marks;
  }

  configurationRead(): void {
    this.#mark({ at: Date.now(), kind: 'config', text: 'the configuration was read again' });
  }

  #metrics(): ValuesOf<'times'> {
    const rtt = [...this.#rtt].map(([node, value]) => ({ labels: { node }, value }));
    return { loopDelay: this.#loopDelay, rtt };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(now: number): void {
    const delayMs = Math.max(0, now - this.#expectedAt);
    this.#expectedAt = now + TICK_MS;
    this.#loopDelay.observe(delayMs / 1000);
    this.#delayMax = Math.max(this.#delayMax, delayMs);
    this.#ticks += 1;
    if (this.#ticks % TICKS_PER_RTT === 0) this.#sampleRtt();
    if (this.#ticks % TICKS_PER_SAMPLE === 0) this.#sample();
  }

  /** Members that are gone from the list take their histogram with them. */
  #sampleRtt(): void {
    const before = this.#rtt;
    this.#rtt = new Map();
    for (const { member, peer } of this.#cluster()?.members() ?? []) {
      if (member.isSelf || peer === undefined) continue;
      const histogram = before.get(member.name) ?? new Histogram();
      this.#rtt.set(member.name, histogram);
      if (peer.isOnline && peer.rttMs !== undefined) histogram.observe(peer.rttMs / 1000);
    }
  }

  #sample(): void {
    const { stats, queuedMessages } = this.#broker;
    const dropped = stats.publishDropped - this.#dropped;
    this.#dropped = stats.publishDropped;
    const at = Date.now();
    const figures = this.#gauge.measure();
    this.#mark(markOfConnects(at, stats.connectsReceived - this.#connects, figures.clients));
    this.#connects = stats.connectsReceived;
    this.#samples.push({
      at,
      ...figures,
      queued: queuedMessages,
      dropped,
      loopDelayMs: Math.round(this.#delayMax),
    });
    this.#delayMax = 0;
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  #mark(mark: HistoryMark | undefined): void {
    if (mark === undefined) return;
    this.#marks.push(mark);
    if (this.#marks.length > MARKS_MAX) this.#marks.shift();
  }
}
