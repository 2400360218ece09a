// What has come to a client, against what the model says must come or may come.

import assert from 'node:assert/strict';
import type * as wire from '../support/wire.ts';
import type { GroupMessages } from './group-messages.ts';
import type { ModelConnection, ModelDelivery, ModelSession } from './model-broker.ts';
import { GROUP_IDENTIFIER, GROUPS } from './steps.ts';

/** The packet with the topic that its alias means. */
export function withTopic(packet: wire.Packet, aliases: Map<number, string>): wire.Packet {
  const { type, topic, properties } = packet;
  const alias = properties?.topicAlias as number | undefined;
  if (type !== 'publish' || alias === undefined) return packet;
  if (topic !== '') aliases.set(alias, topic);
  return { ...packet, topic: aliases.get(alias) ?? assert.fail(`alias ${alias} was not set`) };
}

/** Of messages of one topic and QoS the oldest comes first; between topics any order is right. */
export function takeDelivery(
  deliveries: readonly ModelDelivery[],
  packet: wire.Packet,
  isCurrent: boolean,
  version: 4 | 5,
): void {
  const { topic, payload, qos, retain, dup, id, properties } = packet;
  const text = `PUBLISH ${topic} '${payload}' QoS ${qos}`;
  const delivery = deliveries.find(
    ({ message, group, qos: other, isOptional, state }) =>
      message.topic === topic &&
      group === undefined &&
      other === qos &&
      (state === 'pending' || state === 'resend') &&
      (!isOptional || message.payload === payload),
  );
  if (delivery === undefined || !isCurrent) assert.fail(`${text} was not expected`);
  assert.equal(payload, delivery.message.payload, `${text} is in the wrong order`);
  assert.equal(retain, delivery.retain, `RETAIN of ${text}`);
  assert.equal(dup, delivery.state === 'resend', `DUP of ${text}`);
  if (dup) assert.equal(id, delivery.packetId, `Packet Identifier of ${text}`);
  const identifiers = (properties.subscriptionIdentifier as number[] | undefined) ?? [];
  const expected = version === 5 ? delivery.identifiers : [];
  assert.deepEqual([...identifiers].sort(), [...expected].sort(), text);
  delivery.packetId = id;
  delivery.isCounted = qos > 0;
  delivery.state = 'sent';
}

/** The filter of the shared subscription for which the message has come; undefined for one of others. */
export function groupOf({ properties }: wire.Packet): string | undefined {
  const [identifier = 0] = (properties?.subscriptionIdentifier as number[] | undefined) ?? [];
  return GROUPS[identifier - GROUP_IDENTIFIER];
}

/** A message of a group, for the first time or again. */
export function takeGroupDelivery(
  groups: GroupMessages,
  session: ModelSession,
  packet: wire.Packet,
  group: string,
): void {
  const { topic = '', payload, qos, retain, dup, id } = packet;
  const text = `PUBLISH ${topic} '${payload}' QoS ${qos} of ${group} to ${session.clientId}`;
  if (dup) {
    const again = session.deliveries.find(
      (one) => one.group === group && one.state === 'resend' && one.packetId === id,
    );
    assert.equal(payload, again?.message.payload, `${text} is not in flight`);
    again!.state = 'sent';
    again!.isCounted = true;
    groups.repeated(session, group, again!.message);
    return;
  }
  const message = groups.arrived(session, { group, topic, payload, qos, retain });
  if (message === undefined) assert.fail(`${text} was not expected`);
  if (qos === 0) return;
  session.deliveries.push({
    ...{ message, group, qos: qos as 1 | 2, retain, identifiers: [], packetId: id },
    ...{ isCounted: true, isOptional: false, state: 'sent' },
  });
}

export function isRepeatedRelease(
  deliveries: readonly ModelDelivery[],
  packet: wire.Packet,
): boolean {
  if (packet.type !== 'pubrel') return false;
  const delivery = deliveries.find(
    ({ state, packetId }) => state === 'release again' && packetId === packet.id,
  );
  if (delivery !== undefined) delivery.state = 'released';
  return delivery !== undefined;
}

export function takeAnswer({ answers, session }: ModelConnection, packet: wire.Packet): void {
  const { type, id, sessionPresent } = packet;
  const answer = answers.shift();
  assert.equal(type, answer?.type, `${session.clientId} got ${type}`);
  if (answer?.id !== undefined) assert.equal(id, answer.id, `Packet Identifier of ${type}`);
  if (type === 'connack') assert.equal(sessionPresent, answer?.sessionPresent, 'Session Present');
  const reasons = packet.reasons.length > 0 ? packet.reasons : [packet.reason];
  for (const [index, allowed] of (answer?.reasons ?? []).entries()) {
    const hex = `0x${reasons[index]?.toString(16)}`;
    assert.ok(allowed.includes(reasons[index] ?? 0), `Reason Code ${hex} of ${type}`);
  }
}
