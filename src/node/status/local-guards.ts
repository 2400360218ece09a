// The guards of this node as the HTTP API sees them: bans, and the subscribers with the longest queues.
// Turns times of the broker's clock into those of the wall clock.

import { performance } from 'node:perf_hooks';
import type { Ban, BanTarget } from '../../broker/ban-list.ts';
import type { Broker } from '../../broker/broker.ts';
import type { BanTargetView, BanView, GuardsApi, SlowSubscriberView } from '../../http/node-api.ts';
import { InputError } from '../../http/schema.ts';
import { normalAddress, sourceOf } from '../../shared/ip-address.ts';
import { wallTime } from '../wall-time.ts';

export class LocalGuards implements GuardsApi {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  bans(): readonly BanView[] {
    return this.#broker.bans.all(performance.now()).map(viewOf);
  }

  ban(target: BanTargetView, seconds: number): BanView {
    const { bans } = this.#broker;
    return viewOf(bans.add(targetOf(target), 'by hand', seconds * 1000, performance.now()));
  }

  liftBan(target: BanTargetView): boolean {
    return this.#broker.bans.lift(targetOf(target), performance.now());
  }

  slowSubscribers(): readonly SlowSubscriberView[] {
    return this.#broker
      .slowSubscribers(performance.now())
      .map(({ clientId: client, username, since, ...rest }) => ({
        ...rest,
        client,
        user: username ?? null,
        since: wallTime(since),
      }));
  }
}

function viewOf({ source, clientId, username, reason, since, until }: Ban): BanView {
  return {
    address: source ?? null,
    client: clientId ?? null,
    user: username ?? null,
    reason,
    since: wallTime(since),
    until: wallTime(until),
  };
}

/** @throws InputError */
function targetOf({ address, client, user }: BanTargetView): BanTarget {
  const name = { clientId: client, username: user };
  if (address === undefined) return { source: undefined, ...name };
  const normal = normalAddress(address.replace(/\/64$/, ''));
  if (normal === undefined) throw new InputError(`'${address}' is not an IP address`);
  return { source: sourceOf(normal), ...name };
}
