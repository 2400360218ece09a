// Subscribers for tests of routing that deliver nothing.

import { Accounts, ClientAccount, UserAccount } from '../../src/broker/accounts.ts';
import type { Subscriber, Subscription } from '../../src/broker/routing/subscription.ts';

/** Accounts without a bound. */
export function newAccounts(): Accounts {
  return new Accounts({ memoryBytesMax: Number.POSITIVE_INFINITY });
}

export function newSubscriber(clientId: string): Subscriber {
  return {
    identity: { clientId, username: undefined },
    account: new ClientAccount(new UserAccount(clientId)),
    online: false,
    ready: false,
    deliver: () => undefined,
    deliverMessage: () => undefined,
  };
}

export function subscriptionTo(filter: string, subscriber: Subscriber): Subscription {
  const noOptions = { noLocal: false, retainAsPublished: false, identifiers: [] };
  return { subscriber, filter, qos: 0, ...noOptions };
}
