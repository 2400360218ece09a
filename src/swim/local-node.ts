// This node's own record: name, boot, incarnation, address. Knows nothing of other members.
// Invariants: each incarnation is newer than the one before (serial numbers, RFC 1982); the own state is
// alive until the node leaves.

import { type Endpoint, isLoopback } from '../shared/endpoint.ts';
import {
  isNewerIncarnation,
  type MemberRecord,
  nextIncarnation,
  type RecordDetail,
} from './record.ts';

export interface LocalNodeOptions {
  readonly name: string;
  readonly bootId: bigint;
  /** From -advertise or -bind; undefined: the address that other nodes observe. */
  readonly address: string | undefined;
  readonly port: number;
  readonly isAdvertised: boolean;
  readonly metadata: Buffer;
  /** Sent where this node introduces itself, so that a node with another key can name the reason. */
  readonly clusterName?: string;
}

export class LocalNode {
  readonly name: string;
  readonly bootId: bigint;
  readonly clusterName: string | undefined;
  readonly #options: LocalNodeOptions;
  #port: number;
  #incarnation = 0;
  #observedAddress: string | undefined;
  #nameAcceptedAt: number | undefined;
  #hasLeft = false;

  constructor(options: LocalNodeOptions) {
    this.name = options.name;
    this.bootId = options.bootId;
    this.clusterName = options.clusterName;
    this.#options = options;
    this.#port = options.port;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** undefined until it is configured or observed. */
  get address(): string | undefined {
    return this.#options.address ?? this.#observedAddress;
  }

  get port(): number {
    return this.#port;
  }

  /** Sets the port that the system chose when the socket was bound. */
  setPort(port: number): void {
    this.#port = port;
  }

  /** The cluster, as far as this node sees it, has no other node with this name. */
  acceptName(now: number): void {
    this.#nameAcceptedAt ??= now;
  }

  /** Time since the name was accepted, at least 1; 0 before. */
  nameAgeMs(now: number): number {
    return this.#nameAcceptedAt === undefined
      ? 0
      : Math.max(1, Math.round(now - this.#nameAcceptedAt));
  }

  /** Raises the own incarnation above one that others hold, which refutes it. SWIM paper 4.2. */
  raiseIncarnation(above: number): void {
    if (isNewerIncarnation(this.#incarnation, above)) return;
    this.#incarnation = nextIncarnation(above);
  }

  leave(): void {
    this.#hasLeft = true;
  }

  /**
   * Learns from a peer where that peer sees this node. The latest observation counts, because
   * addresses change. A loopback address replaces nothing: it helps only nodes on this machine.
   */
  observe(endpoint: Endpoint): void {
    if (this.#observedAddress === undefined || !isLoopback(endpoint.address)) {
      this.#observedAddress = endpoint.address;
    }
  }

  isAt(endpoint: Endpoint): boolean {
    return endpoint.port === this.port && endpoint.address === this.address;
  }

  record(now: number): MemberRecord {
    const { isAdvertised, metadata } = this.#options;
    const detail: RecordDetail = {
      address: this.address,
      port: this.#port,
      isAdvertised,
      metadata,
      ageMs: this.nameAgeMs(now),
    };
    return {
      name: this.name,
      bootId: this.bootId,
      incarnation: this.#incarnation,
      state: this.#hasLeft ? 'left' : 'alive',
      detail,
    };
  }
}
