// Networks in memory for the beacon: each box has addresses on some of them, hears what is called there,
// and makes those that it finds its members. The clock moves by hand.

import { Beacon, type BeaconMember, type Link } from '../../src/discovery/beacon.ts';
import type { BeaconMessage } from '../../src/discovery/beacon-codec.ts';
import { type Endpoint, formatEndpoint } from '../../src/shared/endpoint.ts';
import { isSameNetwork } from '../../src/shared/ip-address.ts';
import { seededRandom } from './random.ts';

const STEP_MS = 10;
const PORT = 7946;

export interface LanBox {
  readonly bootId: bigint;
  readonly beacon: Beacon;
  readonly members: Map<bigint, BeaconMember>;
  /** Those that the beacon wants contacted, as text. */
  readonly found: string[];
  links: readonly Link[];
}

/** What went over the wire, and when. */
export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly message: BeaconMessage;
}

export class BeaconLan {
  now = 0;
  readonly sent: Sent[] = [];
  /** Whether a box that finds another one becomes its member. */
  joins = true;
  readonly #boxes: LanBox[] = [];
  readonly #random = seededRandom(7);

  add(bootId: bigint, ...addresses: string[]): LanBox {
    const box: LanBox = {
      bootId,
      members: new Map(),
      found: [],
      links: addresses.map((address) => ({ address, prefixBits: 24 })),
      beacon: new Beacon(
        { bootId, gossipPort: PORT, random: this.#random },
        {
          call: ({ address }, message) => this.#deliver(box, address, 'all', message),
          answer: (to, message) =>
            this.#deliver(box, message.endpoint.address, to.address, message),
          found: (endpoint) => this.#found(box, endpoint),
          memberOf: (boot) => box.members.get(boot),
          onlineBoots: () =>
            [...box.members].filter(([, one]) => one.isOnline).map(([boot]) => boot),
        },
        this.now,
      ),
    };
    box.beacon.setLinks(this.now, box.links);
    this.#boxes.push(box);
    return box;
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now += STEP_MS;
      for (const { beacon } of this.#boxes) beacon.advance(this.now);
    }
  }

  /** Makes them members of each other. */
  join(...boxes: readonly LanBox[]): void {
    for (const one of boxes) {
      for (const other of boxes) {
        if (one === other) continue;
        const address = other.links[0]?.address ?? '';
        one.members.set(other.bootId, { isOnline: true, isAlive: true, address });
      }
    }
  }

  #deliver(from: LanBox, source: string, to: string, message: BeaconMessage): void {
    this.sent.push({ at: this.now, from: source, to, message });
    for (const box of this.#boxes) {
      if (box === from) continue;
      const hears = box.links.some(({ address, prefixBits }) =>
        to === 'all' ? isSameNetwork(address, source, prefixBits) : address === to,
      );
      if (hears) box.beacon.handle(this.now, { address: source, port: 40000 }, message);
    }
  }

  #found(box: LanBox, endpoint: Endpoint): void {
    box.found.push(formatEndpoint(endpoint));
    if (!this.joins) return;
    const other = this.#boxes.find(({ links }) =>
      links.some(({ address }) => address === endpoint.address),
    );
    if (other === undefined) return;
    // As membership does: each learns all that the other knows.
    const known = (one: LanBox): LanBox[] => [
      one,
      ...this.#boxes.filter(({ bootId }) => one.members.has(bootId)),
    ];
    this.join(...new Set([...known(box), ...known(other)]));
  }
}
