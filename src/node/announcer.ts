// How clients on the same network find this node (-mdns): gives multicast DNS the open listeners and the names of
// the online members.

import type { Config } from '../config/config.ts';
import type { ServiceType } from '../discovery/mdns/announced-records.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { MdnsChannel, type OfferedService } from '../net/mdns/mdns-channel.ts';
import type { MdnsLinkView } from '../net/mdns/mdns-link.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import type { ListenerConfig, ListenerProtocol } from '../shared/listener-config.ts';
import type { Logger } from '../shared/logger.ts';

interface OpenListener {
  readonly config: Pick<ListenerConfig, 'protocol' | 'proxyProtocol' | 'paths'>;
  readonly local: Endpoint;
}

const SERVICE_TYPES: Readonly<Record<ListenerProtocol, ServiceType>> = {
  tcp: '_mqtt._tcp',
  tls: '_secure-mqtt._tcp',
  ws: '_mqtt-ws._tcp',
  wss: '_mqtt-wss._tcp',
};
const USUAL_PATH = '/mqtt';

export class Announcer {
  readonly #channel: MdnsChannel | undefined;

  constructor({ mdns: siteName, nodeName, clientAddresses: all }: Config, log: Logger) {
    if (siteName === 'off') return;
    const clientAddresses = all.map(({ address }) => address);
    this.#channel = new MdnsChannel({ nodeName, siteName, clientAddresses, log });
  }

  /** Announces these listeners from now on, and no others. */
  announce(listeners: readonly OpenListener[]): void {
    this.#channel?.setServices(servicesOf(listeners));
  }

  /** Takes the names of the online members, without this node. */
  setOnline(names: ReadonlySet<string>): void {
    this.#channel?.setOnline(names);
  }

  /** By interface; undefined with -mdns=off. */
  get links(): readonly MdnsLinkView[] | undefined {
    return this.#channel?.links;
  }

  /** Names that lead clients to a node of the site, as `shoal.local`. */
  get siteNames(): string[] {
    const names = this.links?.flatMap(({ siteName }) => (siteName === undefined ? [] : [siteName]));
    return [...new Set(names)];
  }

  /** Undefined with -mdns=off. */
  get metrics(): (() => ValuesOf<'mdns'>) | undefined {
    const channel = this.#channel;
    return channel && (() => channel.metrics());
  }

  /** Withdraws what was announced. May be called twice. */
  close(): void {
    this.#channel?.close();
  }
}

/** Behind a load balancer clients connect to that, which announces itself. */
function servicesOf(listeners: readonly OpenListener[]): OfferedService[] {
  return listeners
    .filter(({ config }) => !config.proxyProtocol)
    .map(({ config: { protocol, paths }, local: { address, port } }) => {
      const isWebSocket = protocol === 'ws' || protocol === 'wss';
      const path = paths.find((one) => one !== '*') ?? USUAL_PATH;
      const type = SERVICE_TYPES[protocol];
      return { type, port, path: isWebSocket ? path : undefined, bind: address };
    });
}
