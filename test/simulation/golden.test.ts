// Golden transcripts: whole runs as text, datagram by datagram. They illustrate
// docs/protocol-gossip.md and reveal unintended changes of the protocol. SHOAL_GOLDEN=write writes
// them anew.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { endpointFor, type SimNode, Simulator, settledCluster } from '../support/simulator.ts';

const FOLDER = new URL('golden/', import.meta.url);

function compare(name: string, sim: Simulator): void {
  const text = `${sim.lines.join('\n')}\n`;
  const file = new URL(`${name}.txt`, FOLDER);
  if (process.env.SHOAL_GOLDEN === 'write') {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, 'utf8'));
}

/** Three nodes that know each other; the transcript begins now. */
function threeNodes(): { sim: Simulator; nodes: SimNode[] } {
  const sim = new Simulator(2);
  const nodes = settledCluster(sim, 3);
  record(sim);
  return { sim, nodes };
}

function record(sim: Simulator): void {
  sim.keepsTranscript = true;
  sim.keepsMessages = true;
}

test('join: challenge, echo, first state sync', () => {
  const sim = new Simulator(1);
  sim.start({ name: 'n1', endpoint: endpointFor(1), seeds: [] });
  sim.runFor(20_000);
  record(sim);
  sim.start({ name: 'n2', endpoint: endpointFor(2), seeds: [endpointFor(1)] });
  sim.runFor(1000);
  compare('join', sim);
});

test('suspect and offline: three periods without an ack', () => {
  const { sim, nodes } = threeNodes();
  sim.kill(nodes[2]!);
  sim.runUntil(() => sim.isConverged(), 10_000);
  compare('offline', sim);
});

test('suspect and refute: a short stall', () => {
  const { sim, nodes } = threeNodes();
  sim.stall(nodes[2]!);
  sim.runUntil(() => nodes[0]!.swim.table.get('n3')?.state === 'suspect', 10_000);
  sim.resume(nodes[2]!);
  sim.runUntil(() => sim.isConverged(), 10_000);
  compare('refute', sim);
});

test('return: a node restarts after it was offline', () => {
  const { sim, nodes } = threeNodes();
  sim.keepsTranscript = false;
  sim.kill(nodes[2]!);
  sim.runFor(20_000);
  sim.keepsTranscript = true;
  sim.start(nodes[2]!.options);
  sim.runUntil(() => sim.isConverged(), 10_000);
  compare('return', sim);
});

test('leave', () => {
  const { sim, nodes } = threeNodes();
  sim.leave(nodes[2]!);
  sim.runFor(600);
  compare('leave', sim);
});

test('name in use: the second node is refused', () => {
  const { sim, nodes } = threeNodes();
  sim.start({ ...nodes[2]!.options, endpoint: endpointFor(9) });
  sim.runFor(300);
  compare('name-in-use', sim);
});
