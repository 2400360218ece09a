import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { exitCodeOf, exitCodes } from '../../../../src/cli/exit-codes.ts';
import { PeerWatch } from '../../../../src/node/cluster/peer-watch.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

/** A watch on a virtual clock, and the peers that it finds. */
function watch({ mock }: TestContext, checksMax: number) {
  mock.timers.enable({ apis: ['setInterval'] });
  const lines: string[] = [];
  const note = (event: string): number => lines.push(event);
  const state = { failure: undefined as Error | undefined, lines };
  const peerWatch = new PeerWatch({
    checksMax,
    log: { ...silentLogger, info: note, warn: note },
  });
  void peerWatch.isolated.then((error) => {
    state.failure = error;
  });
  const check = async (times: number): Promise<void> => {
    mock.timers.tick(2000 * times);
    await Promise.resolve();
  };
  return { state, check, peerWatch };
}

test('a node whose peers are gone ends after the configured number of checks', async (context) => {
  const { state, check, peerWatch } = watch(context, 3);
  peerWatch.peers = 1;
  await check(5);
  peerWatch.peers = 0;
  await check(2);
  assert.equal(state.failure, undefined);
  await check(1);
  assert.ok(state.failure);
  assert.equal(exitCodeOf(state.failure), exitCodes.isolated);
});

test('a peer that returns begins the count anew, and the log says both', async (context) => {
  const { state, check, peerWatch } = watch(context, 3);
  peerWatch.peers = 1;
  await check(1);
  peerWatch.peers = 0;
  await check(2);
  peerWatch.peers = 1;
  await check(1);
  peerWatch.peers = 0;
  await check(2);
  assert.equal(state.failure, undefined);
  assert.deepEqual(state.lines, [
    'no other node is online: the node ends unless one returns',
    'another node is online: the node goes on',
    'no other node is online: the node ends unless one returns',
  ]);
});

test('a node that has never had a peer serves its clients alone', async (context) => {
  const { state, check } = watch(context, 1);
  await check(100);
  assert.equal(state.failure, undefined);
});

test('without the option no node ends', async (context) => {
  const { state, check, peerWatch } = watch(context, Number.POSITIVE_INFINITY);
  peerWatch.peers = 1;
  await check(1);
  peerWatch.peers = 0;
  await check(1000);
  assert.equal(state.failure, undefined);
});
