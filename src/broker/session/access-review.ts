// After a change of access: takes from a session the subscriptions and queued messages that its
// client may no longer have. Runs in turns; deliveries meanwhile ask the new permissions already.

import { identityFields } from '../log-fields.ts';
import type { Topic } from '../message/message.ts';
import { Price } from '../prices.ts';
import type { Session } from './session.ts';
import type { SessionsContext } from './session-context.ts';
import type { SessionRegistry } from './session-registry.ts';

interface ReviewContext extends SessionsContext {
  readonly sessions: SessionRegistry;
}

/** Drops queued messages that the client may no longer receive. */
export function dropUnwanted({ authorizer, budget }: SessionsContext, { outbound }: Session): void {
  const { identity } = outbound;
  // Very many messages may wait, of few topics.
  const known = new Map<Topic, boolean>();
  const before = authorizer.work;
  outbound.dropUnwanted(({ message: { topic } }) => {
    const mayReceive = known.get(topic) ?? authorizer.mayReceive(identity, topic.name);
    known.set(topic, mayReceive);
    return !mayReceive;
  });
  budget.spend(authorizer.work - before);
}

/** Ends subscriptions that the client may no longer hold. Yields the price of each step. */
export function* reviewSubscriptions(
  { authorizer, log }: SessionsContext,
  sessions: SessionRegistry,
  session: Session,
): Generator<number> {
  for (const held of session.subscriptions.values()) {
    yield Price.accessCheck;
    const { identity } = session;
    if (authorizer.subscriptionRefusal(identity, held.filter) === 0) {
      sessions.reviewMember(session, held);
      continue;
    }
    log.info('subscription ended: access was withdrawn', {
      ...identityFields(identity),
      topic: held.filter,
    });
    sessions.removeSubscription(session, held);
  }
}

/** Reviews every session. Yields the price of each step. */
export function* reviewSessions(context: ReviewContext): Generator<number> {
  const { sessions } = context;
  for (const session of sessions.all()) {
    dropUnwanted(context, session);
    yield Price.accessCheck;
    yield* reviewSubscriptions(context, sessions, session);
  }
}
