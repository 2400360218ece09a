// From where a member may speak. An envelope names no receiver, so a copy of what a member told one
// node is fresh for another, and may come from anybody's address: a new address counts only once a
// nonce of ours comes back from it. Knows nothing of what the messages say. Invariant: who copies
// and relays datagrams without the token becomes nobody's address.

import { type Endpoint, sameEndpoint } from '../shared/endpoint.ts';
import { endpointOf, type Member } from './member-table.ts';
import type { Nonces } from './nonces.ts';
import { isOnline } from './record.ts';

const ASKED_MAX = 64;
/** A member that was heard so lately is still where it was. */
const SILENCE_MS = 10_000;

export class AddressValidation {
  readonly #nonces: Nonces;
  /** Where we looked for others of our own accord; the latest last. */
  readonly #asked: Endpoint[] = [];

  constructor(nonces: Nonces) {
    this.#nonces = nonces;
  }

  asked(endpoint: Endpoint): void {
    if (this.#asked.some((one) => sameEndpoint(one, endpoint))) return;
    this.#asked.push(endpoint);
    if (this.#asked.length > ASKED_MAX) this.#asked.shift();
  }

  /** @param echo that came with the datagram */
  isProven(now: number, from: Endpoint, member: Member, echo: bigint | undefined): boolean {
    // Its datagrams may come from anywhere: nothing but answers to them goes there.
    if (member.isAdvertised || member.link === undefined) return true;
    if (sameEndpoint(member.link.endpoint, from)) return true;
    return echo !== undefined && this.#nonces.isOurs(now, echo);
  }

  /**
   * Where the answer to a challenge goes: straight to where we reach its sender, for what came from
   * elsewhere may have been relayed. But the sender may have moved too: that is so where it is
   * offline, or silent while we asked at the new address ourselves.
   */
  forAnswer(now: number, from: Endpoint, challenger: Member | undefined): Endpoint {
    if (challenger?.link === undefined || !isOnline(challenger.state)) return from;
    if (now - challenger.link.heardAt < SILENCE_MS) return endpointOf(challenger);
    const isAsked = this.#asked.some((one) => sameEndpoint(one, from));
    return isAsked ? from : endpointOf(challenger);
  }
}
