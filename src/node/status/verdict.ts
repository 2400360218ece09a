// The verdict: one sentence on whether the whole site is well, and if not, what is wrong, since when, and
// the command that mends it. The only place where these sentences are made: `shoal status`, the health
// check, the API, $SYS and the dashboard all show what judge() returns.
// Pure: facts in, words out. Each fault has a function below, and they are listed from the worst.

import { rivalCure, rivalOrigin } from '../../net/cluster/name-rival.ts';
import { compareVersions } from '../../shared/compare-versions.ts';
import { faultSentence } from '../../shared/fault-sentence.ts';
import {
  formatDuration,
  formatNumber,
  formatRate,
  formatShare,
  listOfWords,
} from '../../shared/units.ts';
import type { NodeTroubles } from './node-troubles.ts';

/** One node, as this node knows it. Figures that it has not given are undefined. */
export interface NodeFacts {
  readonly name: string;
  readonly isSelf: boolean;
  readonly state: 'alive' | 'suspect' | 'offline' | 'left';
  /** Start of that state, ms since 1970 by the clock of this node. */
  readonly since: number;
  readonly version: string | undefined;
  readonly clients: number | undefined;
  /** PUBLISH packets a second from its clients. */
  readonly messagesPerSecond: number | undefined;
  readonly loadPercent: number | undefined;
  /** Options that have to be the same on every node and are not, as `-flag=theirs`. */
  readonly differingOptions: readonly string[];
  /** Up to then it had the same retained messages as this node, ms since 1970; undefined while it has. */
  readonly retainedDifferSince: number | undefined;
  /** Its wall clock less the clock of the cluster, ms. */
  readonly clockAheadMs: number | undefined;
  readonly troubles: NodeTroubles;
}

/** One direction between two nodes on one port. */
export interface LinkFacts {
  readonly from: string;
  readonly to: string;
  /** TCP: of the connections that -large and -roaming need. */
  readonly protocol: 'UDP' | 'TCP';
  /** Port of the receiver. */
  readonly port: number;
  readonly isBlocked: boolean;
  /** Share of the messages of the last minute that were lost, 0 to 1; undefined if there were none. */
  readonly lossShare: number | undefined;
}

export interface SiteFacts {
  /** Wall clock of this node, ms since 1970. */
  readonly now: number;
  /** This node first. */
  readonly nodes: readonly NodeFacts[];
  /** Directions between this node and others that are online. */
  readonly links: readonly LinkFacts[];
  /** Directions between others that fail, as these nodes say. */
  readonly otherLinks: readonly LinkFacts[];
  /** Addresses of boxes on this network with another token or cluster name. */
  readonly strangers: readonly string[];
  readonly isClustered: boolean;
  /** Whether -mbs names other nodes. */
  readonly expectsOthers: boolean;
}

export type FaultCode =
  | 'disk'
  | 'name'
  | 'address'
  | 'file'
  | 'alone'
  | 'stranger'
  | 'offline'
  | 'blocked'
  | 'options'
  | 'loss'
  | 'suspect'
  | 'retained'
  | 'bridge'
  | 'dropped'
  | 'overload'
  | 'load'
  | 'clock'
  | 'version';

export interface SiteFault {
  readonly code: FaultCode;
  /** `fault`: something does not work. `warning`: it works, but not well, or not for long. */
  readonly severity: 'fault' | 'warning';
  /** A sentence without its full stop. */
  readonly text: string;
  /** Start, ms since 1970, where it is known. */
  readonly since?: number;
  /** What to type or do. */
  readonly cure: string;
}

export interface Verdict {
  readonly level: 'well' | 'warning' | 'fault';
  readonly sentence: string;
  /** The worst first; empty if all is well. */
  readonly faults: readonly SiteFault[];
}

/** Of a direction between two nodes, in the last minute. */
export const LOSS_WARNING = 0.001;
const LOSS_FAULT = 0.01;
/** A bridge that has been lost for less is about to reconnect. */
const BRIDGE_LOST_MS = 30_000;
/** Retained messages that differ for less are on their way, or wait for the next ping of the node. */
const RETAINED_DIFFER_MS = 30_000;
const RETAINED_DIFFER_MS_PER_NODE = 2_000;
const LOAD_WARNING_PERCENT = 90;
/** Clocks that are closer are as equal as their nodes can know. */
const CLOCKS_APART_MS = 120_000;

