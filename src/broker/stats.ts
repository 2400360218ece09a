// Counters of the broker since its start. Plain numbers, because the hot path adds to them.

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
  /** Messages that a session dropped because its queue or the node's was full. */
  publishDropped = 0;
  publishExpired = 0;
  /** Messages of bridges that had been at this site before. */
  publishRepeated = 0;
  /** Publishes and subscriptions that the authorizer refused. */
  denied = 0;
  /** Subscriptions refused because a bound was reached or the disk took no changes. */
  subscriptionsRefused = 0;
  /** Messages that were not retained because a limit was reached. */
  retainedRefused = 0;
  /** Messages from other nodes. */
  peerReceived = 0;
  socketConnections = 0;
  /** CONNECT packets, of accepted and refused clients. */
  connectsReceived = 0;
  clientsConnected = 0;
  clientsMaximum = 0;
  /** Sessions that ended because they expired. */
  sessionsExpired = 0;
  protocolErrors = 0;
  connectionsRefused = 0;

  clientConnected(): void {
    this.clientsConnected += 1;
    this.clientsMaximum = Math.max(this.clientsMaximum, this.clientsConnected);
  }
}
