// Decides from which addresses a member may speak (address validation, RFC 9000 section 8). An
// envelope names no receiver, so a copy of what a member sent to one node is fresh for another node
// and may come from any address: a new address counts only after it has echoed a nonce of this node.
// Knows nothing of what the messages say. Invariant: an attacker who copies and relays datagrams,
// and does not know the token, never becomes a member's address.

import { type Endpoint, sameEndpoint } from '../shared/endpoint.ts';
import { endpointOf, type Member } from './member-table.ts';
import type { Nonces } from './nonces.ts';
import { isOnline } from './record.ts';

const CONTACTED_MAX = 64;
const ANNOUNCED_MAX = 64;
/** A member that spoke this recently has not moved. */
const SILENCE_MS = 10_000;

export class AddressValidation {
  readonly #nonces: Nonces;
  /** Addresses that this node contacted of its own accord; the latest is last. */
  readonly #contacted: Endpoint[] = [];
  /** Where boots said that they are, to this node alone and lately; the latest is last. */
  readonly #announced = new Map<bigint, Endpoint>();

  constructor(nonces: Nonces) {
    this.#nonces = nonces;
  }

  /**
   * Remembers an address that this node pings.
   * @param bootId of the node that is there by its own words, which no attacker can have altered;
   *   undefined if nothing is known of it
   */
  contacted(endpoint: Endpoint, bootId?: bigint): void {
    if (bootId !== undefined) this.#announce(bootId, endpoint);
    if (this.#contacted.some((one) => sameEndpoint(one, endpoint))) return;
    this.#contacted.push(endpoint);
    if (this.#contacted.length > CONTACTED_MAX) this.#contacted.shift();
  }

  /**
   * Whether a datagram of the member may come from this address.
   * @param echo the nonce that the datagram echoes
   */
  isValidated(now: number, from: Endpoint, member: Member, echo: bigint | undefined): boolean {
    // An advertised address is where answers go, whatever the source address is.
    if (member.isAdvertised || member.link === undefined) return true;
    if (sameEndpoint(member.link.endpoint, from)) return true;
    return echo !== undefined && this.#nonces.isCurrent(now, echo);
  }

  /**
   * Where the answer to a challenge goes. A challenge from an unknown address may have been relayed
   * by an attacker, so the answer goes to the known address of its sender. It goes to the new address
   * only if the sender has announced it, or probably moved: it is offline, or it has been silent at its
   * known address while this node contacted the new one.
   */
  challengeReplyTo(now: number, from: Endpoint, challenger: Member | undefined): Endpoint {
    if (challenger?.link === undefined || !isOnline(challenger.state)) return from;
    const announced = this.#announced.get(challenger.bootId);
    if (announced !== undefined && sameEndpoint(announced, from)) return from;
    if (now - challenger.link.heardAt < SILENCE_MS) return endpointOf(challenger);
    const isContacted = this.#contacted.some((one) => sameEndpoint(one, from));
    return isContacted ? from : endpointOf(challenger);
  }

  #announce(bootId: bigint, endpoint: Endpoint): void {
    this.#announced.delete(bootId);
    if (this.#announced.size >= ANNOUNCED_MAX) {
      this.#announced.delete(this.#announced.keys().next().value!);
    }
    this.#announced.set(bootId, endpoint);
  }
}
