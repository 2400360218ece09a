// Invitations of this node: makes the line that a person copies to a new box, and lets the box in that has
// it. Knows what a new box needs; the exchange itself is in src/net/cluster/invitation-door.ts.

import { performance } from 'node:perf_hooks';
import type { Config } from '../../config/config.ts';
import { changedOptions } from '../../config/shared-options.ts';
import { formatInvitation, INVITATION_ADDRESSES_MAX } from '../../discovery/invitation.ts';
import type { InvitationView } from '../../http/discovery-view.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { INVITATION_MS, InvitationDoor } from '../../net/cluster/invitation-door.ts';
import { listLinks } from '../../net/cluster/links.ts';
import { findHostAddress } from '../../net/host-address.ts';
import { type Endpoint, formatEndpoint, isUnspecified } from '../../shared/endpoint.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';

export interface InvitationsOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly gossipPort: number;
  readonly syncPort: number;
  /** The first token of -csk, as it is now. */
  token(): string;
  /** Where the other online nodes are. */
  members(): readonly Endpoint[];
}

const MEMBERS_MAX = 8;

export class Invitations {
  readonly #options: InvitationsOptions;
  readonly #door: InvitationDoor;
  readonly #limiter = new LogLimiter();

  constructor(options: InvitationsOptions) {
    const { config, log, syncPort, gossipPort } = options;
    const { clusterName: cluster, encrypt, advertise } = config;
    this.#options = options;
    this.#door = new InvitationDoor({
      bind: config.bindAddress,
      port: syncPort,
      welcome: (reached) => {
        const own = {
          address: advertise?.address ?? reached,
          port: advertise?.gossipPort ?? gossipPort,
        };
        const members = [own, ...options.members().slice(0, MEMBERS_MAX)].map(formatEndpoint);
        return {
          token: options.token(),
          cluster,
          encrypt,
          members: [...new Set(members)],
          options: changedOptions(config),
        };
      },
      onJoined: (address) => log.info('a box has used its invitation', { address }),
      onRefused: (address, reason) => {
        const count = this.#limiter.admit('invitation refused', performance.now());
        if (count === 0) return;
        log.warn('a box without a valid invitation was refused', { address, reason, count });
      },
      onBusy: (address) =>
        log.warn('too many connections to the port for new boxes: some are closed', { address }),
      onFree: (lastedMs) => log.info('the port for new boxes has room again', { lastedMs }),
    });
  }

  /** Rejects with an error of the system if no port can be opened. */
  async invite(): Promise<InvitationView> {
    const { secret, port } = await this.#door.invite();
    const addresses = await this.#addresses();
    const endpoints = addresses.map((address) => ({ address, port }));
    this.#options.log.info('a new box is invited', { port, minutes: INVITATION_MS / 60_000 });
    const line = formatInvitation({ secret, endpoints });
    return { line, addresses, port, expires: Date.now() + INVITATION_MS };
  }

  metrics(): ValuesOf<'invitations'> {
    return this.#door.metrics();
  }

  close(): void {
    this.#door.close();
  }

  /** The most probable one first. */
  async #addresses(): Promise<string[]> {
    const { bindAddress: bind, advertise } = this.#options.config;
    if (advertise !== undefined) return [advertise.address];
    if (bind !== undefined && !isUnspecified(bind)) return [bind];
    const links = listLinks(undefined).map(({ address }) => address);
    const all = new Set([await findHostAddress(), ...links]);
    return [...all].slice(0, INVITATION_ADDRESSES_MAX);
  }
}