const RULES: readonly ((facts: SiteFacts) => SiteFault[])[] = [
  diskFaults,
  nameFaults,
  addressFaults,
  fileFaults,
  offlineFaults,
  strangerFaults,
  blockedFaults,
  optionFaults,
  lossFaults,
  suspectFaults,
  retainedFaults,
  bridgeFaults,
  droppedFaults,
  overloadFaults,
  loadFaults,
  clockFaults,
  versionFaults,
];

export function judge(own: SiteFacts): Verdict {
  const facts = { ...own, links: [...own.links, ...own.otherLinks] };
  const found = RULES.flatMap((rule) => rule(facts));
  // The rules are in order of weight; a warning never comes before a fault.
  const faults = [...found.filter(isGrave), ...found.filter((fault) => !isGrave(fault))];
  const [worst] = faults;
  if (worst === undefined) return { level: 'well', sentence: `${wellText(facts)}.`, faults };
  return { level: worst.severity, sentence: faultSentence(faults), faults };
}

/** True while the node is, or was just, part of the site: one that left on purpose is not missed. */
export function isExpected({ state }: Pick<NodeFacts, 'state'>): boolean {
  return state !== 'left';
}

function wellText(facts: SiteFacts): string {
  const { nodes, links, isClustered } = facts;
  const online = nodes.filter(({ state }) => state === 'alive');
  const sum = (values: readonly (number | undefined)[]): number =>
    values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const devices = formatNumber(sum(online.map(({ clients }) => clients)), 'device');
  const rate = formatRate(sum(online.map(({ messagesPerSecond }) => messagesPerSecond)));
  const loss = Math.max(0, ...links.map(({ lossShare }) => lossShare ?? 0));
  const boxes = `${formatNumber(online.length, 'box', 'boxes')} online`;
  const alone = isClustered && online.length === 1 ? ', waiting for others' : '';
  const losses = online.length > 1 ? `, loss ${formatShare(loss)}` : '';
  return `All well: ${boxes}${alone}, ${devices}, ${rate} messages/s${losses}`;
}

/** The troubles of each node that is online, with its name where it is another one. */
function troublesOf({ nodes }: SiteFacts): { troubles: NodeTroubles; on: string; where: string }[] {
  return nodes
    .filter(({ isSelf, state }) => isSelf || state === 'alive')
    .map(({ name, isSelf, troubles }) => ({
      troubles,
      on: isSelf ? '' : ` on ${name}`,
      where: isSelf ? '' : `on ${name}: `,
    }));
}

function diskFaults(facts: SiteFacts): SiteFault[] {
  return troublesOf(facts).flatMap(({ troubles: { disk }, on, where }): SiteFault[] => {
    if (disk === undefined) return [];
    const { folder, refusingSince: since } = disk;
    const text = `the disk${on} has taken no changes for ${formatDuration(facts.now - since)}: publishers are refused or wait`;
    const cure = `${where}df -h ${folder}   # free some space there`;
    return [{ code: 'disk', severity: 'fault', text, since, cure }];
  });
}

/** Two running nodes of one name: one of them is in the cluster, the other one is not. */
function nameFaults({ now, nodes }: SiteFacts): SiteFault[] {
  return nodes.flatMap(({ name, isSelf, state, troubles: { nameRival } }): SiteFault[] => {
    if (nameRival === undefined || (!isSelf && state !== 'alive')) return [];
    const { address, kind, isHolder, since } = nameRival;
    const time = formatDuration(now - since);
    const fault = { code: 'name', severity: 'fault' } as const;
    const cure = rivalCure(kind);
    if (isHolder) {
      const text = `this box has not been in the cluster for ${time}: its name ${name} is in use by the box at ${address}${rivalOrigin(kind)}`;
      return [{ ...fault, text, since, cure }];
    }
    const copy =
      kind === 'copy' ? `: its disk is a copy of the one of ${isSelf ? 'this box' : name}` : '';
    const text = `the box at ${address} tried to join ${time} ago under the name ${name}, which is in use${copy}`;
    return [{ ...fault, text, cure: `on ${address}: ${cure}` }];
  });
}

