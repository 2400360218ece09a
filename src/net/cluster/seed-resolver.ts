// Turns the seeds of -mbs into addresses, again and again: host names and services are looked up anew each time,
// because boxes get other addresses. Knows nothing of membership. Invariants: a failed lookup is
// counted, logged and tried again, never thrown; at most one lookup of a host is under way, so that a
// dead name server gathers no backlog; of a name with many addresses all are tried in turn.

import { lookup } from 'node:dns/promises';
import { performance } from 'node:perf_hooks';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { type Endpoint, formatEndpoint, type HostPort } from '../../shared/endpoint.ts';
import { normalAddress } from '../../shared/ip-address.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { isServiceName, lookUpService } from './service-name.ts';

export interface SeedResolverOptions {
  /** IP literals or host names. */
  readonly seeds: readonly HostPort[];
  readonly log: Logger;
  /** Takes the addresses of one seed. Must not throw. */
  onAddresses(endpoints: readonly Endpoint[]): void;
  /** In place of the system's resolver, for tests. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly resolveService?: (name: string) => Promise<readonly HostPort[]>;
}

/** Of one host name, contacted at a time. */
export const ADDRESSES_PER_TURN = 8;

export class SeedResolver {
  readonly #options: SeedResolverOptions;
  readonly #faults = new OngoingFaults();
  readonly #pending = new Set<HostPort>();
  /** How many addresses of a seed were contacted so far. */
  readonly #contacted = new Map<HostPort, number>();
  #failures = 0;
  #isClosed = false;

  constructor(options: SeedResolverOptions) {
    this.#options = options;
  }

  /** Lookups that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Passes on the addresses of each seed, literals at once and host names when they are resolved. */
  contactAll(): void {
    for (const seed of this.#options.seeds) {
      const address = normalAddress(seed.host);
      if (address === undefined) void this.#lookUp(seed);
      else this.#options.onAddresses([{ address, port: seed.port }]);
    }
  }

  /** Lookups that are under way end without effect. */
  close(): void {
    this.#isClosed = true;
  }

  async #lookUp(seed: HostPort): Promise<void> {
    if (this.#pending.has(seed)) return;
    this.#pending.add(seed);
    try {
      const { resolveService = lookUpService } = this.#options;
      const isService = isServiceName(seed.host);
      const endpoints = isService
        ? await this.#lookUpAll(await resolveService(seed.host))
        : await this.#lookUpHost(seed);
      if (!this.#isClosed) this.#resolved(seed, endpoints);
    } catch (error) {
      if (!this.#isClosed) this.#failed(seed, error);
    } finally {
      this.#pending.delete(seed);
    }
  }

  async #lookUpHost({ host, port }: HostPort): Promise<Endpoint[]> {
    const { resolve = systemLookup } = this.#options;
    const addresses = await resolve(host);
    return addresses.map((one) => ({ address: normalAddress(one) ?? one, port }));
  }

  /** One host of a service may be unknown while the others are well. */
  async #lookUpAll(hosts: readonly HostPort[]): Promise<Endpoint[]> {
    const results = await Promise.allSettled(hosts.map((host) => this.#lookUpHost(host)));
    const found = results.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    const [failed] = results.filter((one) => one.status === 'rejected');
    if (found.length === 0 && failed !== undefined) throw failed.reason;
    return found;
  }

  #resolved(seed: HostPort, found: readonly Endpoint[]): void {
    const { host } = seed;
    if (this.#faults.resolve(host, performance.now()) !== undefined) {
      this.#options.log.info('cluster seed resolved', { host });
    }
    // Sorted, because name servers rotate their answers, and turns of ours would repeat themselves.
    const byText = new Map(found.map((endpoint) => [formatEndpoint(endpoint), endpoint]));
    const sorted = [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
    const start = this.#contacted.get(seed) ?? 0;
    const count = Math.min(sorted.length, ADDRESSES_PER_TURN);
    const endpoints: Endpoint[] = [];
    for (let index = start; index < start + count; index++) {
      endpoints.push(sorted[index % sorted.length]!);
    }
    if (sorted.length > 0) this.#contacted.set(seed, (start + count) % sorted.length);
    this.#options.onAddresses(endpoints);
  }

  #failed({ host }: HostPort, error: unknown): void {
    this.#failures += 1;
    if (!this.#faults.report(host, performance.now())) return;
    const reason = describeSystemError(error, 'network');
    this.#options.log.warn('cluster seed not resolved', { host, reason });
  }
}

async function systemLookup(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
