// Checks of the bridges: whether the far side is reached, over TLS, with these credentials, and whether it
// takes what the bridge is to send. What a connected bridge knows is not asked again.

import { type BridgeAddress, formatAddress } from '../bridge/options.ts';
import { type BridgeConfig, bridgesOf } from '../config/bridges.ts';
import type { ConnackPacket } from '../mqtt/client-packets.ts';
import { type FarAnswer, probeFarSide } from '../net/bridges/far-probe.ts';
import { formatBytes } from '../shared/units.ts';
import type { Check, DoctorContext } from './context.ts';
import { bad, type Finding, here, ok, warn } from './finding.ts';

const bridges: Check = {
  id: 'bridges',
  run: async (context) => {
    const found = bridgesOf(context.config).map((bridge) => findingsOf(bridge, context));
    return (await Promise.all(found)).flat();
  },
};

export const bridgeChecks: readonly Check[] = [bridges];

async function findingsOf(
  bridge: BridgeConfig,
  { config, bridges: known }: DoctorContext,
): Promise<readonly Finding[]> {
  const { options, tls, place } = bridge;
  const { name, addresses } = options;
  const { granted, lostReason } = known.get(name) ?? {};
  if (granted !== undefined) {
    return limitFindings(bridge, `bridge ${name} is connected`, granted, config.packetBytesMax);
  }
  const found = addresses.map(async (address) => {
    const answer = await probeFarSide(options, address, tls);
    if (!answer.isAccepted) return [faultOf(bridge, address, answer)];
    const where = `bridge ${name}: ${formatAddress(address)} accepts a connection`;
    return limitFindings(bridge, where, answer.connack, config.packetBytesMax);
  });
  const findings = (await Promise.all(found)).flat();
  if (lostReason === undefined || findings.some(({ level }) => level === 'bad')) return findings;
  const text = `bridge ${name} is not connected, though the far side accepts one: ${lostReason}`;
  return [...findings, bad('bridge-refused', text, here(`client-id and topics at ${place}`))];
}

function faultOf(
  { options, place, tls }: BridgeConfig,
  address: BridgeAddress,
  answer: Exclude<FarAnswer, { isAccepted: true }>,
): Finding {
  const { name, clientId } = options;
  const at = `bridge ${name}: ${formatAddress(address)}`;
  const { step, reason } = answer;
  switch (step) {
    case 'files':
      return bad('bridge-tls', `bridge ${name}: ${reason}`, here(`ca, cert and key at ${place}`));
    case 'tls':
      return bad('bridge-tls', `${at}: ${reason}`, here(tlsCure(address, tls.ca, place)));
    case 'refused': {
      const cure = `username, password and client-id at ${place}; the permissions there of client ${clientId}`;
      return bad(
        'bridge-refused',
        `${at} refuses client ${clientId}.doctor: ${reason}`,
        here(cure),
      );
    }
    case 'mqtt':
    case 'websocket':
      return bad(
        'bridge-unreachable',
        `${at}: ${reason}`,
        here(`address and protocol at ${place}`),
      );
    case 'reach':
      return bad('bridge-unreachable', `${at}: ${reason}`, here(`address at ${place}`));
  }
}

function tlsCure({ host, port }: BridgeAddress, ca: string | undefined, place: string): string {
  const authority = ca === undefined ? '' : ` -CAfile ${ca}`;
  return `openssl s_client -connect ${host}:${port}${authority}, then ca, cert, key and alpn at ${place}`;
}

/** @param packetBytesMax -max-packet-size of this node */
function limitFindings(
  bridge: BridgeConfig,
  where: string,
  connack: ConnackPacket,
  packetBytesMax: number,
): Finding[] {
  const { options, place, retain } = bridge;
  const { maximumQos, retainAvailable, maximumPacketBytes } = connack;
  const sent = options.topics.filter(({ direction }) => direction !== 'in');
  const tooExact = sent.filter(({ qos }) => qos > maximumQos);
  const keepAlive = connack.keepAliveSeconds ?? options.keepAliveSeconds;
  const size =
    maximumPacketBytes === Number.POSITIVE_INFINITY
      ? 'packets of any size'
      : `packets up to ${formatBytes(maximumPacketBytes)}`;
  const retained = retainAvailable ? 'retained messages' : 'no retained messages';
  const mqtt = options.version === 5 ? '5.0' : '3.1.1';
  const findings = [
    ok(
      `${where}: MQTT ${mqtt}, QoS ${maximumQos}, ${retained}, ${size}, keep alive ${keepAlive} s`,
    ),
  ];
  if (sent.length === 0) return findings;
  if (maximumPacketBytes < packetBytesMax) {
    const text = `bridge ${options.name}: the far side takes packets up to ${maximumPacketBytes} bytes, this node up to ${packetBytesMax}: larger ones do not cross`;
    const cure = `-max-packet-size=${maximumPacketBytes}, so that clients learn of it`;
    findings.push(warn('bridge-limits', text, here(cure)));
  }
  if (tooExact.length > 0) {
    const text = `bridge ${options.name}: the far side takes QoS ${maximumQos} at most: ${tooExact.map(({ pattern }) => pattern).join(', ')} cross with that`;
    findings.push(warn('bridge-limits', text, here(`QoS ${maximumQos} in topics at ${place}`)));
  }
  if (retain && !retainAvailable) {
    const text = `bridge ${options.name}: the far side takes no retained messages: they cross as ordinary ones`;
    findings.push(warn('bridge-limits', text, here(`retain = false at ${place}`)));
  }
  return findings;
}