/** If the node does not take it no box holds it: the others would find the same host there. */
function addressFaults(facts: SiteFacts): SiteFault[] {
  return troublesOf(facts).flatMap(({ troubles: { usedAddress }, on }): SiteFault[] => {
    if (usedAddress === undefined) return [];
    const { address, hardware, isHeld, since } = usedAddress;
    const host = hardware === undefined ? 'another host' : `another host (${hardware})`;
    const time = formatDuration(facts.now - since);
    const text = `${host} has used the address of the clients ${address} for ${time}: the node${on || ' of this box'} ${isHeld ? 'has it too' : 'does not take it'}`;
    const cure = 'turn that host off, or set a free -address on every box';
    return [{ code: 'address', severity: 'fault', text, since, cure }];
  });
}

function fileFaults(facts: SiteFacts): SiteFault[] {
  return troublesOf(facts).flatMap(({ troubles: { invalidFiles }, on, where }): SiteFault[] => {
    if (invalidFiles === undefined) return [];
    const { problem, others, since } = invalidFiles;
    const more = others === 0 ? '' : `, and ${formatNumber(others, 'more problem')}`;
    const text = `${problem}${more}: the last valid version stays in force${on}`;
    const cure = `${where}correct the file; a node that does not watch it needs SIGHUP as well`;
    return [{ code: 'file', severity: 'fault', text, since, cure }];
  });
}

function bridgeFaults(facts: SiteFacts): SiteFault[] {
  const { now } = facts;
  return troublesOf(facts).flatMap(({ troubles, on, where }) =>
    troubles.lostBridges
      .filter(({ since }) => now - since >= BRIDGE_LOST_MS)
      .map(({ name, address, since, reason, waiting }) => ({
        code: 'bridge',
        severity: 'fault',
        text: `the bridge ${name}${on} has not reached ${address} for ${formatDuration(now - since)} (${reason}); ${formatNumber(waiting, 'message')} waiting`,
        since,
        cure: `${where}shoal doctor   # names the cause, and how to mend it`,
      })),
  );
}

/** Also the case that every other node is gone: then this one may be the one that is cut off. */
function offlineFaults({ nodes, now, expectsOthers }: SiteFacts): SiteFault[] {
  const others = nodes.filter((node) => !node.isSelf && isExpected(node));
  const gone = others.filter(({ state }) => state === 'offline');
  const isAlone = others.length === gone.length;
  if (isAlone && others.length === 0 && expectsOthers) {
    if (nodes.length > 1) {
      const cure = 'start one of them, or this one without -mbs';
      return [{ code: 'alone', severity: 'warning', text: 'every other box has left', cure }];
    }
    const text = 'no other box has answered yet';
    return [{ code: 'alone', severity: 'fault', text, cure: 'shoal doctor' }];
  }
  if (gone.length === 0) return [];
  const names = listOfWords(gone.map(({ name }) => name));
  const since = Math.min(...gone.map((node) => node.since));
  const verb = gone.length === 1 ? 'has' : 'have';
  const text = `${names} ${verb} been gone for ${formatDuration(now - since)}`;
  if (isAlone) {
    const all = `no other box answers: ${text}`;
    return [{ code: 'alone', severity: 'fault', text: all, since, cure: 'shoal doctor' }];
  }
  const forget = gone.map(({ name }) => `shoal forget ${name}`).join('; ');
  const cure = `shoal doctor says why; if it is gone for ever: ${forget}`;
  return [{ code: 'offline', severity: 'fault', text, since, cure }];
}

/** Two sites may share a network. A box that waits for others, and finds a stranger, has the wrong token. */
function strangerFaults({ nodes, strangers }: SiteFacts): SiteFault[] {
  const [address] = strangers;
  if (address === undefined || nodes.some((node) => !node.isSelf && isExpected(node))) return [];
  const text = `no other box has the token of this one, and a box at ${address} has another token or cluster name`;
  const cure = `the same -csk and -cluster on both; or shoal invite there, and shoal join here`;
  return [{ code: 'stranger', severity: 'warning', text, cure }];
}

