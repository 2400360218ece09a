// Latency at a fixed rate: an open loop, so a pause of the broker delays every message sent in it.
// `pauses` also keeps the worst stretches and the generator's own standstills, and publishes at QoS 1
// to sessions whose clients are offline.

import { performance } from 'node:perf_hooks';
import { Longest, sleep, startInterval } from './clock.ts';
import { publishPacket } from './packets.ts';
import { RawClient } from './raw-client.ts';
import { filtersOf, topicsOf } from './throughput.ts';
import type { Load, LoadResult } from './types.ts';

const TIME_BYTES = 8;
const SAMPLES_MAX = 4_000_000;

interface Probe {
  readonly samples: Float64Array;
  count: number;
  isMeasuring: boolean;
  readonly worst: Longest;
}

async function subscribeProbe(load: Load, size: number): Promise<Probe> {
  const subscriber = await RawClient.open(load.subscribeAt, 'bench-latency-s');
  await subscriber.subscribe(filtersOf(load, 0), load.subscribeQos);
  const samples = new Float64Array(SAMPLES_MAX);
  const probe: Probe = { samples, count: 0, isMeasuring: false, worst: new Longest() };
  subscriber.onPacket((buffer, _start, end) => {
    if (!probe.isMeasuring) return;
    const ms = performance.now() - buffer.readDoubleBE(end - size);
    if (probe.count < SAMPLES_MAX) samples[probe.count++] = ms;
    probe.worst.add(ms);
  });
  return probe;
}

/** One publisher and one subscriber; each turn calls `alsoSend` with the milliseconds since the start. */
async function probeLatency(load: Load, alsoSend: (ms: number) => void): Promise<LoadResult> {
  const size = Math.max(load.payloadBytes, TIME_BYTES);
  const probe = await subscribeProbe(load, size);
  const publisher = await RawClient.open(load.publishAt, 'bench-latency-p');
  let bytes = publishPacket(topicsOf(load, 0)[0]!, load.publishQos, Buffer.alloc(size));
  const perMs = load.ratePerSecond / 1000;
  const gaps = new Longest();
  let endInterval = startInterval(load.brokerPid);
  const started = performance.now();
  let before = started;
  let sent = 0;
  while (before < started + load.warmupMs + load.measureMs) {
    const now = performance.now();
    if (probe.isMeasuring) gaps.add(now - before);
    else if (now > started + load.warmupMs) {
      probe.isMeasuring = true;
      endInterval = startInterval(load.brokerPid);
    }
    before = now;
    const due = Math.floor((now - started) * perMs);
    for (; sent < due; sent++) {
      bytes.writeDoubleBE(performance.now(), bytes.length - size);
      if (!publisher.connection.write(bytes)) bytes = Buffer.from(bytes);
    }
    alsoSend(now - started);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { seconds, brokerCpu } = endInterval();
  await sleep(200);
  const sorted = probe.samples.subarray(0, probe.count).sort();
  const at = (share: number): number =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 1000;
  return {
    ...{ rate: probe.count / seconds, brokerBusy: brokerCpu / seconds },
    ...{ p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) },
    ...{ worst: probe.worst.list(), generatorGaps: gaps.list() },
  };
}

export function latency(load: Load): Promise<LoadResult> {
  return probeLatency(load, () => undefined);
}

/** Messages a second to offline sessions, which queue them and, with -data, store them. */
const QUEUED_PER_SECOND = 1_000;
const QUEUED_BYTES = 2_048;

export async function pauses(load: Load): Promise<LoadResult> {
  const publisher = await RawClient.open(load.publishAt, 'bench-queued-p');
  publisher.onPacket(() => undefined);
  const payload = Buffer.alloc(QUEUED_BYTES);
  let sent = 0;
  return probeLatency(load, (ms) => {
    for (; sent < (ms * QUEUED_PER_SECOND) / 1000 && load.publishers > 0; sent++) {
      const bytes = publishPacket(`session/${sent % load.publishers}/x`, 1, payload);
      bytes.writeUInt16BE((sent % 65_535) + 1, bytes.length - QUEUED_BYTES - 2);
      publisher.connection.write(bytes);
    }
  });
}
