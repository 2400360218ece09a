// What the tests of the ways to one other node mean, in words with a cure. Decides only from evidence: ways
// that were tested, datagrams that arrived, and what the system says about the host.

import { rivalCure } from '../net/cluster/name-rival.ts';
import { isSilent, type PathReport, type WayState } from '../net/cluster/path-test.ts';
import type { StrangerReport } from '../net/cluster/strangers.ts';
import { readMachineMark } from '../net/machine-mark.ts';
import { compareVersions } from '../shared/compare-versions.ts';
import type { Channel } from '../shared/key-ring.ts';
import { DATAGRAM_BYTES_DEFAULT } from '../sync/limits.ts';
import type { DoctorContext, DoctorTarget } from './context.ts';
import { bad, type Finding, here, ok, warn } from './finding.ts';
import { networkOf, openingLines } from './firewall.ts';
import type { HostReach } from './host-reach.ts';

export interface Evidence {
  readonly target: DoctorTarget;
  readonly report: PathReport;
  readonly strangers: readonly StrangerReport[];
  /** Authentic datagrams of membership have come from the address. */
  readonly isHeard: boolean;
  /** Known only where no way works. */
  readonly reach: HostReach | undefined;
}

const START_NODE = 'start the node there; as a service: systemctl start shoal';
const CHANNELS: readonly Channel[] = ['gossip', 'sync'];

export function peerFindings(context: DoctorContext, evidence: Evidence): Finding[] {
  const { report } = evidence;
  if (isSilent(report.ways)) return [silentFinding(context, evidence)];
  const findings = [
    ...blockedFindings(context, evidence),
    ...nameFindings(context, evidence),
    ...advertiseFindings(context, evidence),
    ...versionFindings(context, evidence),
    ...sizeFindings(context, evidence),
  ];
  if (findings.some(({ level }) => level === 'bad')) return findings;
  const ports = `${evidence.target.target.gossip.port} and ${evidence.target.target.sync.port}`;
  const rtt = report.rttMs.gossip ?? report.rttMs.sync;
  const time = rtt === undefined ? '' : `, ${rtt.toFixed(1)} ms`;
  return [ok(`${nameOf(evidence)}  ${ports} udp both ways, token right${time}`), ...findings];
}

function silentFinding(context: DoctorContext, evidence: Evidence): Finding {
  const { strangers, isHeard, reach, target } = evidence;
  const name = nameOf(evidence);
  const stranger = strangerFinding(name, strangers[0]);
  if (stranger !== undefined) return stranger;
  const { gossip, sync } = target.target;
  const ports = [gossip.port, sync.port];
  if (isHeard) {
    const text = `${name}  we hear it, it does not hear us: udp ${ports.join(' and ')} blocked there`;
    return bad('blocked', text, thereOpens(context, evidence, ports));
  }
  if (reach?.isSendRefused) {
    const text = `${name}  the firewall of this box refuses to send to udp ${gossip.port}`;
    return bad(
      'send-refused',
      text,
      here(...openingLines(context.firewall, 'out', ports, undefined)),
    );
  }
  if (reach?.isPortClosed) {
    const text = `${name}  the box is up, but no node listens on udp ${gossip.port} there`;
    return bad('nothing-listens', text, {
      where: whereOf(evidence),
      lines: [START_NODE, 'or correct the port in -mbs'],
    });
  }
  if (reach?.state === 'down') {
    const text = `${name}  the box cannot be reached: no such address answers in this network`;
    return bad(
      'host-unreachable',
      text,
      here(`is it switched on, and the address right? ip route get ${gossip.address}`),
    );
  }
  const isUp = reach?.state === 'up' ? 'the box is up, but ' : '';
  const reasons = reach?.isMqttRefused
    ? 'no node runs there (it refuses tcp 1883 as well); or blocked there, or another token or cluster name'
    : 'blocked there, or another token or cluster name, or no node runs there';
  const text = `${name}  ${isUp}nothing comes back on udp ${ports.join(' and ')}: ${reasons}`;
  return bad('no-answer', text, {
    where: whereOf(evidence),
    lines: [
      ...(reach?.isMqttRefused ? [START_NODE] : []),
      'shoal doctor, which sees which of them it is',
    ],
  });
}

/** Nothing is answered to a datagram with a wrong proof, but its sender says by itself what it is. */
function strangerFinding(name: string, stranger: StrangerReport | undefined): Finding | undefined {
  const where = 'on every box';
  switch (stranger?.reason) {
    case 'token': {
      const cluster =
        stranger.clusterName === undefined ? '' : ` (cluster ${stranger.clusterName})`;
      const text = `${name}  its datagrams are signed with another token${cluster}`;
      return bad('wrong-token', text, {
        where,
        lines: ['start the node with the same -csk or -csk-file'],
      });
    }
    case 'cluster': {
      const text = `${name}  same token, but it belongs to the cluster ${stranger.clusterName}`;
      return bad('other-cluster', text, {
        where,
        lines: ['start the node with the same -cluster'],
      });
    }
    case 'encrypt': {
      const text = `${name}  same token, but another setting of -encrypt`;
      return bad('other-encrypt', text, {
        where,
        lines: ['start the node with the same -encrypt'],
      });
    }
    default:
      return undefined;
  }
}