/** Both directions of a port between two nodes make one fault. */
function blockedFaults({ links }: SiteFacts): SiteFault[] {
  const blocked = links.filter(({ isBlocked }) => isBlocked);
  const back = ({ from, to, port, protocol }: LinkFacts): boolean =>
    blocked.some(
      (other) =>
        other.from === to &&
        other.to === from &&
        other.port === port &&
        other.protocol === protocol,
    );
  return blocked.flatMap((link): SiteFault[] => {
    const { from, to, port, protocol } = link;
    const isBoth = back(link);
    if (isBoth && from > to) return [];
    const where = isBoth ? `${from} and ${to}` : to;
    const cure = `on ${where}: ufw allow ${port}/${protocol.toLowerCase()} (shoal doctor has the line for other firewalls)`;
    return [{ code: 'blocked', severity: 'fault', text: blockedText(link, isBoth), cure }];
  });
}

function blockedText({ from, to, port, protocol }: LinkFacts, isBoth: boolean): string {
  const place = `${protocol} ${port}`;
  if (protocol === 'TCP') {
    return isBoth
      ? `${from} and ${to} do not connect to each other on ${place}, which -large and -roaming need`
      : `${from} does not connect to ${to} on ${place}, which -large and -roaming need`;
  }
  return isBoth
    ? `${from} and ${to} do not hear each other on ${place}`
    : `${to} does not hear ${from}, which hears ${to}: ${place} is blocked on ${to}`;
}

function optionFaults({ nodes }: SiteFacts): SiteFault[] {
  return nodes
    .filter(({ state, differingOptions }) => state === 'alive' && differingOptions.length > 0)
    .map(({ name, differingOptions }) => ({
      code: 'options',
      severity: 'fault',
      text: `${name} runs with other options than this box: ${differingOptions.join(' ')}`,
      cure: 'set them the same on every box and restart the one that is wrong',
    }));
}

function lossFaults({ links }: SiteFacts): SiteFault[] {
  return links
    .filter(({ isBlocked, lossShare = 0 }) => !isBlocked && lossShare >= LOSS_WARNING)
    .map(({ from, to, lossShare = 0 }) => ({
      code: 'loss',
      severity: lossShare >= LOSS_FAULT ? 'fault' : 'warning',
      text: `${formatShare(lossShare)} of the messages from ${from} to ${to} were lost in the last minute`,
      cure: `on ${to}: shoal doctor (receive buffer, network)`,
    }));
}

function suspectFaults({ nodes, now }: SiteFacts): SiteFault[] {
  return nodes
    .filter(({ state }) => state === 'suspect')
    .map(({ name, since }) => ({
      code: 'suspect',
      severity: 'warning',
      text: `${name} has not answered for ${formatDuration(now - since)} and is being checked`,
      since,
      cure: 'wait some seconds: it answers, or is declared offline',
    }));
}

/** Nodes that are blocked, or run with other options, are named for that already. */
function retainedFaults({ nodes, links, now }: SiteFacts): SiteFault[] {
  const patienceMs = RETAINED_DIFFER_MS + RETAINED_DIFFER_MS_PER_NODE * nodes.length;
  return nodes.flatMap(({ name, state, retainedDifferSince: since, differingOptions }) => {
    const isExplained =
      differingOptions.length > 0 ||
      links.some(({ from, to, isBlocked }) => isBlocked && [from, to].includes(name));
    if (state !== 'alive' || since === undefined || now - since < patienceMs || isExplained)
      return [];
    const text = `${name} has had other retained messages than this box for ${formatDuration(now - since)}`;
    const cure = `wait while they are sent again; if it stays: shoal ping ${name}, and its log (limits, disk)`;
    return [{ code: 'retained', severity: 'warning', text, since, cure }];
  });
}

function droppedFaults(facts: SiteFacts): SiteFault[] {
  return troublesOf(facts).flatMap(({ troubles: { droppedMessages }, on }): SiteFault[] => {
    if (droppedMessages === 0) return [];
    const text = `full queues${on} dropped ${formatNumber(droppedMessages, 'message')} in the last minute`;
    const cure = 'shoal top names slow subscribers';
    return [{ code: 'dropped', severity: 'warning', text, cure }];
  });
}

