// `shoal backup` and `shoal restore`: the data folder of a node as one file. A backup is consistent while the
// node runs, and contains no configuration, token or password. A restore never touches a folder that is in
// use or that holds data.

import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { OptionView } from '../../http/node-api.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { formatBytes, formatNumber } from '../../shared/units.ts';
import { makeDataFolder } from '../../storage/data-folder.ts';
import { FolderDisk } from '../../storage/disk.ts';
import { dataFiles } from '../../storage/file-names.ts';
import { checkCopy, openFolderCopy } from '../../storage/folder-copy.ts';
import { lockFolder } from '../../storage/folder-lock.ts';
import { removeUnused } from '../../storage/folder-trial.ts';
import { StorageError } from '../../storage/storage-error.ts';
import { ArchiveError, readArchive, writeArchive } from '../backup/archive.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { NoNodeError } from '../control-client.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { NodeConnection } from '../node-connection.ts';
import { Progress } from '../terminal/progress.ts';

/** In the data folder: where a restore unpacks before it is checked. */
const UNPACKED = 'restore.tmp';

export function addBackup(program: Command, context: CliContext): void {
  const command = program
    .command('backup')
    .usage('FILE [-nid NAME | -data FOLDER | -config FILE]')
    .argument('<file>', 'archive to write, as shoal.tgz')
    .description('copy the data folder into one file, also while the node runs');
  addConfigOptions(command, ['nid', 'control', 'data', 'config']).action(async (file: string) => {
    const folder = givenFolder(command, context) ?? (await runningFolder(command, context));
    if (existsSync(file)) throw new UsageError(`${file} exists; give the backup another name`);
    if (!existsSync(folder)) throw new UsageError(`${folder}: there is no such folder`);
    const files = openFolderCopy(folder);
    const total = files.reduce((sum, one) => sum + one.file.size, 0);
    const progress = new Progress(context);
    try {
      await writeArchive(file, files, (bytes) =>
        progress.show(bytes / total, `${formatBytes(bytes)} of ${formatBytes(total)}`),
      );
    } catch (error) {
      throw new Error(`${file}: ${describeSystemError(error, 'write')}`);
    } finally {
      progress.end();
      for (const one of files) one.file.close();
    }
    const size = formatBytes(statSync(file).size);
    context.write(`${file}: ${formatNumber(files.length, 'file')}, ${size}\n`);
    context.exitCode = exitCodes.ok;
  });
}

export function addRestore(program: Command, context: CliContext): void {
  const command = program
    .command('restore')
    .usage('FILE -data FOLDER | -config FILE')
    .argument('<file>', 'archive that backup wrote')
    .description('unpack a backup into an empty data folder');
  addConfigOptions(command, ['data', 'config']).action(async (file: string) => {
    const folder = givenFolder(command, context);
    if (folder === undefined) {
      throw new UsageError('restore needs the data folder: -data=FOLDER, or -config=FILE');
    }
    if (!existsSync(file)) throw new UsageError(`${file}: there is no such file`);
    const isNew = !existsSync(folder);
    makeDataFolder(folder);
    const lock = await lockFolder(folder);
    let isRestored = false;
    try {
      if (dataFiles(readdirSync(folder)).length > 0) {
        throw new StorageError(`${folder} holds data already: restore into an empty folder`);
      }
      context.write(await restore(file, folder, context));
      isRestored = true;
    } finally {
      rmSync(join(folder, UNPACKED), { recursive: true, force: true });
      await lock.release();
      if (isNew && !isRestored) await removeUnused(folder);
    }
    context.exitCode = exitCodes.ok;
  });
}

/** @returns what was restored, as a line */
async function restore(file: string, folder: string, context: CliContext): Promise<string> {
  const unpacked = join(folder, UNPACKED);
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { mode: 0o700 });
  const names = await unpack(file, unpacked, context);
  const { sessions, retained, faults } = checkCopy(unpacked);
  if (faults.length > 0) throw new Error(`${file} is damaged: ${faults.join('; ')}`);
  const owner = statSync(folder);
  // A snapshot comes last: a folder with it is complete.
  const inOrder = dataFiles(names).toSorted((a, b) => a.kind.localeCompare(b.kind));
  for (const { name } of inOrder) {
    // root restores for the user of the service.
    if (process.getuid?.() === 0) chownSync(join(unpacked, name), owner.uid, owner.gid);
    await rename(join(unpacked, name), join(folder, name));
  }
  await new FolderDisk(folder).syncNames();
  const contents = `${formatNumber(sessions, 'session')}, ${formatNumber(retained, 'retained message')}`;
  return `${folder}: ${contents}\n`;
}

async function unpack(file: string, unpacked: string, context: CliContext): Promise<string[]> {
  const progress = new Progress(context);
  const { size } = statSync(file);
  try {
    return await readArchive(file, unpacked, (bytes) =>
      progress.show(bytes / size, `${formatBytes(bytes)} of ${formatBytes(size)}`),
    );
  } catch (error) {
    if (error instanceof ArchiveError) throw new Error(`${file} ${error.message}`);
    throw new Error(`${file}: ${describeSystemError(error, 'read')}`);
  } finally {
    progress.end();
  }
}

function givenFolder(command: Command, context: CliContext): string | undefined {
  return configOf(command, context).config.dataFolder;
}

/** The data folder of the node that runs here. Rejects with UsageError without one. */
async function runningFolder(command: Command, context: CliContext): Promise<string> {
  let options: readonly OptionView[];
  try {
    const node = await NodeConnection.open(command, context);
    ({ options } = await node.ask<{ options: readonly OptionView[] }>('/api/v1/config'));
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error;
    throw new UsageError(
      `backup needs the data folder, -data=FOLDER or -config=FILE: ${error.message}`,
    );
  }
  const folder = options.find(({ flag }) => flag === 'data')?.value ?? '-';
  if (folder === '-') throw new UsageError('the node here keeps nothing on disk: it has no -data');
  return folder;
}
