// Where others reach this node, for people to read and copy: its gossip, and its listeners as URLs. A node
// that listens on all addresses learns from its peers which one they see; while none does, the system says
// which one is most probable.

import { findHostAddress } from '../net/host-address.ts';
import { type Endpoint, formatEndpoint, isLoopback, isUnspecified } from '../shared/endpoint.ts';
import type { ListenerProtocol } from '../shared/listener-config.ts';

/** A box may get another address while it runs. */
const REFRESH_MS = 10_000;

const URLS: Readonly<Record<ListenerProtocol, (place: string) => string>> = {
  tcp: (place) => `mqtt://${place}`,
  tls: (place) => `mqtts://${place}`,
  ws: (place) => `ws://${place}/mqtt`,
  wss: (place) => `wss://${place}/mqtt`,
};

interface OpenListener {
  readonly protocol: ListenerProtocol;
  readonly local: Endpoint;
}

export class OwnAddresses {
  readonly #listeners: readonly OpenListener[];
  readonly #seen: () => Endpoint | undefined;
  readonly #timer: NodeJS.Timeout;
  #host = '127.0.0.1';

  /** @param seen where the other nodes see the gossip of this one; unspecified while none does */
  constructor(listeners: readonly OpenListener[], seen: () => Endpoint | undefined) {
    this.#listeners = listeners;
    this.#seen = seen;
    this.#refresh();
    this.#timer = setInterval(() => this.#refresh(), REFRESH_MS);
    this.#timer.unref();
  }

  /** Of the gossip, or of any other part of this node that listens there. */
  reachable({ address, port }: Endpoint): Endpoint {
    return { address: isUnspecified(address) ? this.#address : address, port };
  }

  /** As `mqtt://192.168.1.100:1883`, in the order of the configuration. */
  get clientUrls(): string[] {
    return this.#listeners.map(({ protocol, local }) =>
      URLS[protocol](formatEndpoint(this.reachable(local))),
    );
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get #address(): string {
    const { address = '::' } = this.#seen() ?? {};
    return isUnspecified(address) || isLoopback(address) ? this.#host : address;
  }

  #refresh(): void {
    void findHostAddress().then((address) => {
      this.#host = address;
    });
  }
}
