import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/shared/logger.ts';
import { GroupCommit } from '../../../src/storage/group-commit.ts';
import type { LogFile } from '../../../src/storage/log-file.ts';
import { systemTimers } from '../../../src/storage/timers.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';

/** More than a call may have arguments. */
const MANY = 300_000;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function newLog(disk: MemoryDisk, generation: number): Promise<LogFile> {
  return { generation, file: await disk.create(`${generation}`), length: 0 };
}

test('any number of waiters is told when a snapshot has made the files complete again', async () => {
  const disk = new MemoryDisk();
  const commit = new GroupCommit(await newLog(disk, 1), {
    folder: 'memory',
    log: silentLogger,
    now: () => ({ wall: 0, mono: 0 }),
    timers: systemTimers,
    onBroken: () => undefined,
    onWritten: () => undefined,
  });
  let told = 0;
  const waitForMany = (): void => {
    for (let i = 0; i < MANY; i++) commit.wait({ done: () => (told += 1), refused: undefined });
  };
  commit.startBroken(new Error('ENOSPC: no space left on device'));
  waitForMany();
  commit.restart(await newLog(disk, 2));
  // Those with nothing to write, then those of a batch.
  await commit.idle();
  commit.builder.records.willRemoved(1);
  waitForMany();
  void commit.idle();
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.equal(commit.pendingBytes, 0);
  assert.equal(told, 0);
  commit.recovered();
  assert.equal(told, 2 * MANY);
  commit.stop();
});
