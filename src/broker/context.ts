// The parts of a broker, as its handlers see them. Handlers get this instead of the Broker, so that
// they can neither accept connections nor move the clock, and tests can replace each part.

import type { ConnectPacket } from '../mqtt/control-decoder.ts';
import type { BanList } from './ban-list.ts';
import type { LoginGuard } from './login-guard.ts';
import type { ClientEvents, Outbox } from './ports.ts';
import type { RetainedStore } from './retained/retained-store.ts';
import type { SessionsContext } from './session/session-context.ts';
import type { SessionRegistry } from './session/session-registry.ts';
import type { SlowSubscribers } from './session/slow-subscribers.ts';
import type { SlowedClients } from './slowed-clients.ts';

export interface BrokerContext extends SessionsContext {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Start of the node, milliseconds of the core's clock. */
  readonly startedAt: number;
  readonly retained: RetainedStore;
  readonly sessions: SessionRegistry;
  readonly slowed: SlowedClients;
  readonly slowSubscribers: SlowSubscribers;
  readonly bans: BanList;
  readonly loginGuard: LoginGuard;
  /** Undefined where no one wants to know. */
  readonly events: ClientEvents | undefined;
  /** See each CONNECT before it is decided on; empty while nothing is traced. */
  readonly connectWatchers: Set<ConnectWatcher>;
}

/** Must not throw. */
export type ConnectWatcher = (packet: ConnectPacket, outbox: Outbox) => void;
