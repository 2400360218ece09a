// What a client did wrong, as data: decoders return it on the hot path, slower code throws it
// inside a ProtocolError, and the connection's handler turns either into the right DISCONNECT.

import { ReasonCode } from './reason-code.ts';

export interface ProtocolFault {
  /** Reason Code for DISCONNECT (or CONNACK) in MQTT 5; earlier versions are just closed. */
  readonly reasonCode: number;
  /** Short, for the log and the Reason String. */
  readonly text: string;
}

/** A fault of the other side: closes this one connection, never the process. */
export class ProtocolError extends Error {
  readonly fault: ProtocolFault;

  constructor(fault: ProtocolFault) {
    super(fault.text);
    this.fault = fault;
  }
}

export function malformed(text: string): ProtocolFault {
  return { reasonCode: ReasonCode.malformedPacket, text };
}

export function protocolFault(text: string): ProtocolFault {
  return { reasonCode: ReasonCode.protocolError, text };
}
