// The checks of the swarm (swarm.ts) find faults: each mutant makes a method of the nodes do nothing, or now and then
// nothing, and a seed must fail by the check that is for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetainedStore } from '../../src/broker/retained/retained-store.ts';
import { ClusterClients } from '../../src/node/replication/client-directory.ts';
import { AntiEntropy } from '../../src/replica/anti-entropy.ts';
import { Journal } from '../../src/storage/journal.ts';
import { SyncNode } from '../../src/sync/sync-node.ts';
import { syncKeys } from '../support/sync-fixtures.ts';
import { type Fixed, runSwarm } from './swarm.ts';

const SEEDS = 8;

interface Mutant {
  readonly what: string;
  readonly of: object;
  readonly method: string;
  /** One call of so many does nothing. */
  readonly every: number;
  readonly returns?: unknown;
  readonly fixed?: Fixed;
  readonly check: RegExp;
}

const MUTANTS: readonly Mutant[] = [
  {
    what: 'a node does not send what another one lacks',
    of: AntiEntropy.prototype,
    method: 'handleDigest',
    every: 1,
    check: /differs for ever/,
  },
  {
    what: 'a node does not announce that a client is gone',
    of: ClusterClients.prototype,
    method: 'disconnected',
    every: 1,
    check: /where n\d+ sees d\d/,
  },
  {
    what: 'a broker keeps a retained value that the replicated map has no more',
    of: RetainedStore.prototype,
    method: 'remove',
    every: 2,
    check: /^.*: (r|status)\/\S+ is/,
  },
  {
    what: 'a data folder does not keep a retained value',
    of: Journal.prototype,
    method: 'saveRetained',
    every: 2,
    fixed: { data: 'all' },
    check: /^.*: (r|status)\/\S+ is/,
  },
  {
    what: 'a message does not go to the other nodes now and then',
    of: SyncNode.prototype,
    method: 'forward',
    every: 5,
    returns: 'forwarded',
    check: /'from d\d+ at n\d+' for \S+ came to/,
  },
];

for (const { what, of, method, every, returns, fixed, check } of MUTANTS) {
  test(`the swarm finds that ${what}`, async () => {
    const keys = await syncKeys('swarm');
    const methods = of as Record<string, (...values: unknown[]) => unknown>;
    const original = methods[method]!;
    let calls = 0;
    methods[method] = function mutant(...values) {
      calls += 1;
      return calls % every === 0 ? returns : original.apply(this, values);
    };
    const found: string[] = [];
    try {
      for (let seed = 1; seed <= SEEDS && !found.some((text) => check.test(text)); seed++) {
        try {
          await runSwarm(seed, keys, fixed);
        } catch (error) {
          found.push((error as Error).message);
        }
      }
    } finally {
      methods[method] = original;
    }
    assert.ok(
      found.some((text) => check.test(text)),
      `found instead: ${found.join('\n')}`,
    );
  });
}
