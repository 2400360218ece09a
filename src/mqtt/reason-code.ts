// Reason Codes of MQTT 5.0 (2.4) and CONNACK return codes of MQTT 3.1.1 (3.2.2.3), under the
// specifications' names.

export const ReasonCode = {
  success: 0x00,
  normalDisconnection: 0x00,
  grantedQos0: 0x00,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecificError: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  maximumConnectTime: 0xa0,
  subscriptionIdentifiersNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** CONNACK return codes before MQTT 5. */
export const ReturnCode = {
  accepted: 0,
  unacceptableProtocolVersion: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  badUserNameOrPassword: 4,
  notAuthorized: 5,
} as const;

/** True for a Reason Code that says failure; those below 0x80 say success (MQTT 5.0 2.4). */
export function isFailure(reasonCode: number): boolean {
  return reasonCode >= ReasonCode.unspecifiedError;
}

/** The nearest return code of MQTT 3.1.1 for a CONNACK Reason Code of MQTT 5. */
export function returnCodeFor(reasonCode: number): number {
  switch (reasonCode) {
    case ReasonCode.success:
      return ReturnCode.accepted;
    case ReasonCode.unsupportedProtocolVersion:
      return ReturnCode.unacceptableProtocolVersion;
    case ReasonCode.clientIdentifierNotValid:
      return ReturnCode.identifierRejected;
    case ReasonCode.badUserNameOrPassword:
      return ReturnCode.badUserNameOrPassword;
    case ReasonCode.notAuthorized:
    case ReasonCode.banned:
      return ReturnCode.notAuthorized;
    default:
      return ReturnCode.serverUnavailable;
  }
}

/** As the specification and the documentation write it: `0x87`. */
export function formatReasonCode(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`;
}

/** The name of a Reason Code as words: `bad user name or password`; its number where it has no name. */
export function describeReasonCode(code: number): string {
  const name = Object.entries(ReasonCode).find(([, value]) => value === code)?.[0];
  if (name === undefined) return `reason code ${formatReasonCode(code)}`;
  return name.replace(/[A-Z]|\d+/g, (part) => ` ${part.toLowerCase()}`).replace('qo s', 'QoS');
}
