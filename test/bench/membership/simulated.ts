// Measures how the cost of membership grows with the cluster, in the simulator: any number of nodes on
// one machine, in virtual time. `tsx test/bench/membership/simulated.ts --sizes 3,10,100 --trials 20`

import { parseArgs } from 'node:util';
import { type SimNode, Simulator, startCluster } from '../../support/simulator.ts';

const CALM_MS = 20_000;
const STEADY_MS = 20_000;
const LIMIT_MS = 120_000;
/** Interval of the check that all nodes agree, which is costly with many nodes. */
const LOOK_EVERY_MS = 50;

function until(sim: Simulator, isDone: () => boolean): number {
  let lookedAt = Number.NEGATIVE_INFINITY;
  const took = sim.runUntil(() => {
    if (sim.now - lookedAt < LOOK_EVERY_MS) return false;
    lookedAt = sim.now;
    return isDone();
  }, LIMIT_MS);
  if (took === undefined) throw new Error(`seed ${sim.seed}: not within ${LIMIT_MS} ms`);
  return took;
}

function quantile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return ((value ?? Number.NaN) / 1000).toFixed(2);
}

function sentBytes(nodes: readonly SimNode[]): number {
  return nodes.reduce((sum, node) => sum + node.sentBytes, 0) / nodes.length;
}

/** Runs one cluster whose members fail one after the other and return. */
function measure(size: number, trials: number): string {
  const sim = new Simulator(size);
  const nodes = startCluster(sim, size, Math.min(2, size));
  const formMs = until(sim, () => sim.isConverged());
  sim.runFor(CALM_MS);
  const formKilobytes = sentBytes(nodes) / 1000;
  const before = sentBytes(nodes);
  sim.runFor(STEADY_MS);
  const steady = (sentBytes(nodes) - before) / (STEADY_MS / 1000);
  const detectMs: number[] = [];
  const rejoinMs: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const running = sim.running();
    const victim = running[Math.floor(sim.random() * running.length)]!;
    sim.runFor(sim.random() * 2000);
    sim.kill(victim);
    const others = sim.running();
    detectMs.push(
      until(sim, () => others.every((one) => one.swim.table.get(victim.name)?.state === 'offline')),
    );
    sim.runFor(2000);
    sim.start(victim.options);
    rejoinMs.push(until(sim, () => sim.isConverged()));
    sim.runFor(2000);
  }
  return [
    `N=${size}`,
    `form ${quantile([formMs], 0)} s, ${formKilobytes.toFixed(1)} KB a node in the first 20 s`,
    `detect median ${quantile(detectMs, 0.5)} p95 ${quantile(detectMs, 0.95)} s`,
    `rejoin median ${quantile(rejoinMs, 0.5)} max ${quantile(rejoinMs, 1)} s`,
    `steady ${steady.toFixed(0)} B/s a node`,
  ].join('; ');
}

const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'string', default: '2,3,10,30,100' },
    trials: { type: 'string', default: '20' },
  },
});
for (const size of flags.sizes.split(',').map(Number)) {
  console.log(measure(size, Number(flags.trials)));
}
