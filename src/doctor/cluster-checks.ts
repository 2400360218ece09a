// Checks of the cluster: the addresses of -mbs, the ways to each other node, and strangers on the ports.

import { performance } from 'node:perf_hooks';
import { type Config, isClustered } from '../config/config.ts';
import { rivalCure } from '../net/cluster/name-rival.ts';
import { isSilent, testPaths } from '../net/cluster/path-test.ts';
import { isServiceName } from '../net/cluster/service-name.ts';
import { type Endpoint, formatEndpoint, type HostPort } from '../shared/endpoint.ts';
import { normalAddress } from '../shared/ip-address.ts';
import { DATAGRAM_BYTES_DEFAULT } from '../sync/limits.ts';
import { bulkFindings } from './bulk-checks.ts';
import type { Check, ClusterView, DoctorContext, DoctorTarget } from './context.ts';
import { bad, type Finding, here, ok, warn } from './finding.ts';
import { reachHost } from './host-reach.ts';
import type { Machine } from './machine.ts';
import { type Evidence, peerFindings } from './peer-findings.ts';

/** Nodes that are tested; a cluster is small. */
const TARGETS_MAX = 64;
const TESTED_AT_A_TIME = 8;
/** Without a node: for datagrams of others, which ping their seeds every second while alone. */
const LISTEN_MS = 2500;

const seeds: Check = {
  id: 'seeds',
  run: async (context) => {
    if (!isClustered(context.config)) return [];
    const findings = await Promise.all(
      context.config.members.map(async (seed): Promise<Finding[]> => {
        const { host } = seed;
        if (normalAddress(host) !== undefined) return [];
        const endpoints = await endpointsOf(context.machine, seed);
        const places = endpoints.map((endpoint) =>
          isServiceName(host) ? formatEndpoint(endpoint) : endpoint.address,
        );
        if (places.length > 0) return [ok(`${host} of -mbs is ${places.join(', ')}`)];
        const text = `the name ${host} of -mbs has no address`;
        return [
          bad(
            'seed-unresolved',
            text,
            here(`correct it, or write the address; getent hosts ${host}`),
          ),
        ];
      }),
    );
    return findings.flat();
  },
};

const peers: Check = {
  id: 'peers',
  run: async (context) => {
    const cluster = await context.cluster();
    if (cluster === undefined) return [];
    const queue = await targetsOf(context, cluster);
    const listenUntil = performance.now() + LISTEN_MS;
    if (queue.length === 0) {
      if (!context.isUp) await pause(LISTEN_MS);
      return [...(await strangersAlone(cluster, [])), ok('no other node is configured or known')];
    }
    const tested = await testAll(context, cluster, queue);
    const isAnySilent = tested.some(({ report }) => isSilent(report.ways));
    if (isAnySilent && !context.isUp) await pause(listenUntil - performance.now());
    const strangers = await cluster.strangers();
    const findings = tested.flatMap((evidence) => {
      const { address } = evidence.target.target.gossip;
      const own = strangers.filter((one) => one.address === address);
      return peerFindings(context, {
        ...evidence,
        strangers: own,
        isHeard: cluster.isHeard(address),
      });
    });
    const addresses = tested.map(({ target }) => target.target.gossip.address);
    const reached = tested.filter(({ report }) => !isSilent(report.ways));
    const bulk = await bulkFindings(
      context,
      cluster,
      reached.map(({ target, report }) => ({ ...target, name: target.name ?? report.facts?.name })),
    );
    return [...findings, ...bulk, ...(await strangersAlone(cluster, addresses))];
  },
};

const beacon: Check = {
  id: 'beacon',
  run: async (context) => {
    const calls = (await context.cluster())?.beacon?.();
    if (calls === undefined) return [];
    const { addresses, sendFaults } = calls;
    const faults = sendFaults.map(({ address, reason }) =>
      warn('no-beacon', `this node cannot call others from ${address}: ${reason}`, here('ip addr')),
    );
    if (addresses.length > 0)
      return [ok(`calls other boxes from ${addresses.join(', ')}`), ...faults];
    const text = 'this box has no network on which it could call others';
    return [warn('no-beacon', text, here('ip addr'))];
  },
};

const name: Check = {
  id: 'name',
  run: async ({ config, cluster }) => {
    const rival = (await cluster())?.nameRival?.();
    if (rival === undefined) return [];
    const { kind, isHolder } = rival;
    const { nodeName } = config;
    const place = formatEndpoint(rival.endpoint);
    const where = isHolder ? 'here' : `on ${rival.endpoint.address}`;
    const text = isHolder
      ? `the node at ${place} has the name ${nodeName} too: this node is not in the cluster`
      : `the node at ${place} tried to join under the name ${nodeName}, too, in the last two minutes`;
    const mend = { where, lines: [rivalCure(kind)] };
    if (kind !== 'copy') return [bad('name-in-use', text, mend)];
    return [bad('copied-disk', `${text}; one disk is a copy of the other`, mend)];
  },
};

export const clusterChecks: readonly Check[] = [seeds, beacon, name, peers];

type Tested = Omit<Evidence, 'strangers' | 'isHeard'>;

