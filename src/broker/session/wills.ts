// Will Messages (MQTT 5.0 3.1.2.5, 3.1.3.2.2). A will is published when a connection ends without a
// normal DISCONNECT, at the end of its delay or of the session, whichever comes first; a client that
// reconnects in time cancels it. A crash of the node ends connections too: the store keeps wills, and
// they are due after the restart.

import type { WillPacket } from '../../mqtt/control-decoder.ts';
import { isClosedToClients } from '../../mqtt/topic.ts';
import { textBytes } from '../../shared/text-bytes.ts';
import type { Deadline } from '../deadline-queue.ts';
import { identityFields } from '../log-fields.ts';
import { contentBytes, WILL_BYTES } from '../memory-costs.ts';
import type { Session } from './session.ts';
import type { SessionsContext } from './session-context.ts';

/** Seconds that clients have to reconnect after a crash of the node before their wills are published. */
export const RETURN_SECONDS = 60;

export interface Will {
  readonly packet: WillPacket;
  /** Set during the Will Delay. */
  deadline: Deadline | undefined;
}

/** Memory of a will. */
export function willBytes(will: WillPacket | undefined): number {
  if (will === undefined) return 0;
  return WILL_BYTES + textBytes(will.topic) + contentBytes(will.payload.length, will.properties);
}

/** Gives the session a will. The caller has discarded an earlier one. */
export function setWill({ accounts }: SessionsContext, session: Session, packet: WillPacket): Will {
  const will: Will = { packet, deadline: undefined };
  session.will = will;
  accounts.charge(session.outbound.account, willBytes(packet));
  return will;
}

/** The connection ended: publishes the will now or after its delay. */
export function releaseWill(context: SessionsContext, session: Session): void {
  const { will } = session;
  if (will === undefined) return;
  const delaySeconds = Math.min(will.packet.delaySeconds, session.expirySeconds);
  if (delaySeconds <= 0) {
    publishWill(context, session);
    return;
  }
  const at = context.budget.now + delaySeconds * 1000;
  will.deadline = context.deadlines.schedule(at, () => publishWill(context, session));
  if (session.isPersistent) context.store.saveWill(session.clientId, will.packet, at);
}

export function publishWill(context: SessionsContext, session: Session): void {
  const { will } = session;
  if (will === undefined) return;
  discardWill(context, session);
  const { topic } = will.packet;
  const { authorizer } = context;
  const mayPublish = authorizer.permissive || authorizer.mayPublish(session.identity, topic);
  // A will from the store may be of a time with other limits.
  if (!mayPublish || isClosedToClients(topic) || !context.topics.allows(topic)) {
    context.stats.denied += 1;
    context.log.info('will denied', { ...identityFields(session.identity), topic });
    return;
  }
  const { payload, properties, qos, retain, expirySeconds } = will.packet;
  // The Message Expiry Interval of a will begins with its publication.
  const content = { payload, properties, qos, retain, expirySeconds };
  context.distributor.publish(topic, content, session.outbound);
}

/** After a normal DISCONNECT, or when the client resumed its session in time. */
export function discardWill(context: SessionsContext, session: Session): void {
  const { will } = session;
  if (will === undefined) return;
  session.will = undefined;
  context.accounts.charge(session.outbound.account, -willBytes(will.packet));
  context.deadlines.cancel(will.deadline);
  if (session.isInStore) context.store.removeWill(session.clientId);
}

/** @param publishAt Infinity if the client was connected when the process ended */
export function restoreWill(
  context: SessionsContext,
  session: Session,
  packet: WillPacket,
  publishAt: number,
): void {
  const will = setWill(context, session, packet);
  // The will of a session without expiry is published when the restored session ends.
  if (session.expirySeconds === 0) return;
  let at = publishAt;
  if (at === Number.POSITIVE_INFINITY) {
    at = context.budget.now + Math.max(packet.delaySeconds, RETURN_SECONDS) * 1000;
    // Recorded, so that the next restart does not begin the delay anew.
    context.store.saveWill(session.clientId, packet, at);
  }
  will.deadline = context.deadlines.schedule(at, () => publishWill(context, session));
}
