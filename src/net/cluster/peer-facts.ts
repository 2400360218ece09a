// What a node says to another one, or to its doctor, that asks by a question (prober.ts): its name,
// version and clock, who has the name of the one that asks, and as many members as fit.
// Invariant: the text fits into the answer; reading never throws.

import type { Endpoint } from '../../shared/endpoint.ts';
import type { MemberView } from './gossip-view.ts';
import { PROBE_FACTS_BYTES_MAX } from './prober.ts';

/** A member as the facts have it. */
export interface KnownMember {
  readonly name: string;
  readonly gossip: Endpoint;
  readonly sync: Endpoint;
}

export interface PeerFacts {
  readonly name: string;
  readonly version: string;
  /** Wall clock, ms since 1970. */
  readonly clock: number;
  /** As in Metadata. */
  readonly machine?: string | undefined;
  /** The online node with the name that the question has; undefined if there is none. */
  readonly holder: Endpoint | undefined;
  /** Members that are online, without the node itself. */
  readonly members: readonly KnownMember[];
}

/** @param question `{ "name": the name of the node that asks }` */
export function factsFor(
  question: unknown,
  own: {
    readonly nodeName: string;
    readonly version: string;
    readonly clock: number;
    readonly machine?: string | undefined;
    readonly members: readonly MemberView[];
  },
): PeerFacts {
  const asked = recordOf(question).name;
  const online = own.members.filter(({ state }) => state === 'alive' || state === 'suspect');
  const holder = online.find(({ name }) => name === asked)?.endpoint;
  const { nodeName: name, version, clock, machine } = own;
  const facts = { name, version, clock, machine, holder };
  const members: KnownMember[] = [];
  for (const { name: other, isSelf, endpoint: gossip, metadata } of online) {
    if (isSelf) continue;
    const sync = { address: gossip.address, port: metadata.syncPort };
    const next = [...members, { name: other, gossip, sync }];
    if (Buffer.byteLength(JSON.stringify({ ...facts, members: next })) > PROBE_FACTS_BYTES_MAX)
      break;
    members.push({ name: other, gossip, sync });
  }
  return { ...facts, members };
}

/** @returns undefined for what is no facts */
export function readPeerFacts(value: unknown): PeerFacts | undefined {
  const { name, version, clock, machine, holder, members } = recordOf(value);
  if (typeof name !== 'string' || typeof version !== 'string') return undefined;
  if (typeof clock !== 'number' || !Array.isArray(members)) return undefined;
  return {
    name,
    version,
    clock,
    machine: typeof machine === 'string' ? machine : undefined,
    holder: readEndpoint(holder),
    members: members.flatMap(readMember),
  };
}

function readMember(value: unknown): KnownMember[] {
  const { name, gossip, sync } = recordOf(value);
  const [there, back] = [readEndpoint(gossip), readEndpoint(sync)];
  if (typeof name !== 'string' || there === undefined || back === undefined) return [];
  return [{ name, gossip: there, sync: back }];
}

function readEndpoint(value: unknown): Endpoint | undefined {
  const { address, port } = recordOf(value);
  if (typeof address !== 'string' || typeof port !== 'number') return undefined;
  return { address, port };
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
