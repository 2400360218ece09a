// Joins the broker to its data folder: the journal records what the broker persists, and the broker
// starts from what earlier runs recorded. Knows nothing of listeners or the cluster.

import { performance } from 'node:perf_hooks';
import type { Broker } from '../broker/broker.ts';
import type { Config } from '../config/config.ts';
import { readMachineMark } from '../net/machine-mark.ts';
import type { RegisterWriter } from '../replica/register-store.ts';
import type { Logger } from '../shared/logger.ts';
import { isFolderMoved } from '../storage/folder-machine.ts';
import { Journal, type OpenedJournal } from '../storage/journal.ts';
import type { ClusterJournal } from './cluster/cluster.ts';

/**
 * Opens the journal of `-data` and replays it.
 * @returns undefined without `-data`: the node then keeps everything in memory
 */
export async function openJournal(config: Config, log: Logger): Promise<OpenedData | undefined> {
  const { dataFolder: folder } = config;
  if (folder === undefined) return undefined;
  const opened = await Journal.open({ folder, log });
  return { ...opened, isFolderMoved: isFolderMoved(folder, readMachineMark(), log) };
}

interface OpenedData extends OpenedJournal {
  /** The folder comes from another machine. */
  readonly isFolderMoved: boolean;
}

/** Writes what a snapshot contains besides the broker's state. */
interface VersionSource {
  exportVersions(writer: RegisterWriter): Iterable<void>;
}

/**
 * Loads the replayed state into the broker and lets the journal take snapshots of it.
 * @param cluster undefined while the node is in none
 */
export function attachJournal(
  { journal, state }: OpenedJournal,
  broker: Broker,
  cluster: () => VersionSource | undefined,
): Journal {
  broker.importState(state);
  journal.useCapture(function* (writer) {
    yield* broker.exportState(writer, performance.now());
    yield* cluster()?.exportVersions(writer) ?? [];
  });
  broker.sys.addSource('storage', () => journal.metrics());
  broker.log.info('sessions and retained messages are back', {
    sessions: broker.sessionCount,
    subscriptions: broker.context.tree.size,
    retained: broker.context.retained.count,
  });
  return journal;
}

/** The journal as the cluster uses it: for the versions of replicated values. */
export function clusterJournal({ journal, state, isFolderMoved }: OpenedData): ClusterJournal {
  return {
    isFolderMoved,
    found: state.registers,
    saveRegister: (register) => journal.saveRegister(register),
    removeRegister: (key) => journal.removeRegister(key),
    saveKnown: (range) => journal.saveKnown(range),
  };
}