/** Without a node the members are learnt from the first nodes that answer. */
async function testAll(
  context: DoctorContext,
  cluster: ClusterView,
  queue: DoctorTarget[],
): Promise<Tested[]> {
  const known = new Set(queue.map(keyOf));
  const tested: Tested[] = [];
  const testNext = async (): Promise<void> => {
    for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
      const evidence = await testOne(context, cluster, target);
      tested.push(evidence);
      for (const { name, gossip, sync } of evidence.report.facts?.members ?? []) {
        const further = { name, target: { gossip, sync }, version: undefined };
        const isOwn = name === context.config.nodeName;
        if (isOwn || known.has(keyOf(further)) || known.size >= TARGETS_MAX) continue;
        known.add(keyOf(further));
        queue.push(further);
      }
    }
  };
  // The first round finds further members, so that a second one may have something to do.
  while (queue.length > 0) await Promise.all(Array.from({ length: TESTED_AT_A_TIME }, testNext));
  return tested.sort((a, b) =>
    keyOf(a.target).localeCompare(keyOf(b.target), 'en', { numeric: true }),
  );
}

async function testOne(
  { config }: DoctorContext,
  { prober }: ClusterView,
  target: DoctorTarget,
): Promise<Tested> {
  const { nodeName, syncDatagramBytes } = config;
  const datagramBytes = syncDatagramBytes || DATAGRAM_BYTES_DEFAULT;
  const report = await testPaths(prober, target.target, { nodeName, datagramBytes });
  const failing = (['gossip', 'sync'] as const).find(
    (channel) => report.ways[channel].out !== 'ok',
  );
  const reach = failing === undefined ? undefined : await reachHost(target.target[failing]);
  return { target, report, reach };
}

/** Members, and every address of -mbs at which none is. */
async function targetsOf(context: DoctorContext, cluster: ClusterView): Promise<DoctorTarget[]> {
  const { config, machine } = context;
  const own = new Set(machine.interfaces().map(({ address }) => address));
  const targets = new Map<string, DoctorTarget>();
  for (const member of cluster.members()) targets.set(keyOf(member), member);
  for (const member of config.members) {
    for (const { address, port } of await endpointsOf(machine, member)) {
      if (isOwnSeed(config, own, address, port)) continue;
      // Where it announces no other one, the sync port follows the gossip port as it does here.
      const sync = { address, port: port + config.syncPort - config.gossipPort };
      const seed = {
        name: undefined,
        target: { gossip: { address, port }, sync },
        version: undefined,
      };
      if (!targets.has(keyOf(seed))) targets.set(keyOf(seed), seed);
    }
  }
  return [...targets.values()].slice(0, TARGETS_MAX);
}

/** Empty for a name that has no address. */
async function endpointsOf(machine: Machine, { host, port }: HostPort): Promise<Endpoint[]> {
  const literal = normalAddress(host);
  if (literal !== undefined) return [{ address: literal, port }];
  const hosts = isServiceName(host) ? await machine.resolveService(host) : [{ host, port }];
  const found = hosts.map(async (one) =>
    (await machine.resolve(one.host)).map((address) => ({ address, port: one.port })),
  );
  return (await Promise.all(found)).flat();
}

/** All boxes may have the same -mbs. */
function isOwnSeed(
  { gossipPort, advertise }: Config,
  own: ReadonlySet<string>,
  address: string,
  port: number,
): boolean {
  if (advertise?.address === address) return true;
  return (
    port === gossipPort && (own.has(address) || address.startsWith('127.') || address === '::1')
  );
}

/** Datagrams of addresses at which no node is configured or known. */
async function strangersAlone(cluster: ClusterView, known: readonly string[]): Promise<Finding[]> {
  const strangers = await cluster.strangers();
  return strangers.flatMap(({ address, reason, clusterName, count }): Finding[] => {
    const isKnown = known.includes(address);
    const cure = { where: 'on every box', lines: ['the same -csk, -cluster and -encrypt'] };
    switch (reason) {
      case 'program': {
        const text = `another program at ${address} sends to our gossip port, perhaps Docker Swarm; ${count} datagrams`;
        return [
          warn('other-program', text, { where: 'on every box', lines: ['-crp=7956 -csp=7957'] }),
        ];
      }
      case 'damaged': {
        const text = `${count} datagrams of ${address} have a wrong proof: damaged or forged`;
        return [warn('damaged-datagrams', text, here(`tcpdump -ni any host ${address} and udp`))];
      }
      case 'beacon': {
        if (isKnown) return [];
        const text = `a box at ${address} calls with another token or cluster name`;
        return [warn('wrong-token', text, cure)];
      }
      case 'token':
        if (isKnown) return [];
        return [warn('wrong-token', `a node at ${address} has another token`, cure)];
      case 'cluster':
        if (isKnown) return [];
        return [
          warn('other-cluster', `a node at ${address} belongs to the cluster ${clusterName}`, cure),
        ];
      default:
        if (isKnown) return [];
        return [warn('other-encrypt', `a node at ${address} has another -encrypt`, cure)];
    }
  });
}

function keyOf({ target }: DoctorTarget): string {
  return `${target.gossip.address} ${target.gossip.port}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, ms));
  });
}