function blockedFindings(context: DoctorContext, evidence: Evidence): Finding[] {
  const { ways } = evidence.report;
  const blocked = (direction: 'in' | 'out'): Channel[] =>
    CHANNELS.filter((channel) => ways[channel][direction] === ('blocked' satisfies WayState));
  const [incoming, outgoing] = [blocked('in'), blocked('out')];
  const name = nameOf(evidence);
  const findings: Finding[] = [];
  if (incoming.length > 0) {
    const { gossipPort, syncPort } = context.config;
    const ports = incoming.map((channel) => (channel === 'gossip' ? gossipPort : syncPort));
    const network = networkOf(evidence.target.target.gossip.address, context.machine.interfaces());
    const lines = openingLines(context.firewall, 'in', ports, network);
    const isBoth = outgoing.length > 0 ? '' : 'we reach it, ';
    const text = `${name}  ${isBoth}it does not reach us on udp ${ports.join(' and ')}: blocked here`;
    findings.push(bad('blocked', text, here(...lines)));
  }
  if (outgoing.length > 0) {
    const ports = outgoing.map((channel) => evidence.target.target[channel].port);
    if (evidence.reach?.isSendRefused) {
      const text = `${name}  the firewall of this box refuses to send to udp ${ports.join(' and ')}`;
      const lines = openingLines(context.firewall, 'out', ports, undefined);
      return [...findings, bad('send-refused', text, here(...lines))];
    }
    const isBoth = incoming.length > 0 ? '' : 'it reaches us, ';
    const text = `${name}  ${isBoth}we do not reach it on udp ${ports.join(' and ')}: blocked there`;
    findings.push(bad('blocked', text, thereOpens(context, evidence, ports)));
  }
  return findings;
}

/** The firewall of another box is not known here: ufw is the most usual one. */
function thereOpens(context: DoctorContext, evidence: Evidence, ports: readonly number[]) {
  const { address } = evidence.target.target.gossip;
  const network = networkOf(address, context.machine.interfaces());
  const from = network === address ? undefined : network;
  const [ufw = ''] = openingLines({ kind: 'ufw', chains: { in: [], out: [] } }, 'in', ports, from);
  return {
    where: whereOf(evidence),
    lines: [`${ufw}   (shoal doctor there has the line for its firewall)`],
  };
}

function nameFindings({ config, isUp }: DoctorContext, evidence: Evidence): Finding[] {
  const { facts, observed } = evidence.report;
  if (facts === undefined) return [];
  const { nodeName, advertise } = config;
  const cure = here('choose another name: -nid=NAME');
  if (facts.name === nodeName && !isUp && !isOwnAddress(evidence, facts.holder)) {
    const text = `${nameOf(evidence)}  has the name ${nodeName} too`;
    const isCopy = facts.machine !== undefined && facts.machine === readMachineMark();
    if (!isCopy) return [bad('name-in-use', text, cure)];
    return [
      bad('copied-disk', `${text}, and one disk is a copy of the other`, here(rivalCure('copy'))),
    ];
  }
  if (facts.holder === undefined) return [];
  const own = [observed?.address, advertise?.address];
  if (own.includes(facts.holder.address)) return [];
  const text = `${nameOf(evidence)}  knows another node named ${nodeName}, at ${facts.holder.address}`;
  return [bad('name-in-use', text, cure)];
}

function isOwnAddress({ report }: Evidence, holder: { address: string } | undefined): boolean {
  return holder !== undefined && holder.address === report.observed?.address;
}

function advertiseFindings({ config }: DoctorContext, evidence: Evidence): Finding[] {
  const advertised = config.advertise?.address;
  const observed = evidence.report.observed?.address;
  if (advertised === undefined || observed === undefined || advertised === observed) return [];
  const text = `${nameOf(evidence)}  sees this node at ${observed}, but -advertise says ${advertised}`;
  const cure = here(`-advertise=${observed}, or leave it out`);
  return [bad('wrong-advertise', text, cure)];
}

function versionFindings({ version }: DoctorContext, evidence: Evidence): Finding[] {
  const theirs = evidence.report.facts?.version ?? evidence.target.version;
  if (theirs === undefined || theirs === '' || compareVersions(theirs, version) >= 0) return [];
  const text = `${nameOf(evidence)}  runs ${theirs}, which is older than ${version} here`;
  return [
    warn('old-version', text, {
      where: whereOf(evidence),
      lines: [`copy shoal.js ${version} there and restart`],
    }),
  ];
}

function sizeFindings({ config }: DoctorContext, evidence: Evidence): Finding[] {
  const { largestBytes } = evidence.report;
  const wanted = config.syncDatagramBytes || DATAGRAM_BYTES_DEFAULT;
  if (largestBytes === undefined || largestBytes >= wanted) return [];
  const text = `${nameOf(evidence)}  datagrams of ${wanted} bytes do not pass, those of ${largestBytes} do`;
  const cure = {
    where: 'on every box',
    lines: [`-datagram=${largestBytes}, or a larger MTU on the way`],
  };
  return [warn('path-mtu', text, cure)];
}

/** `192.168.1.101 (box2)`. */
function nameOf({ target, report }: Evidence): string {
  const { address } = target.target.gossip;
  const name = report.facts?.name ?? target.name;
  return name === undefined ? address : `${address} (${name})`;
}

function whereOf({ target, report }: Evidence): string {
  const name = report.facts?.name ?? target.name;
  return name === undefined ? `on ${target.target.gossip.address}` : `on ${name}`;
}
