// Random faults from a seed: kills, restarts, moves, leaves, stalls, partitions, one-way cuts, loss,
// delay, duplication, name conflicts, replays. Then the faults end, and within a bounded time the
// cluster must converge and stay so. The simulator's invariants hold throughout.

import assert from 'node:assert/strict';
import type { Endpoint } from '../../src/shared/endpoint.ts';
import { endpointFor, type SimNode, Simulator, startCluster } from '../support/simulator.ts';

const FAULTS_MS = 90_000;
/** From the end of the last fault until all nodes agree. */
const CONVERGENCE_MS_MAX = 60_000;
const AFTERMATH_MS = 10_000;
const QUIET_MS = 30_000;
const CALM_NETWORK = { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 1 };

class Schedule {
  readonly sim: Simulator;
  #nextIndex = 100;
  readonly #cuts = new Set<string>();
  #sides: ReadonlySet<string> | undefined;

  constructor(seed: number) {
    this.sim = new Simulator(seed);
    this.sim.isCut = (from, to) => this.#isCut(from, to);
  }

  run(): void {
    const { sim } = this;
    const size = 2 + this.#below(11);
    startCluster(sim, size, 1 + this.#below(Math.min(size, 3)));
    sim.runFor(this.#below(5000));
    const end = sim.now + FAULTS_MS;
    while (sim.now < end) {
      this.#fault();
      sim.runFor(this.#below(8000));
    }
    this.#endFaults();
    const took = sim.runUntil(() => this.#isWell(), CONVERGENCE_MS_MAX);
    assert.ok(took !== undefined, `not converged: ${this.#describe()}`);
    // Periods that began during the faults end, and their suspicions are refuted.
    sim.runFor(AFTERMATH_MS);
    this.#assertQuiet();
  }

  #fault(): void {
    const { sim } = this;
    const node = this.#anyRunning();
    switch (this.#below(12)) {
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
          loss: sim.random() * 0.4,
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
    const isMoved = !isSeed(node) && this.#below(3) === 0;
    this.#restartLater(node, isMoved ? this.#freshEndpoint() : node.options.endpoint);
  }

  #restartLater(node: SimNode, endpoint: Endpoint): void {
    const { sim } = this;
    sim.at(sim.now + 500 + this.#below(20_000), () => {
      sim.kill(node);
      const isTaken = sim.nodes.some((one) => one.isRunning && one.options.endpoint === endpoint);
      if (!isTaken) sim.start({ ...node.options, endpoint });
    });
  }

  #stall(node: SimNode): void {
    this.sim.stall(node);
    this.sim.at(this.sim.now + 200 + this.#below(12_000), () => {
      if (node.isRunning) this.sim.resume(node);
    });
  }

  #partition(): void {
    const { sim } = this;
    const addresses = sim.nodes.map((one) => one.options.endpoint.address);
    this.#sides = new Set(addresses.filter(() => sim.random() < 0.5));
    sim.at(sim.now + 1000 + this.#below(30_000), () => {
      this.#sides = undefined;
    });
  }

  #cutOneWay(): void {
    const { sim } = this;
    const [from, to] = [this.#anyRunning(), this.#anyRunning()];
    if (from === undefined || to === undefined) return;
    const cut = `${from.options.endpoint.address}>${to.options.endpoint.address}`;
    this.#cuts.add(cut);
    sim.at(sim.now + 1000 + this.#below(20_000), () => this.#cuts.delete(cut));
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
    const bytes = Buffer.from(Array.from({ length: this.#below(120) }, () => this.#below(256)));
    bytes[0] = 1 + this.#below(9);
    const counter = this.#below(5000);
    if (node.isStalled) return;
    sim.inject(node, from.options.endpoint, from.bootId, counter, bytes);
  }

  #endFaults(): void {
    const { sim } = this;
    sim.runFor(35_000);
    sim.network = { ...CALM_NETWORK };
    assert.equal(this.#sides, undefined);
    assert.equal(this.#cuts.size, 0);
    for (const node of sim.nodes) if (node.isStalled && node.isRunning) sim.resume(node);
  }

  #isWell(): boolean {
    const running = this.sim.running();
    const names = new Set(running.map((node) => node.name));
    return names.size === running.length && this.sim.isConverged();
  }

  #assertQuiet(): void {
    const { sim } = this;
    const events: string[] = [];
    sim.onEvent = (node, kind, name) => events.push(`${node.name} reports ${kind} ${name}`);
    sim.runFor(QUIET_MS);
    assert.deepEqual(events, [], 'an event without a fault');
    assert.ok(this.#isWell());
  }

  #isCut(from: Endpoint, to: Endpoint): boolean {
    if (this.#cuts.has(`${from.address}>${to.address}`)) return true;
    return (
      this.#sides !== undefined && this.#sides.has(from.address) !== this.#sides.has(to.address)
    );
  }

  #anyRunning(): SimNode | undefined {
    const running = this.sim.running();
    return running[this.#below(running.length)];
  }

  #freshEndpoint(): Endpoint {
    this.#nextIndex += 1;
    return endpointFor(this.#nextIndex);
  }

  #below(limit: number): number {
    return Math.floor(this.sim.random() * limit);
  }

  #describe(): string {
    return this.sim
      .running()
      .map(
        (node) => `${node.name}/${node.bootId} sees ${node.onlineNames().join(' ') || 'no member'}`,
      )
      .join('; ');
  }
}

/** n1 keeps its name and address, because without a seed no node could find the others again. */
function isSeed(node: SimNode): boolean {
  return node.name === 'n1';
}

/** @throws AssertionError that names the seed */
export function runRandomSchedule(seed: number): void {
  const schedule = new Schedule(seed);
  try {
    schedule.run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed} at ${(schedule.sim.now / 1000).toFixed(1)} s: ${reason}`, {
      cause: error,
    });
  }
}

/** The same run with a transcript of every event, for a seed that fails. */
export function transcriptOf(seed: number): readonly string[] {
  const schedule = new Schedule(seed);
  schedule.sim.keepsTranscript = true;
  try {
    schedule.run();
  } catch (error) {
    schedule.sim.lines.push(String(error));
  }
  return schedule.sim.lines;
}
