import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { silentLogger } from '../../src/shared/logger.ts';
import type { Disk } from '../../src/storage/disk.ts';
import { Journal, type OpenedJournal } from '../../src/storage/journal.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { sessionStoreContract } from './session-store.ts';

const WALL_MS = Date.UTC(2026, 0, 1);
const now = (): { wall: number; mono: number } => ({ wall: WALL_MS, mono: 1000 });
const opened: Journal[] = [];
const folders: string[] = [];

after(async () => {
  for (const journal of opened) await journal.close();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

async function open(folder: string, disk?: Disk): Promise<OpenedJournal> {
  const found = await Journal.open({ folder, log: silentLogger, now, ...(disk && { disk }) });
  opened.push(found.journal);
  return found;
}

function subject(start: () => Promise<OpenedJournal>): () => ReturnType<typeof reopenable> {
  return () => reopenable(start);
}

async function reopenable(start: () => Promise<OpenedJournal>) {
  let { journal } = await start();
  return {
    store: journal,
    reopen: async () => {
      await journal.close();
      const next = await start();
      journal = next.journal;
      return { store: next.journal, state: next.state };
    },
  };
}

sessionStoreContract('journal in a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-store-'));
  folders.push(folder);
  return subject(() => open(folder))();
});

sessionStoreContract('journal on a disk that forgets what was not synced', () => {
  let disk = new MemoryDisk();
  return subject(() => {
    disk = disk.powerCut(() => 0);
    return open('memory', disk);
  })();
});
