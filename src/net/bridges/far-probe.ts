// Asks a far side what it would answer to a bridge: opens a connection, greets, and leaves. For the doctor.
// Invariant: it harms no bridge that runs: it has a client identifier of its own, and leaves no session.

import type { BridgeAddress, BridgeOptions } from '../../bridge/options.ts';
import { describeCode } from '../../bridge/reason-text.ts';
import {
  type ConnackPacket,
  decodeConnack,
  encodeClientDisconnect,
  encodeConnect,
} from '../../mqtt/client-packets.ts';
import { Framer } from '../../mqtt/framer.ts';
import { FirstByte } from '../../mqtt/packet-type.ts';
import { ProtocolError } from '../../mqtt/protocol-fault.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import type { Transport } from '../clients/transport.ts';
import { describeFarFault, ENDED_BY_FAR_SIDE, type FarStep } from './far-faults.ts';
import { type FarTls, openTransport } from './far-transport.ts';

const ANSWER_MS_MAX = 5_000;
const CONNACK_BYTES_MAX = 65_536;

export type FarAnswer =
  | { readonly isAccepted: true; readonly connack: ConnackPacket }
  | {
      readonly isAccepted: false;
      /** `mqtt`: it answers, and not as an MQTT server does; `refused`: by its CONNACK. */
      readonly step: FarStep | 'mqtt' | 'refused';
      readonly reason: string;
    };

/** Never rejects. */
export function probeFarSide(
  options: BridgeOptions,
  address: BridgeAddress,
  tls: FarTls,
): Promise<FarAnswer> {
  return new Promise((resolve) => {
    const opening = openTransport(address, tls, CONNACK_BYTES_MAX);
    let end = (): void => opening.cancel();
    const done = (answer: FarAnswer): void => {
      clearTimeout(timer);
      resolve(answer);
      end();
    };
    let step: FarStep | 'mqtt' = 'reach';
    const timer = setTimeout(() => {
      const reason = step === 'mqtt' ? 'no answer to CONNECT' : 'no answer';
      done({ isAccepted: false, step, reason: `${reason} within ${ANSWER_MS_MAX / 1000} s` });
    }, ANSWER_MS_MAX);
    opening.onFailure = (fault) => done({ isAccepted: false, ...fault });
    opening.onOpen = (transport) => {
      step = 'mqtt';
      end = () => leave(transport, options);
      greet(transport, options, done);
    };
  });
}

/** @param done called once or more; the first answer counts */
function greet(
  transport: Transport,
  options: BridgeOptions,
  done: (answer: FarAnswer) => void,
): void {
  const framer = new Framer(CONNACK_BYTES_MAX);
  let reason = ENDED_BY_FAR_SIDE;
  transport.on('error', (error?: unknown) => {
    if (error !== undefined) reason = describeFarFault(error).reason;
  });
  transport.on('close', () => done({ isAccepted: false, step: 'mqtt', reason }));
  transport.on('data', (chunk) => {
    if (!framer.isHolding && chunk[0] !== FirstByte.connack) {
      done({ isAccepted: false, step: 'mqtt', reason: 'it does not speak MQTT on that port' });
      return;
    }
    framer.push(chunk);
    const answer = answerIn(framer, options);
    if (answer !== undefined) done(answer);
  });
  transport.write(
    encodeConnect({
      ...options,
      clientId: `${options.clientId}.doctor`,
      cleanStart: true,
      sessionExpirySeconds: 0,
      will: undefined,
    }),
  );
}

/** @returns undefined until the CONNACK is whole */
function answerIn(framer: Framer, { version }: BridgeOptions): FarAnswer | undefined {
  const found = framer.next();
  if (found === false) return undefined;
  try {
    if (found !== true) throw new ProtocolError(found);
    const packet = framer.buffer.subarray(framer.start, framer.end);
    const connack = decodeConnack(packet, version);
    const { reasonCode, reasonString } = connack;
    if (reasonCode === ReasonCode.success) return { isAccepted: true, connack };
    return { isAccepted: false, step: 'refused', reason: describeCode(reasonCode, reasonString) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { isAccepted: false, step: 'mqtt', reason: `no CONNACK: ${error.fault.text}` };
  }
}

function leave(transport: Transport, { version }: BridgeOptions): void {
  if (transport.writable) transport.write(encodeClientDisconnect(version));
  transport.end();
  setTimeout(() => transport.destroy(), ANSWER_MS_MAX).unref();
}
