// Tests all ways between this node and another one, and finds out which direction of which port fails.
// Six paths decide it: out to either port, back to either port or to a port of its own, which no rule for
// these two ports blocks. A path that works proves both of its directions; one that fails, of which one
// direction is proven by another path, convicts the other one.
// Where no path works nothing is known: the host may be down, or its token another one.

import type { Endpoint } from '../../shared/endpoint.ts';
import type { Channel } from '../../shared/key-ring.ts';
import { type PeerFacts, readPeerFacts } from './peer-facts.ts';
import type { ProbeAnswer, ProbePath, Prober, Target } from './prober.ts';

const CHANNELS: readonly Channel[] = ['gossip', 'sync'];
const PATHS: readonly ProbePath[] = CHANNELS.flatMap((out) =>
  [...CHANNELS, 'apart' as const].map((back) => ({ out, back })),
);
/** With 20 % loss in each direction a path that works fails all of these once in 500 times. */
const TRIES = 6;
/** From one try to the next one. The last one waits longer. */
const TRY_MS = 120;
const LAST_TRY_MS = 600;
/** Sizes of datagrams that are tested beside the configured one, bytes. */
const SIZES: readonly number[] = [1472, 1400, 1200, 576];

export type WayState = 'ok' | 'blocked' | 'unknown';

/** Seen from this node, by port. */
export type Ways = Readonly<Record<Channel, { readonly out: WayState; readonly in: WayState }>>;

export interface PathReport {
  readonly ways: Ways;
  /** Of a path that leaves and comes back by this port. */
  readonly rttMs: Readonly<Record<Channel, number | undefined>>;
  /** Where the other node sees this one, by its gossip port or else by its sync port. */
  readonly observed: Endpoint | undefined;
  /** What the other node says of itself; undefined if no path works. */
  readonly facts: PeerFacts | undefined;
  /** How far its clock is ahead of ours, ms; half a round trip is uncertain. */
  readonly clockAheadMs: number | undefined;
  /** Largest datagram of those tested that passes there and back on the sync port. */
  readonly largestBytes: number | undefined;
}

export interface PathTestOptions {
  /** For the question who holds it. */
  readonly nodeName: string;
  /** Size of -datagram. */
  readonly datagramBytes: number;
}

/** Takes some round trips where all is well, and 1.5 s where something fails. Rejects with a BindError. */
export async function testPaths(
  prober: Prober,
  target: Target,
  options: PathTestOptions,
): Promise<PathReport> {
  await prober.openApart();
  try {
    return await testAll(prober, target, options);
  } finally {
    await prober.closeApart();
  }
}

async function testAll(
  prober: Prober,
  target: Target,
  { nodeName, datagramBytes }: PathTestOptions,
): Promise<PathReport> {
  const answers = await Promise.all(
    PATHS.map(async (path) => ({ path, answer: await tryPath(prober, target, path) })),
  );
  const straight = (channel: Channel): ProbeAnswer | undefined =>
    answers.find(({ path }) => path.out === channel && path.back === channel)?.answer;
  const working = answers.find(({ answer }) => answer !== undefined);
  const asked =
    working?.answer && (await askFacts(prober, target, working.path, working.answer, nodeName));
  const hasSync = straight('sync') !== undefined;
  return {
    ways: judgeWays(answers.map(({ path, answer }) => ({ path, works: answer !== undefined }))),
    rttMs: { gossip: straight('gossip')?.rttMs, sync: straight('sync')?.rttMs },
    observed: (straight('gossip') ?? straight('sync') ?? working?.answer)?.observed,
    facts: asked?.facts,
    clockAheadMs: asked?.clockAheadMs,
    largestBytes: hasSync ? await largest(prober, target, datagramBytes) : undefined,
  };
}

/** @param results of all four paths */
export function judgeWays(
  results: readonly { readonly path: ProbePath; readonly works: boolean }[],
): Ways {
  const ok = { out: new Set<Channel>(), in: new Set<ProbePath['back']>() };
  for (const { path, works } of results) {
    if (!works) continue;
    ok.out.add(path.out);
    ok.in.add(path.back);
  }
  const failing = results.filter(({ works }) => !works).map(({ path }) => path);
  const state = (direction: 'out' | 'in', channel: Channel): WayState => {
    if (ok[direction].has(channel)) return 'ok';
    const isConvicted =
      direction === 'out'
        ? failing.some((path) => path.out === channel && ok.in.has(path.back))
        : failing.some((path) => path.back === channel && ok.out.has(path.out));
    return isConvicted ? 'blocked' : 'unknown';
  };
  const of = (channel: Channel) => ({ out: state('out', channel), in: state('in', channel) });
  return { gossip: of('gossip'), sync: of('sync') };
}

/** True if no path works: then nothing is known about the other side. */
export function isSilent(ways: Ways): boolean {
  return CHANNELS.every((channel) => ways[channel].out !== 'ok' && ways[channel].in !== 'ok');
}

async function tryPath(
  prober: Prober,
  target: Target,
  path: ProbePath,
  bytes?: number,
): Promise<ProbeAnswer | undefined> {
  for (let count = 1; count <= TRIES; count++) {
    const timeoutMs = count === TRIES ? LAST_TRY_MS : TRY_MS;
    const options = { timeoutMs, ...(bytes !== undefined && { bytes }) };
    const answer = await prober.probe(target, path, options);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

async function askFacts(
  prober: Prober,
  target: Target,
  path: ProbePath,
  { cookie }: ProbeAnswer,
  nodeName: string,
): Promise<{ facts: PeerFacts; clockAheadMs: number } | undefined> {
  const text = JSON.stringify({ name: nodeName });
  for (let count = 1; count <= TRIES; count++) {
    const askedAt = Date.now();
    const answer = await prober.ask(target, path, cookie, { text, timeoutMs: 2 * TRY_MS });
    const facts = readPeerFacts(answer);
    if (facts === undefined) continue;
    return { facts, clockAheadMs: Math.round(facts.clock - (askedAt + Date.now()) / 2) };
  }
  return undefined;
}

async function largest(
  prober: Prober,
  target: Target,
  datagramBytes: number,
): Promise<number | undefined> {
  const sizes = [...new Set([datagramBytes, ...SIZES])].sort((a, b) => b - a);
  const path = { out: 'sync', back: 'sync' } as const;
  const passed = await Promise.all(
    sizes.map(async (bytes) => (await tryPath(prober, target, path, bytes)) && bytes),
  );
  return passed.find((bytes) => bytes !== undefined);
}
