// Will Messages (MQTT 5.0 3.1.2.5, 3.1.3.2.2): published when a connection ends without a normal
// DISCONNECT, after their delay or with the session's end, whichever comes first; a client that
// comes back in time cancels it. A crash of the broker ends connections as well: where a store keeps
// wills, they are due after the restart.

import type { WillPacket } from '../../mqtt/control-decoder.ts';
import { isReservedTopic } from '../../mqtt/topic.ts';
import type { Broker } from '../broker.ts';
import type { Deadline } from '../deadline-queue.ts';
import type { Message } from '../message/message.ts';
import type { Session } from './session.ts';

/** After a crash of ours clients have this long to come back before their wills go out. */
export const RETURN_SECONDS = 60;

export interface Will {
  readonly packet: WillPacket;
  deadline: Deadline | undefined;
}

/** The connection ended: the will is published, now or later. */
export function releaseWill(broker: Broker, session: Session): void {
  const { will } = session;
  if (will === undefined) return;
  const delaySeconds = Math.min(will.packet.delaySeconds, session.expirySeconds);
  if (delaySeconds <= 0) {
    publishWill(broker, session);
    return;
  }
  const at = broker.now + delaySeconds * 1000;
  will.deadline = broker.deadlines.schedule(at, () => publishWill(broker, session));
  if (session.saved) broker.store.saveWill(session.clientId, will.packet, at);
}

export function publishWill(broker: Broker, session: Session): void {
  const { will } = session;
  if (will === undefined) return;
  discardWill(broker, session);
  const { topic } = will.packet;
  const mayPublish =
    broker.authorizer.permissive || broker.authorizer.mayPublish(session.identity, topic);
  if (!mayPublish || isReservedTopic(topic)) {
    broker.stats.denied += 1;
    const { clientId, username } = session.identity;
    broker.log.info('will denied', { client: clientId, user: username, topic });
    return;
  }
  broker.publishMessage(willMessage(broker, will), session);
}

/** A normal DISCONNECT, or a client that resumed its session in time. */
export function discardWill(broker: Broker, session: Session): void {
  const { will } = session;
  if (will === undefined) return;
  session.will = undefined;
  broker.deadlines.cancel(will.deadline);
  if (session.stored) broker.store.removeWill(session.clientId);
}

/** @param publishAt Infinity where the client was connected when the process ended */
export function restoreWill(
  broker: Broker,
  session: Session,
  packet: WillPacket,
  publishAt: number,
): void {
  session.will = { packet, deadline: undefined };
  // That of a session which ended with its connection goes out when the session does.
  if (session.expirySeconds === 0) return;
  let at = publishAt;
  if (at === Number.POSITIVE_INFINITY) {
    at = broker.now + Math.max(packet.delaySeconds, RETURN_SECONDS) * 1000;
    // Told, so that the next restart doesn't begin anew.
    broker.store.saveWill(session.clientId, packet, at);
  }
  session.will.deadline = broker.deadlines.schedule(at, () => publishWill(broker, session));
}

/** The expiry of a will counts from its publication. */
function willMessage(broker: Broker, will: Will): Message {
  const { topic, payload, properties, qos, retain, expirySeconds } = will.packet;
  return {
    topic: broker.topics.intern(topic),
    payload,
    properties,
    qos,
    retain,
    expiresAt: expirySeconds < 0 ? Number.POSITIVE_INFINITY : broker.now + expirySeconds * 1000,
    mark: undefined,
    holders: 0,
  };
}
