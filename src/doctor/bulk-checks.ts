// Checks of the connections that -large and -roaming need: TCP on the number of the sync port, one opened by
// each side. Without a node only the path to the others can be tested.

import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { describeSystemError } from '../shared/describe-system-error.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import type { BulkStatus } from '../sync/bulk-node.ts';
import type { ClusterView, DoctorContext, DoctorTarget } from './context.ts';
import { bad, type Finding, here, ok } from './finding.ts';
import { networkOf, openingLines } from './firewall.ts';

/** Both sides have opened their connections by then, also after one has been refused once. */
const SETTLED_MS = 6000;
const POLL_MS = 200;
const CONNECT_MS_MAX = 3000;
const WITHOUT_OPTION = 'it has neither -large nor -roaming';

/** @param reached nodes that answer on UDP: of the others another check says what is wrong */
export async function bulkFindings(
  context: DoctorContext,
  cluster: ClusterView,
  reached: readonly DoctorTarget[],
): Promise<Finding[]> {
  const { largeBytes, roaming } = context.config;
  if (largeBytes === 0 && !roaming) return [];
  const found = context.isUp
    ? (await settledStatus(cluster)).map((status) => findingsOf(context, status))
    : reached.map((target) => tryTarget(context, target));
  return (await Promise.all(found)).flat();
}

/** A node that has just met another one may not have its connections yet. */
async function settledStatus(cluster: ClusterView): Promise<readonly BulkStatus[]> {
  const giveUpAt = performance.now() + SETTLED_MS;
  for (;;) {
    const all = cluster.bulk();
    const isSettled = all.every(
      ({ incomingSince, outgoingSince }) =>
        incomingSince !== undefined && outgoingSince !== undefined,
    );
    if (isSettled || performance.now() > giveUpAt) return all;
    await delay(POLL_MS);
  }
}

/** A firewall that came later may leave an open connection alone: a new one shows what passes now. */
async function findingsOf(context: DoctorContext, status: BulkStatus): Promise<Finding[]> {
  const { peer, incomingSince, failure } = status;
  const { address, port } = peer.endpoint;
  const name = `${address} (${peer.name})`;
  const findings: Finding[] = [];
  if (incomingSince === undefined) {
    const { syncPort } = context.config;
    const network = networkOf(address, context.machine.interfaces());
    const lines = openingLines(context.firewall, 'in', [syncPort], network, 'tcp');
    const text = `${name}  it opens no connection to us on tcp ${syncPort}: blocked here, or ${WITHOUT_OPTION}`;
    findings.push(bad('blocked', text, here(...lines)));
  }
  const fault = (await connectionFault(peer.endpoint)) ?? failure?.reason;
  if (fault !== undefined) findings.push(unreached(context, peer.name, name, peer.endpoint, fault));
  return findings.length > 0 ? findings : [ok(`${name}  ${port} tcp both ways (-large, -roaming)`)];
}

async function tryTarget(
  context: DoctorContext,
  { name, target: { sync } }: DoctorTarget,
): Promise<Finding[]> {
  const { address, port } = sync;
  const shown = name === undefined ? address : `${address} (${name})`;
  const fault = await connectionFault(sync);
  if (fault === undefined) return [ok(`${shown}  we reach it on tcp ${port} (-large, -roaming)`)];
  return [unreached(context, name ?? address, shown, sync, fault)];
}

function unreached(
  context: DoctorContext,
  name: string,
  shown: string,
  endpoint: Endpoint,
  fault: string,
): Finding {
  const { port } = endpoint;
  const text = `${shown}  we do not reach it on tcp ${port} (${fault}): blocked there, or ${WITHOUT_OPTION}`;
  return bad('blocked', text, opensThere(context, name, endpoint));
}

/** The firewall of another box is not known here: ufw is the most usual one. */
function opensThere(context: DoctorContext, name: string, { address, port }: Endpoint) {
  const network = networkOf(address, context.machine.interfaces());
  const from = network === address ? undefined : network;
  const ufw = { kind: 'ufw', chains: { in: [], out: [] } } as const;
  const [line = ''] = openingLines(ufw, 'in', [port], from, 'tcp');
  return {
    where: `on ${name}`,
    lines: [`${line}   (shoal doctor there has the line for its firewall)`],
  };
}

/** @returns undefined if it accepts a connection */
function connectionFault({ address, port }: Endpoint): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const done = (fault: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(fault);
    };
    const timer = setTimeout(done, CONNECT_MS_MAX, 'no answer');
    socket.once('connect', () => done(undefined));
    socket.on('error', (error) => done(describeSystemError(error, 'network')));
  });
}
