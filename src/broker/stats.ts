// Counters of the broker since its start. Plain numbers: the hot path adds to them.

export class BrokerStats {
  /** Packets of every type. */
  packetsReceived = 0;
  packetsSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  publishReceived = 0;
  publishReceivedBytes = 0;
  publishSent = 0;
  publishSentBytes = 0;
  /** Messages that were not kept for a session: its queue was full, or it took no more bytes. */
  publishDropped = 0;
  publishExpired = 0;
  /** Publishes and subscriptions that the authorizer refused. */
  denied = 0;
  /** Retained messages that were not kept for lack of room. */
  retainedRefused = 0;
  /** Messages that came from other nodes. */
  peerReceived = 0;
  socketConnections = 0;
  /** CONNECT packets, whether their client was let in or not. */
  connectsReceived = 0;
  clientsConnected = 0;
  clientsMaximum = 0;
  /** Sessions that ended by their expiry. */
  sessionsExpired = 0;
  protocolErrors = 0;
  connectionsRefused = 0;
}
