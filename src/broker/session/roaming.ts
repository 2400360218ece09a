// What other nodes have to do with the clients of this one: a client that connects to another node leaves
// this one, and wills are published for clients whose node died (src/node/replication/client-directory.ts).

import type { WillPacket } from '../../mqtt/control-decoder.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import { isReservedTopic } from '../../mqtt/topic.ts';
import { identityFields } from '../log-fields.ts';
import type { Session } from './session.ts';
import type { SessionsContext } from './session-context.ts';
import { discardWill } from './wills.ts';

/**
 * The client has connected to another node, so it is alive: ends its connection here without the will,
 * and cancels a will that waits for its delay. The session stays until it expires.
 * @returns true if the client was connected here
 */
export function leaveTo(context: SessionsContext, session: Session, node: string): boolean {
  const { connection } = session;
  if (connection === undefined) {
    discardWill(context, session);
    return false;
  }
  connection.disconnect(ReasonCode.sessionTakenOver, `its client connected to ${node}`, false);
  return true;
}

/** The will that other nodes may publish for the client: undefined if the client may not. */
export function publishableWill(
  { authorizer }: SessionsContext,
  { will, identity }: Session,
): WillPacket | undefined {
  if (will === undefined || isReservedTopic(will.packet.topic)) return undefined;
  const may = authorizer.permissive || authorizer.mayPublish(identity, will.packet.topic);
  return may ? will.packet : undefined;
}

/** Publishes the will of a client whose node died. Its node has checked access. */
export function publishForeignWill(
  { distributor, topics, stats, log }: SessionsContext,
  clientId: string,
  { topic, payload, properties, qos, retain, expirySeconds }: WillPacket,
): void {
  if (!topics.allows(topic)) {
    stats.denied += 1;
    log.info('will denied: its topic exceeds the limits', { client: clientId });
    return;
  }
  log.info('will published for a client of a node that is offline', { client: clientId, topic });
  distributor.publish(topic, { payload, properties, qos, retain, expirySeconds }, undefined);
}

/** Another node has published the will of a client that was restored here after a crash. */
export function forgetWill(context: SessionsContext, session: Session): void {
  if (session.will === undefined) return;
  context.log.debug('will was published by another node', identityFields(session.identity));
  discardWill(context, session);
}
