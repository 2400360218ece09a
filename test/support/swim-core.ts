// One membership core without a network: a test hands it datagrams and looks at what it sends.

import type { Endpoint } from '../../src/shared/endpoint.ts';
import {
  BodyWriter,
  decodeMessage,
  type GossipMessage,
  type MessageHead,
  type MessageKind,
} from '../../src/swim/codec.ts';
import type { MemberRecord } from '../../src/swim/record.ts';
import { Swim } from '../../src/swim/swim.ts';
import type { SwimPort } from '../../src/swim/swim-port.ts';
import { TIMING_PRESETS } from '../../src/swim/timing.ts';
import { seededRandom } from './random.ts';

export const HOME: Endpoint = { address: '10.0.0.1', port: 7946 };
export const STRANGER: Endpoint = { address: '10.0.0.2', port: 7946 };

export interface Sent {
  readonly to: Endpoint;
  readonly body: Buffer;
  readonly message: GossipMessage;
}

export function core(
  now = 0,
  port: Partial<SwimPort> = {},
): { swim: Swim; sent: Sent[]; take: () => Sent[] } {
  const sent: Sent[] = [];
  const swim = new Swim(
    {
      self: {
        name: 'home',
        bootId: 1n,
        address: HOME.address,
        port: HOME.port,
        isAdvertised: false,
        metadata: Buffer.alloc(0),
      },
      timing: TIMING_PRESETS.lan,
      random: seededRandom(now + 1),
      joinMs: 0,
      bodyBytesMax: 1160,
    },
    {
      send: (to, body) => sent.push({ to, body, message: decodeMessage(body)! }),
      isLocalEndpoint: () => false,
      resolveSeeds: () => undefined,
      memberChanged: () => undefined,
      peersChanged: () => undefined,
      joined: () => undefined,
      nameRefused: () => undefined,
      nameDefended: () => undefined,
      ...port,
    },
    now,
  );
  swim.advance(now);
  return { swim, sent, take: () => sent.splice(0) };
}

export function recordOf(name: string, bootId: bigint, incarnation = 0): MemberRecord {
  const { address, port } = STRANGER;
  const detail = { address, port, isAdvertised: false, metadata: Buffer.alloc(0), ageMs: 5 };
  return { name, bootId, incarnation, state: 'alive', detail };
}

export function body(
  kind: MessageKind,
  add: (writer: BodyWriter) => void = () => undefined,
  head: Partial<MessageHead> = {},
): Buffer {
  const flags = { isIndirect: false, isLast: false };
  const whole = { kind, ...flags, incarnation: 0, sequence: 9, tableHash: 0n, ...head };
  const writer = new BodyWriter(whole, 1160);
  add(writer);
  return writer.finish();
}

/** Validates a boot at STRANGER. @returns the datagram that did it */
export function introduce(swim: Swim, take: () => Sent[], name: string, bootId: bigint): Buffer {
  const record = recordOf(name, bootId);
  swim.handle(
    0,
    STRANGER,
    bootId,
    1,
    body('ping', (writer) => writer.nonce(7n).record(record)),
  );
  const nonce = take().find((one) => one.message.kind === 'challenge')!.message.tableHash;
  const proof = body('ping', (writer) => writer.echo(nonce).record(record));
  swim.handle(0, STRANGER, bootId, 2, proof);
  return proof;
}
