// Checks of the ports of this node: which program has one that the node needs, and whether another broker
// waits where clients look for one.

import { type Config, isClustered } from '../config/config.ts';
import { BindError, UdpSocket } from '../net/cluster/udp.ts';
import { tryPort } from '../net/listen-error.ts';
import { describePortHolder } from '../net/port-holder.ts';
import { silentLogger } from '../shared/logger.ts';
import type { Check } from './context.ts';
import { bad, type Finding, here, ok, warn } from './finding.ts';

const MQTT_PORT = 1883;

/** Programs that have a port of ours by default, by a word in their name. */
const KNOWN_HOLDERS: readonly (readonly [word: string, is: string])[] = [
  ['dockerd', 'Docker Swarm'],
  ['speaker', 'MetalLB'],
  ['serf', 'Serf'],
  ['consul', 'Consul'],
  ['alertmanager', 'Alertmanager'],
  ['mosquitto', 'mosquitto, another MQTT broker'],
];

const ports: Check = {
  id: 'ports',
  run: async ({ config, isUp }) => {
    if (isUp) return [];
    const wanted = [
      ...config.listeners
        .filter(({ port }) => port !== 0)
        .map(({ port, bind, place }) => ({ kind: 'tcp' as const, port, bind, flag: place })),
      ...clusterPorts(config),
    ];
    const findings = (await Promise.all(wanted.map(takenPort))).flat();
    return findings.length === 0 ? [ok('all ports of this node are free')] : findings;
  },
};

const broker: Check = {
  id: 'broker',
  run: async ({ config }) => {
    if (config.listeners.some(({ port }) => port === MQTT_PORT)) return [];
    if (!(await isTcpTaken(MQTT_PORT, undefined))) return [];
    const holder = describeHolder('tcp', MQTT_PORT);
    const text = `${holder} has TCP ${MQTT_PORT}: clients without a port find it, not this node`;
    return [warn('other-broker', text, here(stopLine(holder)))];
  },
};

export const portChecks: readonly Check[] = [ports, broker];

interface WantedPort {
  readonly kind: 'tcp' | 'udp';
  readonly port: number;
  readonly bind: string | undefined;
  readonly flag: string;
}

function clusterPorts(config: Config): WantedPort[] {
  if (!isClustered(config)) return [];
  const { bindAddress: bind, gossipPort, syncPort } = config;
  return [
    { kind: 'udp', port: gossipPort, bind, flag: '-crp' },
    { kind: 'udp', port: syncPort, bind, flag: '-csp' },
  ];
}

async function takenPort({ kind, port, bind, flag }: WantedPort): Promise<Finding[]> {
  const isTaken = kind === 'tcp' ? await isTcpTaken(port, bind) : await isUdpTaken(port, bind);
  if (!isTaken) return [];
  const holder = describeHolder(kind, port);
  const text = `${holder} has ${kind.toUpperCase()} ${port}`;
  const other =
    kind === 'udp'
      ? `${flag}=${port + 10} on every node, with the port in each -mbs`
      : `${flag.split('=')[0]}=${port + 10000}`;
  if (port === MQTT_PORT && kind === 'tcp') {
    return [bad('port-taken', text, here(stopLine(holder), `or another port: ${other}`))];
  }
  return [bad('port-taken', text, here(`another port: ${other}`))];
}

/** `dockerd (pid 123), Docker Swarm`. */
function describeHolder(kind: 'tcp' | 'udp', port: number): string {
  const holder = describePortHolder(kind, port);
  const known = KNOWN_HOLDERS.find(([word]) => holder.startsWith(word));
  return known === undefined ? holder : `${holder}, ${known[1]},`;
}

function stopLine(holder: string): string {
  const [program = ''] = holder.split(' ');
  return holder.startsWith('mosquitto') ? 'systemctl disable --now mosquitto' : `stop ${program}`;
}

async function isTcpTaken(port: number, bind: string | undefined): Promise<boolean> {
  return (await tryPort({ bind, port, place: '' }))?.isInUse === true;
}

async function isUdpTaken(port: number, bind: string | undefined): Promise<boolean> {
  const quiet = { receiveBufferBytes: 0, onDatagram: () => undefined, log: silentLogger };
  try {
    const socket = await UdpSocket.open({ bind, port, flag: '', ...quiet });
    await socket.close();
    return false;
  } catch (error) {
    return error instanceof BindError && error.isInUse;
  }
}
