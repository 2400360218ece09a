// The prober of a node that runs: gives it the sockets of both channels and the facts that other nodes
// ask for, and keeps the strangers that the gossip port has seen.

import { performance } from 'node:perf_hooks';
import type { ClusterView, DoctorTarget } from '../../doctor/context.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { openApartSocket } from '../../net/cluster/apart-socket.ts';
import type { BeaconView } from '../../net/cluster/beacon-channel.ts';
import type { Gossip } from '../../net/cluster/gossip.ts';
import type { MemberView } from '../../net/cluster/gossip-view.ts';
import type { PeerFacts } from '../../net/cluster/peer-facts.ts';
import { factsFor } from '../../net/cluster/peer-facts.ts';
import { type PingReport, ping } from '../../net/cluster/ping.ts';
import { Prober, type Target } from '../../net/cluster/prober.ts';
import { type StrangerReport, Strangers, withCallers } from '../../net/cluster/strangers.ts';
import type { SyncChannel } from '../../net/cluster/sync-channel.ts';
import { readMachineMark } from '../../net/machine-mark.ts';
import type { Endpoint } from '../../shared/endpoint.ts';
import type { EnvelopeFault } from '../../shared/envelope.ts';
import type { KeyRing } from '../../shared/key-ring.ts';
import { version } from '../../shared/version.ts';
import type { BulkStatus } from '../../sync/bulk-node.ts';
import { DATAGRAM_BYTES_DEFAULT } from '../../sync/limits.ts';

export interface NodeProberOptions {
  readonly nodeName: string;
  readonly keys: KeyRing;
  readonly encrypt: boolean;
  readonly clusterName: string;
  readonly bindAddress: string | undefined;
  readonly syncDatagramBytes: number;
  gossip(): Gossip | undefined;
  beacon(): BeaconView | undefined;
  sync(): SyncChannel | undefined;
  bulk(): readonly BulkStatus[];
}

export class NodeProber {
  readonly prober: Prober;
  readonly #options: NodeProberOptions;
  readonly #strangers = new Strangers();

  constructor(options: NodeProberOptions) {
    this.#options = options;
    const { keys, encrypt } = options;
    this.prober = new Prober({
      keys,
      encrypt,
      ports: () => ({
        gossip: options.gossip()?.local.port ?? 0,
        sync: options.sync()?.local.port ?? 0,
      }),
      send: (channel, datagram, to) => options[channel]()?.sendDatagram(datagram, to),
      openApart: (onDatagram) => openApartSocket(options.bindAddress, onDatagram),
      facts: (question) => this.#facts(question),
    });
  }

  noteStranger(fault: EnvelopeFault, datagram: Buffer, from: Endpoint): void {
    this.#strangers.note(fault, datagram, from, performance.now());
  }

  /** What the doctor works on. @param tokens of -csk */
  view(tokens: readonly string[]): ClusterView {
    return {
      prober: this.prober,
      members: () => this.#targets(),
      bulk: () => this.#options.bulk(),
      isHeard: (address) => this.#isHeard(address),
      strangers: () => this.#reportStrangers(tokens),
      nameRival: () => this.#options.gossip()?.nameRival,
      beacon: () => this.#options.beacon(),
    };
  }

  async #reportStrangers(tokens: readonly string[]): Promise<StrangerReport[]> {
    const { clusterName } = this.#options;
    const reports = await this.#strangers.report(performance.now(), tokens, clusterName);
    const callers = this.#options.beacon()?.strangers ?? [];
    return withCallers(
      reports,
      callers.map(({ address }) => address),
    );
  }

  /** Pings a member that is online. @returns undefined if there is none of this name */
  async ping(name: string): Promise<PingReport | undefined> {
    const { nodeName, syncDatagramBytes } = this.#options;
    const datagramBytes = syncDatagramBytes || DATAGRAM_BYTES_DEFAULT;
    const members = this.#options.gossip()?.members() ?? [];
    const member = members.find((one) => one.name === name && !one.isSelf);
    if (member === undefined) return undefined;
    return ping(this.prober, targetOf(member), { nodeName, datagramBytes });
  }

  metrics(): ValuesOf<'probes'> {
    return { ...this.prober.counters };
  }

  close(): void {
    this.prober.close();
  }

  /** Offline ones too: the doctor says why. */
  #targets(): DoctorTarget[] {
    const members = this.#options.gossip()?.members() ?? [];
    return members
      .filter(({ isSelf, state }) => !isSelf && state !== 'left')
      .map((member) => {
        const { name, metadata } = member;
        return { name, target: targetOf(member), version: metadata.version };
      });
  }

  /** Datagrams of a node at this address arrive, though it may not hear us. */
  #isHeard(wanted: string): boolean {
    const gossip = this.#options.gossip();
    if (gossip?.unheard.some(({ address }) => address === wanted)) return true;
    const members = gossip?.members().filter(({ endpoint }) => endpoint.address === wanted);
    return members?.some(({ reachability }) => reachability?.incoming === 'ok') ?? false;
  }

  #facts(question: unknown): PeerFacts {
    const { nodeName } = this.#options;
    const members = this.#options.gossip()?.members() ?? [];
    const machine = readMachineMark();
    return factsFor(question, { nodeName, version, clock: Date.now(), machine, members });
  }
}

function targetOf({ endpoint: gossip, metadata }: MemberView): Target {
  return { gossip, sync: { address: gossip.address, port: metadata.syncPort } };
}
