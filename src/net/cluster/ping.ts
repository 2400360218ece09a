// What `shoal ping NODE` measures: round trips on both ports, the sizes that pass, blocked directions and
// the other clock. Knows the prober alone.

import type { Channel } from '../../shared/key-ring.ts';
import { type PathTestOptions, testPaths, type Ways } from './path-test.ts';
import type { Prober, Target } from './prober.ts';

const ROUNDS = 5;
const ROUND_TIMEOUT_MS = 1000;
/** The largest PUBLISH between nodes needs this many datagrams. */
const PARTS = 3;
const PARTS_BYTES = 4096;
const ONE_PART_BYTES = 1400;
/** Lost datagrams are no reason to call a size bad. */
const SIZE_TRIES = 3;

export interface PortPing {
  readonly port: number;
  readonly sent: number;
  readonly answered: number;
  /** Of the answered ones, ms; undefined if there was none. */
  readonly rttMs:
    | { readonly min: number; readonly average: number; readonly max: number }
    | undefined;
}

export interface SizePing {
  readonly bytes: number;
  readonly parts: number;
  readonly passes: boolean;
}

export interface PingReport {
  readonly address: string;
  readonly ports: Readonly<Record<Channel, PortPing>>;
  /** On the sync port. */
  readonly sizes: readonly SizePing[];
  /** Largest datagram of those tested that passes. */
  readonly largestBytes: number | undefined;
  readonly ways: Ways;
  /** How far the other clock is ahead, ms. */
  readonly clockAheadMs: number | undefined;
}

export async function ping(
  prober: Prober,
  target: Target,
  options: PathTestOptions,
): Promise<PingReport> {
  const [gossip, sync] = await Promise.all([
    pingPort(prober, target, 'gossip'),
    pingPort(prober, target, 'sync'),
  ]);
  const { ways, clockAheadMs, largestBytes } = await testPaths(prober, target, options);
  const sizes = await Promise.all([
    pingSize(prober, target, ONE_PART_BYTES, 1),
    pingSize(prober, target, PARTS_BYTES, PARTS),
  ]);
  const { address } = target.gossip;
  return { address, ports: { gossip, sync }, sizes, largestBytes, ways, clockAheadMs };
}

async function pingPort(prober: Prober, target: Target, channel: Channel): Promise<PortPing> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const answer = await prober.probe(
      target,
      { out: channel, back: channel },
      { timeoutMs: ROUND_TIMEOUT_MS },
    );
    if (answer !== undefined) times.push(answer.rttMs);
  }
  const sum = times.reduce((total, time) => total + time, 0);
  const rttMs =
    times.length === 0
      ? undefined
      : {
          min: rounded(Math.min(...times)),
          average: rounded(sum / times.length),
          max: rounded(Math.max(...times)),
        };
  return { port: target[channel].port, sent: ROUNDS, answered: times.length, rttMs };
}

/** All parts have to pass at the same time, as those of a split message do. */
async function pingSize(
  prober: Prober,
  target: Target,
  bytes: number,
  parts: number,
): Promise<SizePing> {
  const path = { out: 'sync', back: 'sync' } as const;
  const options = { bytes: Math.ceil(bytes / parts), timeoutMs: ROUND_TIMEOUT_MS };
  for (let count = 0; count < SIZE_TRIES; count++) {
    const all = Array.from({ length: parts }, () => prober.probe(target, path, options));
    if ((await Promise.all(all)).every((answer) => answer !== undefined)) {
      return { bytes, parts, passes: true };
    }
  }
  return { bytes, parts, passes: false };
}

/** To microseconds. */
function rounded(ms: number): number {
  return Number(ms.toFixed(3));
}
