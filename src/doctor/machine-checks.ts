// Checks of this machine: clock, disk, limits of the system, IPv6.

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { isClustered } from '../config/config.ts';
import { receiveBufferWarnings } from '../net/cluster/receive-buffer.ts';
import { checkDataFolder } from '../storage/data-folder.ts';
import type { Check } from './context.ts';
import { bad, type Finding, here, ok, warn } from './finding.ts';

/** A clock before this has not been set since the box was switched on. */
const CLOCK_SET_AFTER = Date.UTC(2024, 0, 1);
const FREE_BYTES_MIN = 100 * 1024 * 1024;
const FREE_SHARE_MIN = 0.05;
const SYNCS = 30;
const SYNC_BYTES = 4096;
/** The measurement ends after this time, however slow the disk is. */
const SYNCING_MS_MAX = 2000;
const SLOW_SYNC_MS = 50;

const clock: Check = {
  id: 'clock',
  run: ({ machine }) => {
    const now = machine.now();
    const day = new Date(now).toISOString().slice(0, 10);
    if (now >= CLOCK_SET_AFTER) return [ok(`clock ${day}`)];
    const text = `the clock of this box says ${day}`;
    return [warn('clock', text, here('timedatectl set-ntp true'))];
  },
};

const data: Check = {
  id: 'data',
  run: async (context) => {
    const folder = context.config.dataFolder;
    if (folder === undefined) return [ok('no data folder: sessions are kept in memory')];
    try {
      checkDataFolder(folder);
    } catch (error) {
      return [bad('data-folder', messageOf(error), here(`ls -ld ${folder}`))];
    }
    const space = await context.machine.space(dirname(resolve(folder, 'x')));
    const findings: Finding[] = [];
    if (space !== undefined && isNearlyFull(space)) {
      const text = `the disk of ${folder} has ${mebibytes(space.free)} of ${mebibytes(space.total)} free`;
      findings.push(bad('disk-full', text, here(`df -h ${folder}   # free some space there`)));
    }
    const syncMs = await slowestSync(folder);
    const free = space === undefined ? '' : `, ${mebibytes(space.free)} free`;
    if (syncMs === undefined) return findings;
    const figure = `fsync p99 ${syncMs.toFixed(syncMs < 10 ? 1 : 0)} ms`;
    if (syncMs >= SLOW_SYNC_MS) {
      const text = `the disk of ${folder} is slow: ${figure}`;
      findings.push(warn('disk-slow', text, here('iotop -ao   # shows what else writes to it')));
    } else if (findings.length === 0) {
      findings.push(ok(`data folder ${folder}${free}, ${figure}`));
    }
    return findings;
  },
};

const receiveBuffer: Check = {
  id: 'receive-buffer',
  run: ({ config, machine }) => {
    if (!isClustered(config)) return [];
    const readFile = (path: string): string => {
      const text = machine.readFile(path);
      if (text === undefined) throw new Error('no such file');
      return text;
    };
    const [warning] = receiveBufferWarnings(readFile);
    if (warning === undefined) return [ok('receive buffer as large as wanted')];
    const at = warning.indexOf(': sysctl');
    return [
      warn('receive-buffer', warning.slice(0, at), here(...warning.slice(at + 2).split('; '))),
    ];
  },
};

const losses: Check = {
  id: 'losses',
  run: ({ losses: found }) =>
    found
      .filter(({ share }) => share >= 0.001)
      .map(({ from, to, share }) =>
        warn(
          'messages-lost',
          `${(share * 100).toFixed(1)} % of the messages from ${from} to ${to} were lost in the last minute`,
          { where: `on ${to}`, lines: ['shoal doctor'] },
        ),
      ),
};

const descriptors: Check = {
  id: 'descriptors',
  run: ({ config, machine }) => {
    const { descriptors: limit, socketsMax } = machine.descriptors();
    const wanted = config.listeners.reduce((most, one) => Math.max(most, one.connectionsMax), 0);
    if (socketsMax >= wanted || wanted === Number.POSITIVE_INFINITY) {
      return [ok(`room for ${Math.min(socketsMax, wanted)} connections`)];
    }
    const files = wanted + 1024;
    const text = `the limit of ${limit} open files leaves ${socketsMax} connections of the ${wanted} of -max-connections`;
    return [
      warn(
        'descriptors',
        text,
        here(`LimitNOFILE=${files} in the unit, or before the start: ulimit -n ${files}`),
      ),
    ];
  },
};

const ipv6: Check = {
  id: 'ipv6',
  run: async ({ config, machine }) => {
    if (await hasIpv6()) return [];
    const wanted = [
      ...config.members.map(({ host }) => host),
      config.bindAddress,
      config.advertise?.address,
      ...config.listeners.map(({ bind }) => bind),
    ].filter((address) => address?.includes(':'));
    if (wanted.length === 0) return [ok('this machine has no IPv6: IPv4 is used alone')];
    const text = `this machine has no IPv6, but the configuration has ${wanted.join(', ')}`;
    const line =
      machine.platform === 'linux'
        ? 'sysctl -w net.ipv6.conf.all.disable_ipv6=0   # or use IPv4 addresses'
        : 'use IPv4 addresses';
    return [bad('ipv6', text, here(line))];
  },
};

export const machineChecks: readonly Check[] = [
  clock,
  data,
  receiveBuffer,
  losses,
  descriptors,
  ipv6,
];

function isNearlyFull({ free, total }: { free: number; total: number }): boolean {
  return free < FREE_BYTES_MIN || free < total * FREE_SHARE_MIN;
}

/** @returns the slowest of some synced writes, which is about their p99; undefined if none succeeded */
async function slowestSync(folder: string): Promise<number | undefined> {
  const path = join(folder, `.doctor-${randomBytes(4).toString('hex')}`);
  const block = Buffer.alloc(SYNC_BYTES);
  let slowest: number | undefined;
  try {
    const file = await open(path, 'wx', 0o600);
    const startedAt = performance.now();
    for (let count = 0; count < SYNCS; count++) {
      const before = performance.now();
      await file.write(block, 0, SYNC_BYTES, 0);
      await file.datasync();
      slowest = Math.max(slowest ?? 0, performance.now() - before);
      if (performance.now() - startedAt > SYNCING_MS_MAX) break;
    }
    await file.close();
  } catch {
    // The folder does not exist yet, or the disk is full: another check says so.
  }
  await rm(path, { force: true }).catch(() => undefined);
  return slowest;
}

function hasIpv6(): Promise<boolean> {
  return new Promise((done) => {
    const socket = createSocket('udp6');
    socket.once('error', () => {
      socket.close();
      done(false);
    });
    socket.bind({ address: '::1', port: 0 }, () => socket.close(() => done(true)));
  });
}

function mebibytes(bytes: number): string {
  const gib = bytes / 1024 ** 3;
  return gib >= 1 ? `${gib.toFixed(1)} GB` : `${Math.round(bytes / 1024 ** 2)} MB`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
