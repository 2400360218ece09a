// This node as the others know it. Knows nothing of them. Invariant: its incarnation never falls,
// and it never holds itself anything but alive, unless it leaves.

import { type Endpoint, isLoopback } from '../shared/endpoint.ts';
import { INCARNATION_MAX, type MemberRecord, type RecordDetail } from './record.ts';

export interface LocalNodeOptions {
  readonly name: string;
  readonly bootId: bigint;
  /** Of -advertise or -bind; undefined: as the others see us. */
  readonly address: string | undefined;
  readonly port: number;
  readonly isAdvertised: boolean;
  readonly metadata: Buffer;
}

export class LocalNode {
  readonly name: string;
  readonly bootId: bigint;
  readonly #options: LocalNodeOptions;
  #port: number;
  #incarnation = 0;
  #observed: string | undefined;
  #settledAt: number | undefined;
  #hasLeft = false;

  constructor(options: LocalNodeOptions) {
    this.name = options.name;
    this.bootId = options.bootId;
    this.#options = options;
    this.#port = options.port;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** What is known of our own address; the port is always known. */
  get address(): string | undefined {
    return this.#options.address ?? this.#observed;
  }

  get port(): number {
    return this.#port;
  }

  /** The system chose the port. */
  boundTo(port: number): void {
    this.#port = port;
  }

  /** The name is ours as far as anybody knows. */
  settle(now: number): void {
    this.#settledAt ??= now;
  }

  /** How long we have had our name; 0 until it is settled. */
  ageMs(now: number): number {
    return this.#settledAt === undefined ? 0 : Math.max(1, Math.round(now - this.#settledAt));
  }

  /** Goes above what others hold of our name. */
  outbid(incarnation: number): void {
    this.#incarnation = Math.min(Math.max(this.#incarnation, incarnation + 1), INCARNATION_MAX);
  }

  leave(): void {
    this.#hasLeft = true;
  }

  /**
   * A peer told where it sees us. The latest counts, as addresses change; but a loopback address is
   * of no use to most others.
   */
  observe(endpoint: Endpoint): void {
    if (this.#observed === undefined || !isLoopback(endpoint.address)) {
      this.#observed = endpoint.address;
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
      ageMs: this.ageMs(now),
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
