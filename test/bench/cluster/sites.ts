// Where the two nodes of a benchmark run: both on loopback, or each in a network namespace, with one cable
// between them and another to the load generator.
// Invariant: the interfaces and addresses vanish with the namespaces.

import { execFileSync } from 'node:child_process';

/** One node's place. */
export interface Site {
  /** Command prefix that runs a program there. */
  readonly via: readonly string[];
  /** Address that listens. */
  readonly bind: string;
  /** Address for its clients. */
  readonly clientAddress: string;
  /** Address for the other node. */
  readonly clusterAddress: string;
}

const LOOPBACK: Site = {
  via: [],
  bind: '127.0.0.1',
  clientAddress: '127.0.0.1',
  clusterAddress: '127.0.0.1',
};
export const ON_LOOPBACK: readonly Site[] = [LOOPBACK, LOOPBACK];

/** Two hosts of the network for benchmarks (RFC 2544, appendix C.2.2). */
export class TwoHosts {
  readonly sites: readonly Site[];
  readonly #names: readonly string[] = ['a', 'b'].map((host) => `shlb${process.pid}${host}`);

  /** Needs root and iproute2. The cable between the hosts has MTU 1500 and no segmentation offload. */
  constructor() {
    const [a, b] = this.#names as [string, string];
    for (const name of this.#names) ip('netns', 'add', name);
    const wire = 'wire mtu 1500 gso_max_segs 1'.split(' ');
    ip('-n', a, 'link', 'add', ...wire, 'type', 'veth', 'peer', 'name', ...wire, 'netns', b);
    this.sites = this.#names.map((name, i) => {
      const [own, root] = [`198.18.${i + 1}.2`, `198.18.${i + 1}.1`];
      const clusterAddress = `198.18.0.${i + 1}`;
      ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      ip('address', 'add', `${root}/30`, 'dev', name);
      ip('-n', name, 'address', 'add', `${own}/30`, 'dev', 'eth0');
      ip('-n', name, 'address', 'add', `${clusterAddress}/30`, 'dev', 'wire');
      ip('link', 'set', 'dev', name, 'up');
      for (const link of ['lo', 'eth0', 'wire']) ip('-n', name, 'link', 'set', 'dev', link, 'up');
      const via = ['ip', 'netns', 'exec', name];
      return { via, bind: '0.0.0.0', clientAddress: own, clusterAddress };
    });
  }

  remove(): void {
    for (const name of this.#names) ip('netns', 'delete', name);
  }
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}
