// What one connection makes the node keep beyond its session: the beginning of a packet, packets that wait,
// topic aliases. Charged to the client's account, and given back when the connection ends.
// Before CONNECT is answered there is no account: then the adapter bounds the bytes (pre-connect-limit.ts).

import type { ProtocolFault } from '../../mqtt/protocol-fault.ts';
import { ReasonCode } from '../../mqtt/reason-code.ts';
import type { Accounts, ClientAccount } from '../accounts.ts';
import type { BrokerContext } from '../context.ts';
import { identityFields } from '../log-fields.ts';
import { CONNECTION_BYTES } from '../memory-costs.ts';
import type { Client } from './client.ts';

const OUT_OF_MEMORY: ProtocolFault = {
  reasonCode: ReasonCode.quotaExceeded,
  text: 'the node has no memory for more of this client',
};

export class ConnectionMemory {
  readonly #accounts: Accounts;
  #account: ClientAccount | undefined;
  /** Of what is charged, the bytes of packets that are not handled yet. */
  #unhandled = 0;
  #bytes = 0;

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** The client is connected: charges its account from now on. */
  begin(account: ClientAccount): void {
    this.#account = account;
    this.charge(CONNECTION_BYTES);
  }

  /** @returns the bound that the memory would exceed, in words; undefined once it is charged */
  take(bytes: number): string | undefined {
    const account = this.#account;
    if (account === undefined) return undefined;
    const bound = bytes > 0 ? this.#accounts.boundFor(account.user, bytes) : undefined;
    if (bound === undefined) this.charge(bytes);
    return bound;
  }

  /**
   * Sets the bytes of the packets that have arrived, at least in part, and are not handled yet.
   * @returns as take()
   */
  setUnhandled(bytes: number): string | undefined {
    if (bytes === this.#unhandled || this.#account === undefined) return undefined;
    const bound = this.take(bytes - this.#unhandled);
    if (bound === undefined) this.#unhandled = bytes;
    return bound;
  }

  /** For what is bounded by itself. @param bytes negative to give them back */
  charge(bytes: number): void {
    if (this.#account === undefined) return;
    this.#bytes += bytes;
    this.#accounts.charge(this.#account, bytes);
  }

  end(): void {
    this.charge(-this.#bytes);
    this.#account = undefined;
  }
}

/** Charges what has arrived and waits, for the rest of a packet or for the packet's turn. */
export function chargeUnhandled(context: BrokerContext, client: Client, bytes: number): void {
  const bound = client.memory.setUnhandled(bytes);
  if (bound !== undefined) client.fail(memoryFault(context, client, 'packet', bound));
}

/** The fault that ends a connection for whose data there is no memory, with its log line. */
export function memoryFault(
  { bounds, budget, log }: BrokerContext,
  { session }: Client,
  what: 'alias' | 'packet',
  bound: string,
): ProtocolFault {
  const count = bounds.admit(what, bound, budget.now);
  if (count > 0) {
    const fields = session && identityFields(session.identity);
    log.warn('client disconnected: a bound is reached', { ...fields, what, bound, count });
  }
  return OUT_OF_MEMORY;
}
