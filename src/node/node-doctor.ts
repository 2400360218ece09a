// The doctor and the ping of a node that runs: gives the checks this node's configuration, its prober and
// what it has heard. One diagnosis runs at a time; who asks meanwhile gets the same one.

import type { Config } from '../config/config.ts';
import type { ClusterView } from '../doctor/context.ts';
import { runDoctor } from '../doctor/doctor.ts';
import type { DoctorReport } from '../doctor/finding.ts';
import { findFirewall } from '../doctor/firewall.ts';
import { thisMachine } from '../doctor/machine.ts';
import type { PingReport } from '../net/cluster/ping.ts';
import { version } from '../shared/version.ts';
import type { Announcer } from './announcer.ts';
import type { Bridges } from './bridges/bridges.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { ConfigSource } from './config-source.ts';
import type { SiteStatus } from './status/site-status.ts';

export interface NodeDoctorOptions {
  /** The options in force. */
  readonly config: () => Config;
  readonly cluster: Cluster | undefined;
  readonly bridges: Bridges;
  readonly announcer: Announcer;
  readonly site: SiteStatus;
  readonly source: ConfigSource;
}

export class NodeDoctor {
  readonly #options: NodeDoctorOptions;
  #running: Promise<DoctorReport> | undefined;

  constructor(options: NodeDoctorOptions) {
    this.#options = options;
  }

  diagnose(): Promise<DoctorReport> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** @returns undefined if no other node of this name is known */
  async ping(name: string): Promise<PingReport | undefined> {
    return this.#options.cluster?.probing.ping(name);
  }

  async #run(): Promise<DoctorReport> {
    const { cluster, bridges, announcer, site, source } = this.#options;
    const config = this.#options.config();
    const view: ClusterView | undefined = cluster?.probing.view(config.tokens ?? []);
    return runDoctor({
      config,
      version,
      isUp: true,
      machine: thisMachine,
      firewall: await findFirewall(thisMachine),
      warnings: source.warnings(),
      cluster: () => Promise.resolve(view),
      bridges: bridges.facts(),
      mdns: announcer.links,
      losses: site
        .facts()
        .links.flatMap(({ from, to, lossShare: share }) =>
          share === undefined ? [] : [{ from, to, share }],
        ),
    });
  }
}
