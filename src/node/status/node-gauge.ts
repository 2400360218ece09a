// Measures what this node does: clients, rates, load. Each user has a gauge of its own, because a rate
// counts from that gauge's last measurement.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../../broker/broker.ts';

/** The load of a shorter time says nothing: a node that starts is busy for all of it. */
const SPAN_MS_MIN = 1000;

export interface NodeFigures {
  readonly clients: number;
  readonly sessions: number;
  /** PUBLISH packets from clients, and to clients, a second. */
  readonly receivedPerSecond: number;
  readonly sentPerSecond: number;
  /** Share of the time in which the event loop was busy, percent. */
  readonly loadPercent: number;
}

export class NodeGauge {
  readonly #broker: Broker;
  #measuredAt = performance.now();
  #received = 0;
  #sent = 0;
  #busy = performance.eventLoopUtilization();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Rates and load since the last call. */
  measure(): NodeFigures {
    const { stats, sessionCount: sessions } = this.#broker;
    const now = performance.now();
    const seconds = Math.max(0.001, (now - this.#measuredAt) / 1000);
    const isTooShort = now - this.#measuredAt < SPAN_MS_MIN;
    const busy = isTooShort ? 0 : performance.eventLoopUtilization(this.#busy).utilization;
    const receivedPerSecond = (stats.publishReceived - this.#received) / seconds;
    const sentPerSecond = (stats.publishSent - this.#sent) / seconds;
    this.#measuredAt = now;
    this.#received = stats.publishReceived;
    this.#sent = stats.publishSent;
    this.#busy = performance.eventLoopUtilization();
    return {
      clients: stats.clientsConnected,
      sessions,
      receivedPerSecond: Math.round(receivedPerSecond),
      sentPerSecond: Math.round(sentPerSecond),
      loadPercent: Math.round(busy * 100),
    };
  }
}
