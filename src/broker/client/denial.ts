// Logs what the authorizer has denied a client, and charges for it: a client that publishes without
// permission all the time must not delay the others.

import type { BrokerContext } from '../context.ts';
import { identityFields } from '../log-fields.ts';
import type { Identity } from '../ports.ts';
import { Price } from '../prices.ts';

export function recordDenial(
  { budget, log, stats }: BrokerContext,
  identity: Identity,
  what: 'publish' | 'subscribe',
  topic: string,
): void {
  stats.denied += 1;
  budget.spend(Price.denial);
  log.info(`${what} denied`, { ...identityFields(identity), topic });
}
