// What is wrong on one node as it knows itself, in the form in which the nodes let each other know. Clocks
// of boxes differ, so a trouble travels with its age and gets its start from the clock of the reader.
// Invariant: the encoded form is bounded, since it shares one datagram with the node's figures.

import type { RivalKind } from '../../net/cluster/name-rival.ts';
import { wallTime } from '../wall-time.ts';

export interface LostBridge {
  readonly name: string;
  readonly address: string;
  /** Begin of the outage, ms since 1970. */
  readonly since: number;
  readonly reason: string;
  /** Messages that wait for the far side. */
  readonly waiting: number;
}

export interface LostToLoad {
  readonly dropped: number;
  /** Of these, the ones for which the node got too little of the processor. */
  readonly starved: number;
}

/** Another box with the name of this one. */
export interface NameTrouble {
  readonly address: string;
  readonly kind: RivalKind;
  /** It has the name in the cluster, and this node serves its clients alone. */
  readonly isHolder: boolean;
  /** As NameRival.since, ms since 1970. */
  readonly since: number;
}

/** A direction between the node and another one that fails, or loses messages. */
export interface LinkTrouble {
  /** Name of the other node. */
  readonly peer: string;
  /** From the other node to this one. */
  readonly isIncoming: boolean;
  readonly protocol: 'UDP' | 'TCP';
  /** Of the receiver. */
  readonly port: number;
  readonly isBlocked: boolean;
  /** As in LinkFacts. */
  readonly lossShare: number | undefined;
}

/** An address of -address that a host outside the cluster uses. */
export interface UsedAddress {
  readonly address: string;
  /** Of that host, where the system knows it. */
  readonly hardware: string | undefined;
  /** The node has it as well; else the node does not take it. */
  readonly isHeld: boolean;
  /** Since when it is known, ms since 1970. */
  readonly since: number;
}

/** What a reload has refused: the last valid version is in force. */
export interface InvalidFiles {
  /** With file and line. */
  readonly problem: string;
  /** Further problems. */
  readonly others: number;
  /** ms since 1970. */
  readonly since: number;
}

export interface NodeTroubles {
  /** Undefined while the disk takes changes, or there is none. */
  readonly disk: { readonly folder: string; readonly refusingSince: number } | undefined;
  /** Bridges that do not reach their far side. */
  readonly lostBridges: readonly LostBridge[];
  /** Messages that full queues dropped in the last minute. */
  readonly droppedMessages: number;
  /** Messages of other nodes for which this one had no time in the last minute. */
  readonly overload: LostToLoad;
  /** Another box that claims its name, or has it; undefined if there is none. */
  readonly nameRival: NameTrouble | undefined;
  /** What its clock says, ms since 1970, if it was never set. */
  readonly unsetClock: number | undefined;
  /** Blocked ones first. */
  readonly links: readonly LinkTrouble[];
  /** Undefined while nothing keeps this node from taking an address of the clients. */
  readonly usedAddress: UsedAddress | undefined;
  readonly invalidFiles: InvalidFiles | undefined;
}

export const NO_TROUBLES: NodeTroubles = {
  disk: undefined,
  lostBridges: [],
  droppedMessages: 0,
  overload: { dropped: 0, starved: 0 },
  nameRival: undefined,
  unsetClock: undefined,
  links: [],
  usedAddress: undefined,
  invalidFiles: undefined,
};

const BRIDGES_MAX = 3;
const LINKS_MAX = 3;
const TEXT_MAX = 80;
const REASON_MAX = 60;
const PROBLEM_MAX = 100;

/** Fields with short names and ages in seconds; empty if nothing is wrong. */
export type EncodedTroubles = Readonly<Record<string, unknown>>;

/** @param now ms since 1970 */
export function encodeTroubles(troubles: NodeTroubles, now: number): EncodedTroubles {
  const {
    disk,
    lostBridges,
    droppedMessages,
    overload,
    nameRival,
    unsetClock,
    links,
    usedAddress: used,
    invalidFiles: invalid,
  } = troubles;
  const age = (since: number): number => Math.round((now - since) / 1000);
  const bridges = lostBridges.slice(0, BRIDGES_MAX).map((bridge) => ({
    name: cut(bridge.name),
    address: cut(bridge.address),
    reason: cut(bridge.reason, REASON_MAX),
    waiting: bridge.waiting,
    age: age(bridge.since),
  }));
  return {
    ...(disk && { disk: { folder: cut(disk.folder), age: age(disk.refusingSince) } }),
    ...(bridges.length > 0 && { bridges }),
    ...(droppedMessages > 0 && { dropped: droppedMessages }),
    ...(overload.dropped > 0 && { overload }),
    ...(nameRival && {
      rival: { address: nameRival.address, kind: nameRival.kind, age: age(nameRival.since) },
    }),
    ...(unsetClock !== undefined && { clock: unsetClock }),
    ...(links.length > 0 && { links: links.slice(0, LINKS_MAX).map(encodeLink) }),
    ...(used && {
      used: {
        address: used.address,
        hardware: used.hardware,
        ...(used.isHeld && { held: 1 }),
        age: age(used.since),
      },
    }),
    ...(invalid && {
      invalid: {
        problem: cut(invalid.problem, PROBLEM_MAX),
        others: invalid.others,
        age: age(invalid.since),
      },
    }),
  };
}