/** A node that other programs starve has no client that causes it. */
function overloadFaults(facts: SiteFacts): SiteFault[] {
  return troublesOf(facts).flatMap(({ troubles: { overload }, on, where }): SiteFault[] => {
    const { dropped, starved } = overload;
    if (dropped === 0) return [];
    const isStarved = starved > dropped / 2;
    const why = isStarved
      ? 'other programs use the processor'
      : 'they are more work than the node has time for';
    const text = `${formatNumber(dropped, 'message')} of other boxes were lost${on || ' here'} in the last minute: ${why}`;
    const cure = isStarved
      ? `${where}top   # which programs use the processor? in a container, is its limit too low?`
      : 'shoal top names the busiest clients; fewer subscribers or a faster box';
    return [{ code: 'overload', severity: 'warning', text, cure }];
  });
}

function loadFaults({ nodes }: SiteFacts): SiteFault[] {
  return nodes
    .filter(
      ({ state, loadPercent = 0 }) => state === 'alive' && loadPercent >= LOAD_WARNING_PERCENT,
    )
    .map(({ name, loadPercent }) => ({
      code: 'load',
      severity: 'warning',
      text: `${name} is busy for ${loadPercent} % of its time`,
      cure: 'shoal top shows which clients cause it',
    }));
}

function clockFaults(facts: SiteFacts): SiteFault[] {
  const unset = troublesOf(facts).flatMap(({ troubles: { unsetClock }, on, where }) => {
    if (unsetClock === undefined) return [];
    const day = new Date(unsetClock).toISOString().slice(0, 10);
    return [clockFault(`the clock ${on === '' ? 'of this box' : on.slice(1)} says ${day}`, where)];
  });
  return [...unset, ...apartClocks(facts)];
}

function clockFault(text: string, where: string): SiteFault {
  return { code: 'clock', severity: 'warning', text, cure: `${where}timedatectl set-ntp true` };
}

/** Clocks that were set to different times. More than half of the nodes have to agree before one is called wrong. */
function apartClocks({ nodes }: SiteFacts): SiteFault[] {
  const clocks = nodes
    .flatMap(({ name, isSelf, state, troubles: { unsetClock }, clockAheadMs: ahead }) => {
      const isKnown = (isSelf || state === 'alive') && unsetClock === undefined;
      return isKnown && ahead !== undefined ? [{ name, isSelf, ahead }] : [];
    })
    .sort((a, b) => a.ahead - b.ahead);
  const [first, middle, last] = [clocks[0], clocks[clocks.length >> 1], clocks.at(-1)];
  if (first === undefined || middle === undefined || last === undefined) return [];
  if (last.ahead - first.ahead < CLOCKS_APART_MS) return [];
  const wrong = clocks.filter(({ ahead }) => Math.abs(ahead - middle.ahead) >= CLOCKS_APART_MS);
  if (wrong.length * 2 >= clocks.length) {
    const time = wholeMinutes(last.ahead - first.ahead);
    const text = `the clock of ${last.name} is ${time} ahead of the one of ${first.name}`;
    return [clockFault(text, 'on each box: ')];
  }
  return wrong.map(({ name, isSelf, ahead }) => {
    const time = wholeMinutes(Math.abs(ahead - middle.ahead));
    const way = ahead > middle.ahead ? 'ahead of' : 'behind';
    const text = `the clock of ${isSelf ? 'this box' : name} is ${time} ${way} the others`;
    return clockFault(text, isSelf ? '' : `on ${name}: `);
  });
}

/** No difference of clocks is known to the second. */
function wholeMinutes(ms: number): string {
  return formatDuration(Math.round(ms / 60_000) * 60_000);
}

/** Names the nodes that run an older version than the newest. */
function versionFaults({ nodes }: SiteFacts): SiteFault[] {
  const known = nodes.filter(({ state, version }) => state === 'alive' && version !== undefined);
  const versions = [...new Set(known.map(({ version = '' }) => version))].sort(compareVersions);
  const newest = versions.at(-1);
  if (versions.length < 2 || newest === undefined) return [];
  const older = known.filter(({ version }) => version !== newest);
  const names = older.map(({ name, version }) => `${name} (${version})`);
  const verb = older.length === 1 ? 'runs' : 'run';
  const text = `${listOfWords(names)} ${verb} an older version than the others (${newest})`;
  const cure = `copy shoal.js ${newest} to ${listOfWords(older.map(({ name }) => name))} and restart`;
  return [{ code: 'version', severity: 'warning', text, cure }];
}

function isGrave({ severity }: SiteFault): boolean {
  return severity === 'fault';
}
