// The options of the nodes, drawn from a seed: those that all nodes share (docs/configuration.md says "the same on every
// node"), those that each node has by itself, and which nodes have a data folder. Pure.

type Random = () => number;

/** Who serves a shared group. */
export type Shared = 'node' | 'cluster';

export interface SiteFlags {
  readonly shared: Shared;
  /** Messages that fit into no datagram cross as well. */
  readonly isLarge: boolean;
  /** For each node, without its data folder. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

/** What waits for an absent reader is never too much, so that each message that is missing is lost. */
const ROOM_TO_WAIT = '-max-queued-messages=10000';

/** The same for every run: what a short run begins with, and what the release before knows. */
export function fixedFlags(names: readonly string[]): SiteFlags {
  const flags = ['-shared=cluster', '-roaming', ROOM_TO_WAIT];
  return {
    shared: 'cluster',
    isLarge: false,
    flags: new Map(names.map((name) => [name, flags])),
  };
}

export function drawFlags(names: readonly string[], random: Random): SiteFlags {
  const shared = random() < 0.5 ? 'cluster' : 'node';
  const isLarge = random() < 0.5;
  const common = [`-shared=${shared}`, ROOM_TO_WAIT];
  if (isLarge) common.push('-large=1M');
  if (random() < 0.75) common.push('-roaming');
  // -forward=interest excludes -shared=cluster (docs/decisions/0092) and -sync=multicast.
  const ways = shared === 'cluster' ? ['', MULTICAST] : ['', MULTICAST, INTEREST];
  const isMixed = random() < 0.5;
  const way = pick(ways, random);
  const flags = names.map((name) => {
    const own = isMixed ? pick(ways, random) : way;
    return [name, own === '' ? common : [...common, own]] as const;
  });
  return { shared, isLarge, flags: new Map(flags) };
}

const MULTICAST = '-sync=multicast';
const INTEREST = '-forward=interest';

/** @returns the nodes with a data folder: all, or some. Without any, a short run proves little of sessions. */
export function drawData(names: readonly string[], random: Random): readonly string[] {
  const isAll = random() < 0.5;
  const drawn = names.filter(() => random() < 0.5);
  if (isAll) return names;
  return drawn.length > 0 ? drawn : names.slice(0, 1);
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)]!;
}
