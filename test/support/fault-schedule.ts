// Faults of a simulated cluster, drawn from the simulator's seed: kills, restarts, moves, leaves, stalls,
// partitions, one-way cuts, loss, delay, duplication, name conflicts, replays. Every fault ends by
// itself, or with end().

import assert from 'node:assert/strict';
import type { Endpoint } from '../../src/shared/endpoint.ts';
import { endpointFor, type SimNode, type Simulator } from './simulator.ts';

const CALM_NETWORK = { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 1 };
/** Within this time every fault has ended. */
export const FAULT_MS_MAX = 35_000;

export class FaultSchedule {
  readonly sim: Simulator;
  readonly #lossMax: number;
  readonly #bootMs: number;
  #nextIndex = 100;
  readonly #cuts = new Set<string>();
  #sides: ReadonlySet<string> | undefined;
  /** Ends of faults that are still to come. */
  #pending = 0;

  /**
   * @param lossMax the most that a datagram may be lost with
   * @param bootMs from the end of a process to the start of the next one, at least
   */
  constructor(sim: Simulator, lossMax = 0.4, bootMs = 0) {
    this.sim = sim;
    this.#lossMax = lossMax;
    this.#bootMs = bootMs;
    sim.isCut = (from, to) => this.#isCut(from, to);
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.sim.random() * limit);
  }

  /** Begins one fault. */
  fault(): void {
    const { sim } = this;
    const node = this.#anyRunning();
    switch (this.below(12)) {
      case 0:
      case 1:
        if (node !== undefined) this.#killAndRestart(node);
        break;
      case 2:
        if (node !== undefined && !node.isStalled) {
          sim.leave(node);
          this.#restartLater(node, node.options.endpoint);
        }
        break;
      case 3:
        if (node !== undefined && !node.isStalled) this.#stall(node);
        break;
      case 4:
        this.#partition();
        break;
      case 5:
        this.#cutOneWay();
        break;
      case 6:
      case 7:
        sim.network = {
          loss: sim.random() * this.#lossMax,
          duplication: sim.random() * 0.1,
          delayMsMin: 0.2,
          delayMsMax: 1 + sim.random() * 150,
        };
        break;
      case 8:
        if (node !== undefined) this.#nameClaimant(node);
        break;
      case 9:
        if (node !== undefined) this.#garbage(node);
        break;
      case 10:
        if (node !== undefined && !isSeed(node)) sim.move(node, this.#freshEndpoint());
        break;
      default:
        sim.network = { ...CALM_NETWORK };
    }
  }

  #killAndRestart(node: SimNode): void {
    this.sim.kill(node);
    const isMoved = !isSeed(node) && this.below(3) === 0;
    this.#restartLater(node, isMoved ? this.#freshEndpoint() : node.options.endpoint);
  }

  #restartLater(node: SimNode, endpoint: Endpoint): void {
    const { sim } = this;
    this.#later(500 + this.below(20_000), () => {
      sim.kill(node);
      if (this.#bootMs === 0) this.#start(node, endpoint);
      else this.#later(this.#bootMs, () => this.#start(node, endpoint));
    });
  }

  #start(node: SimNode, endpoint: Endpoint): void {
    const { sim } = this;
    const isTaken = sim.nodes.some((one) => one.isRunning && one.options.endpoint === endpoint);
    if (!isTaken) sim.start({ ...node.options, endpoint });
  }

  #stall(node: SimNode): void {
    this.sim.stall(node);
    this.#later(200 + this.below(12_000), () => {
      if (node.isRunning) this.sim.resume(node);
    });
  }

  #partition(): void {
    const { sim } = this;
    const addresses = sim.nodes.map((one) => one.options.endpoint.address);
    this.#sides = new Set(addresses.filter(() => sim.random() < 0.5));
    this.#later(1000 + this.below(30_000), () => {
      this.#sides = undefined;
    });
  }

  #cutOneWay(): void {
    const [from, to] = [this.#anyRunning(), this.#anyRunning()];
    if (from === undefined || to === undefined) return;
    const cut = `${from.options.endpoint.address}>${to.options.endpoint.address}`;
    this.#cuts.add(cut);
    this.#later(1000 + this.below(20_000), () => this.#cuts.delete(cut));
  }

  /** Another process with the same name: one of the two must yield. */
  #nameClaimant(node: SimNode): void {
    const { sim } = this;
    if (isSeed(node)) return;
    sim.start({ ...node.options, endpoint: this.#freshEndpoint() });
  }

  #garbage(node: SimNode): void {
    const { sim } = this;
    const from = this.#anyRunning() ?? node;
    const bytes = Buffer.from(Array.from({ length: this.below(120) }, () => this.below(256)));
    bytes[0] = 1 + this.below(9);
    const counter = this.below(5000);
    if (node.isStalled) return;
    sim.inject(node, from.options.endpoint, from.bootId, counter, bytes);
  }

  /** Every fault that ends by itself has ended: within FAULT_MS_MAX. */
  get isOver(): boolean {
    return this.#pending === 0;
  }

  /** Ends the rest, once it isOver. */
  end(): void {
    const { sim } = this;
    sim.network = { ...CALM_NETWORK };
    assert.equal(this.#pending, 0);
    assert.equal(this.#sides, undefined);
    assert.equal(this.#cuts.size, 0);
    for (const node of sim.nodes) if (node.isStalled && node.isRunning) sim.resume(node);
  }

  #later(ms: number, work: () => void): void {
    this.#pending += 1;
    this.sim.at(this.sim.now + ms, () => {
      this.#pending -= 1;
      work();
    });
  }

  #isCut(from: Endpoint, to: Endpoint): boolean {
    if (this.#cuts.size > 0 && this.#cuts.has(`${from.address}>${to.address}`)) return true;
    return (
      this.#sides !== undefined && this.#sides.has(from.address) !== this.#sides.has(to.address)
    );
  }

  #anyRunning(): SimNode | undefined {
    const running = this.sim.running();
    return running[this.below(running.length)];
  }

  #freshEndpoint(): Endpoint {
    this.#nextIndex += 1;
    return endpointFor(this.#nextIndex);
  }
}

/** n1 keeps its name and address, because without a seed no node could find the others again. */
function isSeed(node: SimNode): boolean {
  return node.name === 'n1';
}
