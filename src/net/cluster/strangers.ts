// Remembers who sends datagrams that fail the check of their envelope, and finds out why: another token,
// another cluster name, another -encrypt, or another program. Nothing answers such a datagram; this is
// for the doctor. Invariant: bounded; keeping one costs a copy of its last datagram.

import type { Endpoint } from '../../shared/endpoint.ts';
import {
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  type EnvelopeFault,
  Opener,
} from '../../shared/envelope.ts';
import { deriveKeyRing } from '../../shared/key-ring.ts';
import { decodeMessage } from '../../swim/codec.ts';

const STRANGERS_MAX = 64;
/** What came longer ago is over. */
const RECENT_MS = 60_000;
/** Each may cost the derivation of two keys. */
const REPORTED_MAX = 8;
/** The doctor of another box asks with one byte whether its host is up (src/doctor/host-reach.ts). */
const REACH_BYTES = 1;
const DEFAULT_CLUSTER_NAME = 'shoal';

interface Stranger {
  readonly fault: EnvelopeFault;
  readonly from: Endpoint;
  readonly datagram: Buffer;
  readonly count: number;
  readonly lastAt: number;
}

/** Why datagrams of an address are refused. */
export interface StrangerReport {
  readonly address: string;
  readonly reason: 'token' | 'cluster' | 'encrypt' | 'program' | 'damaged' | 'beacon';
  readonly count: number;
  /** Name of its cluster, where it says one. */
  readonly clusterName: string | undefined;
}

export class Strangers {
  /** By address and fault. */
  readonly #strangers = new Map<string, Stranger>();

  /** @param datagram of the gossip port; is copied */
  note(fault: EnvelopeFault, datagram: Buffer, from: Endpoint, now: number): void {
    if (datagram.length <= REACH_BYTES) return;
    const key = `${from.address} ${fault}`;
    const count = (this.#strangers.get(key)?.count ?? 0) + 1;
    this.#strangers.delete(key);
    if (this.#strangers.size >= STRANGERS_MAX) {
      this.#strangers.delete(this.#strangers.keys().next().value ?? '');
    }
    this.#strangers.set(key, { fault, from, datagram: Buffer.from(datagram), count, lastAt: now });
  }

  /** Those of the last minute, with the reason that the datagram proves. */
  async report(
    now: number,
    tokens: readonly string[],
    clusterName: string,
  ): Promise<StrangerReport[]> {
    const recent = [...this.#strangers.values()]
      .filter(({ lastAt }) => now - lastAt < RECENT_MS)
      .slice(-REPORTED_MAX);
    return Promise.all(recent.map((stranger) => reportOf(stranger, tokens, clusterName)));
  }
}

/** Adds the boxes whose beacons can't be opened; of an address that speaks gossip too, that says more. */
export function withCallers(
  reports: readonly StrangerReport[],
  callers: Iterable<string>,
): StrangerReport[] {
  const known = new Set(reports.map(({ address }) => address));
  const added = [...callers].filter((address) => !known.has(address));
  const beacon = { reason: 'beacon', count: 1, clusterName: undefined } as const;
  return [...reports, ...added.map((address) => ({ address, ...beacon }))];
}

async function reportOf(
  { fault, datagram, from, count }: Stranger,
  tokens: readonly string[],
  ownName: string,
): Promise<StrangerReport> {
  const { address } = from;
  const report = { address, count, clusterName: undefined };
  switch (fault) {
    case 'wrongMode':
      return {
        ...report,
        reason: (await isSignedUnder(datagram, tokens, ownName)) ? 'encrypt' : 'damaged',
      };
    case 'badMac':
      return { ...report, reason: 'damaged' };
    case 'unknownKey':
      break;
    default:
      return { ...report, reason: 'program' };
  }
  const claimed = claimedCluster(datagram);
  for (const name of new Set([claimed, DEFAULT_CLUSTER_NAME])) {
    if (name === undefined || name === ownName) continue;
    if (await isSignedUnder(datagram, tokens, name)) {
      return { ...report, reason: 'cluster', clusterName: name };
    }
  }
  return { ...report, reason: 'token', clusterName: claimed };
}

/** Unproven: anyone may write such a name. */
function claimedCluster(datagram: Buffer): string | undefined {
  const body = datagram.subarray(ENVELOPE_HEADER_BYTES, datagram.length - ENVELOPE_TAG_BYTES);
  return decodeMessage(body)?.cluster?.replace(/[^\x20-\x7e]/g, '?');
}

/** The same token and this cluster name have made the proof of the datagram. */
async function isSignedUnder(
  datagram: Buffer,
  tokens: readonly string[],
  clusterName: string,
): Promise<boolean> {
  const { gossip } = await deriveKeyRing(tokens, clusterName);
  return new Opener(gossip, false).isAuthentic(datagram);
}
