// A client's fault as data. Decoders on the hot path return it, other code throws it inside a
// ProtocolError, and the connection's handler turns either into a CONNACK or DISCONNECT.

import { ReasonCode } from './reason-code.ts';

export interface ProtocolFault {
  /** Reason Code for CONNACK or DISCONNECT in MQTT 5; earlier versions are closed without one. */
  readonly reasonCode: number;
  /** Short, for the log and the Reason String. */
  readonly text: string;
}

/** A fault of the other side: ends its connection, never the process. */
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
