// Whether a retained message may be served: its subscriber may receive the topic and, as in mosquitto
// (check_retain_source), its publisher may still publish to it.

import type { BrokerContext } from '../context.ts';
import { identityFields } from '../log-fields.ts';
import type { Message } from '../message/message.ts';
import type { Identity } from '../ports.ts';

export function mayServeRetained(
  context: BrokerContext,
  subscriber: Identity,
  message: Message,
): boolean {
  const { authorizer, options, budget } = context;
  if (authorizer.permissive) return true;
  const topic = message.topic.name;
  if (!authorizer.mayReceive(subscriber, topic)) return false;
  const { publisher } = message;
  if (publisher === undefined || !options.checkRetainSource) return true;
  const before = authorizer.work;
  const mayPublish = authorizer.mayPublish(publisher, topic);
  budget.spend(authorizer.work - before);
  if (!mayPublish) recordWithheld(context, publisher, topic);
  return mayPublish;
}

function recordWithheld(
  { stats, limiter, budget, log }: BrokerContext,
  publisher: Identity,
  topic: string,
): void {
  stats.denied += 1;
  const count = limiter.admit('retained withheld', budget.now);
  if (count === 0) return;
  const event = 'retained message withheld: its publisher may no longer publish to the topic';
  log.info(event, { ...identityFields(publisher), topic, count });
}
