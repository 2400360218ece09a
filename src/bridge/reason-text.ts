// Reason Codes of the far side in words, each with what to change where that is known.

import { describeReasonCode, formatReasonCode, ReasonCode } from '../mqtt/reason-code.ts';

const WRONG_VERSION = 'it does not speak this version of MQTT (set protocol)';
const WRONG_ID = 'it does not take the client identifier (set client-id)';
const WRONG_PASSWORD = 'wrong user name or password';
const NOT_AVAILABLE = 'it is not available at present';

/** Of CONNACK, DISCONNECT, SUBACK and acknowledgements. */
const TEXTS: Readonly<Record<number, string>> = {
  [ReasonCode.unspecifiedError]: 'no reason given',
  [ReasonCode.unsupportedProtocolVersion]: WRONG_VERSION,
  [ReasonCode.clientIdentifierNotValid]: WRONG_ID,
  [ReasonCode.badUserNameOrPassword]: WRONG_PASSWORD,
  [ReasonCode.notAuthorized]: 'not authorized',
  [ReasonCode.serverUnavailable]: NOT_AVAILABLE,
  [ReasonCode.serverBusy]: 'it is busy',
  [ReasonCode.serverShuttingDown]: 'it shuts down',
  [ReasonCode.keepAliveTimeout]: 'it has received nothing for too long',
  [ReasonCode.sessionTakenOver]: 'another client has connected with the same client identifier',
  [ReasonCode.topicFilterInvalid]: 'it does not take the topic filter',
  [ReasonCode.topicNameInvalid]: 'it does not take the topic',
  [ReasonCode.packetTooLarge]: 'a packet is too large for it',
  [ReasonCode.quotaExceeded]: 'its quota is exceeded',
  [ReasonCode.connectionRateExceeded]: 'too many connections a minute',
};

/** @param reason the Reason String of the far side, which is at most quoted */
export function describeCode(code: number, reason: string | undefined): string {
  const text = TEXTS[code] ?? describeReasonCode(code);
  const quoted = reason === undefined ? '' : `, "${reason.slice(0, 200)}"`;
  return `${text} (${formatReasonCode(code)}${quoted})`;
}
