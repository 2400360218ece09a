// What the checks work on. A node that runs and a doctor without a node make one each, so that the same
// checks serve both.

import type { Config } from '../config/config.ts';
import type { ConnackPacket } from '../mqtt/client-packets.ts';
import type { BeaconView } from '../net/cluster/beacon-channel.ts';
import type { NameRival } from '../net/cluster/name-rival.ts';
import type { Prober, Target } from '../net/cluster/prober.ts';
import type { StrangerReport } from '../net/cluster/strangers.ts';
import type { MdnsLinkView } from '../net/mdns/mdns-link.ts';
import type { BulkStatus } from '../sync/bulk-node.ts';
import type { Finding } from './finding.ts';
import type { Firewall } from './firewall.ts';
import type { Machine } from './machine.ts';

/** Another node, or an address where one should be. */
export interface DoctorTarget {
  /** Undefined where only an address of -mbs is known. */
  readonly name: string | undefined;
  readonly target: Target;
  /** As the node announces it; undefined where it is not known. */
  readonly version: string | undefined;
}

/** The network as the doctor reaches it. */
export interface ClusterView {
  readonly prober: Prober;
  /** Members that have not left; empty without a node. */
  members(): readonly DoctorTarget[];
  /** Whether authentic datagrams of membership have come from this address lately. */
  isHeard(address: string): boolean;
  strangers(): Promise<readonly StrangerReport[]>;
  /** The connections of -large and -roaming; empty without a node. */
  bulk(): readonly BulkStatus[];
  /** Another node that claims the name of this one, or has it; undefined without a node. */
  nameRival?(): NameRival | undefined;
  /** How the node calls others on its networks; undefined without a node, and without -beacon. */
  beacon?(): BeaconView | undefined;
}

export interface BridgeFacts {
  /** By the far side; undefined while the bridge is not connected. */
  readonly granted: ConnackPacket | undefined;
  /** Why this node, which runs the bridge, does not reach the far side; undefined if it does, or does not try. */
  readonly lostReason: string | undefined;
}

export interface DoctorContext {
  readonly config: Config;
  readonly version: string;
  readonly isUp: boolean;
  readonly machine: Machine;
  readonly firewall: Firewall;
  /** What the configuration and the modes of files gave reason to warn of. */
  readonly warnings: {
    readonly configuration: readonly string[];
    readonly exposure: readonly string[];
  };
  /** Opened at the first call. Undefined without -csk, or where a port of the cluster can't be opened. */
  cluster(): Promise<ClusterView | undefined>;
  /** What this node knows of its bridges, by their names. Empty without a node. */
  readonly bridges: ReadonlyMap<string, BridgeFacts>;
  /** Of each interface; undefined without a node, and with -mdns=off. */
  readonly mdns: readonly MdnsLinkView[] | undefined;
  /** 1 = all; of messages between nodes in the last minute. Empty without a node. */
  readonly losses: readonly {
    readonly from: string;
    readonly to: string;
    readonly share: number;
  }[];
}

export interface Check {
  readonly id: string;
  /** Never throws for what it is there to find. */
  run(context: DoctorContext): Promise<readonly Finding[]> | readonly Finding[];
}
