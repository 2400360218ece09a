import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/shared/logger.ts';
import { GroupCommit } from '../../../src/storage/group-commit.ts';
import type { LogFile } from '../../../src/storage/log-file.ts';
import { systemTimers } from '../../../src/storage/timers.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';

/** More than the number of arguments that a call may have. */
const MANY = 300_000;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function newLog(disk: MemoryDisk, generation: number): Promise<LogFile> {
  return { generation, file: await disk.create(`${generation}`), length: 0 };
}

test('all waiters are called back, however many, when a snapshot has completed the files', async () => {
  const disk = new MemoryDisk();
  const commit = new GroupCommit(await newLog(disk, 1), {
    folder: 'memory',
    log: silentLogger,
    now: () => ({ wall: 0, mono: 0 }),
    timers: systemTimers,
    onBroken: () => undefined,
    onWritten: () => undefined,
  });
  let calls = 0;
  const waitForMany = (): void => {
    for (let i = 0; i < MANY; i++) commit.wait({ done: () => (calls += 1), refused: undefined });
  };
  commit.startBroken(new Error('ENOSPC: no space left on device'));
  waitForMany();
  commit.restart(await newLog(disk, 2));
  // First waiters without records of their own, then waiters of a batch.
  await commit.idle();
  commit.builder.records.willRemoved(1);
  waitForMany();
  void commit.idle();
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.equal(commit.pendingBytes, 0);
  assert.equal(calls, 0);
  commit.recovered();
  assert.equal(calls, 2 * MANY);
  commit.stop();
});
