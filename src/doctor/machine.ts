// The machine as the checks see it: files, programs, sockets and names. Tests replace single functions.
// Invariant: nothing here throws or rejects, and nothing takes longer than a few seconds.

import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { type DescriptorLimit, readDescriptorLimit } from '../net/clients/descriptors.ts';
import { lookUpService } from '../net/cluster/service-name.ts';
import type { HostPort } from '../shared/endpoint.ts';

const PROGRAM_MS_MAX = 3000;
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

export interface Interface {
  readonly address: string;
  readonly prefixBits: number;
  readonly isIpv6: boolean;
}

export interface Machine {
  readonly platform: string;
  /** Wall clock, ms since 1970. */
  now(): number;
  /** @returns undefined for a file that can't be read */
  readFile(path: string): string | undefined;
  /** Runs a program. @returns its output; undefined if it is missing or fails */
  run(program: string, ...words: readonly string[]): Promise<string | undefined>;
  /** @returns addresses; empty if the name has none */
  resolve(host: string): Promise<readonly string[]>;
  /** @returns the hosts of a service (SRV); empty if the name has none */
  resolveService(name: string): Promise<readonly HostPort[]>;
  /** @returns bytes of the file system that holds the folder */
  space(folder: string): Promise<{ readonly free: number; readonly total: number } | undefined>;
  descriptors(): DescriptorLimit;
  /** Without loopback. */
  interfaces(): readonly Interface[];
}

export const thisMachine: Machine = {
  platform: process.platform,
  now: Date.now,
  readFile: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  run: (program, ...words) =>
    new Promise((resolve) => {
      const options = { timeout: PROGRAM_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX };
      execFile(program, words, options, (error, output) =>
        resolve(error === null ? output : undefined),
      );
    }),
  resolve: async (host) => {
    try {
      return (await lookup(host, { all: true })).map(({ address }) => address);
    } catch {
      return [];
    }
  },
  resolveService: async (name) => {
    try {
      return await lookUpService(name);
    } catch {
      return [];
    }
  },
  space: async (folder) => {
    try {
      const { bavail, blocks, bsize } = await statfs(folder);
      return { free: bavail * bsize, total: blocks * bsize };
    } catch {
      return undefined;
    }
  },
  descriptors: readDescriptorLimit,
  interfaces: () => {
    try {
      return Object.values(networkInterfaces()).flatMap((addresses = []) =>
        addresses.flatMap(({ address, cidr, family, internal }) => {
          const prefixBits = Number(cidr?.split('/')[1] ?? 32);
          return internal ? [] : [{ address, prefixBits, isIpv6: family === 'IPv6' }];
        }),
      );
    } catch {
      return [];
    }
  },
};
