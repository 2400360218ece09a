// For `shoal check`: tries what a start would do once the configuration is read, in the order and the words of
// the start, and leaves nothing open or written.

import { lookup } from 'node:dns/promises';
import { bridgesOf } from '../config/bridges.ts';
import { type Config, isClustered } from '../config/config.ts';
import { TokenStore } from '../http/token-store.ts';
import { isServiceName, lookUpService } from '../net/cluster/service-name.ts';
import { tryPort } from '../net/listen-error.ts';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { tryFolder } from '../storage/folder-trial.ts';
import { DEFAULT_PORT_TAKEN, httpTls, tokenPath } from './management.ts';
import { findTakenPorts } from './taken-ports.ts';

export interface StartTrial {
  /** Why the node would not start. */
  readonly faults: readonly unknown[];
  /** What it would log, and start nevertheless. */
  readonly warnings: readonly string[];
}

/** @param isRunning the node of this configuration runs: what it has in use is no fault */
export async function tryStart(config: Config, isRunning: boolean): Promise<StartTrial> {
  const faults: unknown[] = [];
  const warnings: string[] = [];
  const attempt = (step: () => Promise<readonly string[]>): Promise<unknown> =>
    step().then(
      (found) => warnings.push(...found),
      (error: unknown) => faults.push(error),
    );
  await attempt(() => folderWarnings(config, isRunning));
  const taken = await findTakenPorts(config);
  faults.push(...taken.filter(({ isInUse }) => !(isRunning && isInUse)));
  await attempt(() => httpWarnings(config, isRunning));
  await attempt(() => nameWarnings(config));
  return { faults, warnings };
}

async function folderWarnings(config: Config, isRunning: boolean): Promise<string[]> {
  const { dataFolder } = config;
  const fault = dataFolder === undefined ? undefined : await tryFolder(dataFolder, isRunning);
  await TokenStore.open(tokenPath(config));
  return fault === undefined ? [] : [`-data=${dataFolder}: ${fault}`];
}

async function httpWarnings(config: Config, isRunning: boolean): Promise<string[]> {
  const { http } = config;
  const warnings = (httpTls(config)?.warnings ?? []).map((warning) => `-http-cert: ${warning}`);
  if (http === 'off' || !http.isDefault || isRunning) return warnings;
  const fault = await tryPort({ bind: http.host, port: http.port, place: '-http' });
  return fault === undefined ? warnings : [...warnings, `${DEFAULT_PORT_TAKEN}: ${fault.message}`];
}

async function nameWarnings(config: Config): Promise<string[]> {
  const seeds = isClustered(config) ? config.members : [];
  const named = [
    ...seeds.map(({ host }) => ({ place: '-mbs', host })),
    ...bridgesOf(config).flatMap(({ place, options }) =>
      options.addresses.map(({ host }) => ({ place, host })),
    ),
  ];
  const warnings = named.map(async ({ place, host }): Promise<string[]> => {
    try {
      await (isServiceName(host) ? lookUpService(host) : lookup(host));
      return [];
    } catch (error) {
      return [`${place}: ${host}: ${describeSystemError(error, 'network')}`];
    }
  });
  return (await Promise.all(warnings)).flat();
}