/**
 * Never throws: a node of another version may write what it likes.
 * @param receivedAt ms of performance.now()
 */
export function readTroubles(value: unknown, receivedAt: number): NodeTroubles {
  const { disk, bridges, dropped, overload, rival, clock, links, used, invalid } = fieldsOf(value);
  const since = (age: unknown): number => wallTime(receivedAt - 1000 * numberOf(age));
  const { folder, age } = fieldsOf(disk);
  const lost = fieldsOf(overload);
  const list = listOf(bridges, BRIDGES_MAX);
  return {
    disk: disk === undefined ? undefined : { folder: textOf(folder), refusingSince: since(age) },
    lostBridges: list.map((bridge) => ({
      name: textOf(bridge.name),
      address: textOf(bridge.address),
      reason: textOf(bridge.reason),
      waiting: numberOf(bridge.waiting),
      since: since(bridge.age),
    })),
    droppedMessages: numberOf(dropped),
    overload: { dropped: numberOf(lost.dropped), starved: numberOf(lost.starved) },
    nameRival: rival === undefined ? undefined : readRival(fieldsOf(rival), since),
    unsetClock: clock === undefined ? undefined : numberOf(clock),
    links: listOf(links, LINKS_MAX).map(readLink),
    usedAddress: used === undefined ? undefined : readUsed(fieldsOf(used), since),
    invalidFiles: invalid === undefined ? undefined : readInvalid(fieldsOf(invalid), since),
  };
}

/** Equal for troubles that are the same but for ages and counts. */
export function troublesKey({
  disk,
  lostBridges,
  droppedMessages,
  overload,
  nameRival,
  unsetClock,
  links,
  usedAddress,
  invalidFiles,
}: NodeTroubles): string {
  const bridges = lostBridges.map(({ name, address, reason }) => [name, address, reason]);
  const { address, kind } = nameRival ?? {};
  const flags = [droppedMessages > 0, overload.dropped > 0, unsetClock !== undefined];
  const used = usedAddress?.address;
  const ways = links.map(({ lossShare, ...way }) => way);
  const invalid = invalidFiles?.problem;
  return JSON.stringify([disk?.folder, bridges, address, kind, used, invalid, ...flags, ways]);
}

function encodeLink(link: LinkTrouble): EncodedTroubles {
  const { peer, isIncoming, protocol, port, isBlocked, lossShare } = link;
  return {
    peer: cut(peer),
    port,
    ...(isIncoming && { in: 1 }),
    ...(protocol === 'TCP' && { tcp: 1 }),
    ...(isBlocked && { blocked: 1 }),
    ...(lossShare !== undefined && { loss: Number(lossShare.toPrecision(3)) }),
  };
}

function readLink(fields: Readonly<Record<string, unknown>>): LinkTrouble {
  const { loss } = fields;
  return {
    peer: textOf(fields.peer),
    isIncoming: fields.in === 1,
    protocol: fields.tcp === 1 ? 'TCP' : 'UDP',
    port: numberOf(fields.port),
    isBlocked: fields.blocked === 1,
    lossShare: loss === undefined ? undefined : Math.min(1, numberOf(loss)),
  };
}

/** Only a node that keeps its name has peers that read this. */
function readRival(
  { address, kind, age }: Readonly<Record<string, unknown>>,
  since: (age: unknown) => number,
): NameTrouble {
  const known = kind === 'copy' || kind === 'process' ? kind : 'other';
  return { address: textOf(address), kind: known, isHolder: false, since: since(age) };
}

function readUsed(
  { address, hardware, held, age }: Readonly<Record<string, unknown>>,
  since: (age: unknown) => number,
): UsedAddress {
  const known = hardware === undefined ? undefined : textOf(hardware);
  return { address: textOf(address), hardware: known, isHeld: held === 1, since: since(age) };
}

function readInvalid(
  { problem, others, age }: Readonly<Record<string, unknown>>,
  since: (age: unknown) => number,
): InvalidFiles {
  return { problem: textOf(problem, PROBLEM_MAX), others: numberOf(others), since: since(age) };
}

function listOf(value: unknown, lengthMax: number): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.slice(0, lengthMax).map(fieldsOf) : [];
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;
}

function textOf(value: unknown, max = TEXT_MAX): string {
  return typeof value === 'string' ? cut(value, max) : '';
}

function cut(text: string, max = TEXT_MAX): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
