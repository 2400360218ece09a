// `shoal health`: the check for monitoring systems and for Docker. Exit codes are those of Nagios plugins
// with -format=nagios; otherwise 0, or 1 where something is critical or no node answers.

import { type Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { wholeNumber } from '../mqtt/connection-flags.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import {
  checkHealth,
  FORMATS,
  HEALTH_LEVELS,
  type Health,
  type HealthFormat,
  type HealthLimits,
  healthText,
  unknownHealth,
} from '../views/health-check.ts';
import type { SiteView } from '../views/status-view.ts';

interface HealthFlags extends NodeFlags {
  readonly format: HealthFormat;
  readonly peersWarn: string;
  readonly peersCrit: string;
  readonly lossWarn: string;
  readonly lossCrit: string;
  readonly loadWarn: string;
  readonly loadCrit: string;
}

const PEERS_MAX = 4096;

export function addHealth(program: Command, context: CliContext): void {
  const command = program
    .command('health')
    .alias('check-health')
    .usage('[-format nagios] [-peers-crit 1] [flags]')
    .description('check the site for a monitoring system, or for HEALTHCHECK of Docker')
    .addOption(
      new Option(`--format <${FORMATS.join('|')}>`, 'form of the result')
        .choices(FORMATS)
        .default('text'),
    )
    .option('--peers-warn <count>', 'warn if fewer other boxes are online', '0')
    .option('--peers-crit <count>', 'critical if fewer other boxes are online', '0')
    .option('--loss-warn <percent>', 'warn of such a loss between two boxes', '0.1%')
    .option('--loss-crit <percent>', 'critical from this loss on', '5%')
    .option('--load-warn <percent>', 'warn if a box is busy for so much of its time', '90%')
    .option('--load-crit <percent>', 'critical from this load on', '100%');
  addNodeFlags(command).action(async (flags: HealthFlags) => {
    const limits = limitsOf(flags);
    const format = flags.json === true ? 'json' : flags.format;
    const health = await ask(command, context, limits);
    context.write(healthText(health, limits, format));
    const level = HEALTH_LEVELS.indexOf(health.level);
    if (format === 'nagios') context.exitCode = level;
    else context.exitCode = level >= 2 ? exitCodes.failure : exitCodes.ok;
  });
}

/** A node that does not answer is a result, too. */
async function ask(command: Command, context: CliContext, limits: HealthLimits): Promise<Health> {
  try {
    const node = await NodeConnection.open(command, context);
    return checkHealth(await node.ask<SiteView>('/api/v1/nodes'), limits);
  } catch (error) {
    return unknownHealth(error instanceof Error ? error.message : String(error));
  }
}

/** @throws UsageError */
function limitsOf(flags: HealthFlags): HealthLimits {
  return {
    peersWarn: wholeNumber(flags.peersWarn, '-peers-warn', 0, PEERS_MAX),
    peersCrit: wholeNumber(flags.peersCrit, '-peers-crit', 0, PEERS_MAX),
    lossWarn: percentOf(flags.lossWarn, '-loss-warn') / 100,
    lossCrit: percentOf(flags.lossCrit, '-loss-crit') / 100,
    loadWarn: percentOf(flags.loadWarn, '-load-warn'),
    loadCrit: percentOf(flags.loadCrit, '-load-crit'),
  };
}

function percentOf(text: string, flag: string): number {
  const [, number] = /^(\d{1,3}(?:\.\d{1,6})?) ?%?$/.exec(text) ?? [];
  if (number !== undefined && Number(number) <= 100) return Number(number);
  throw new UsageError(`bad value '${text}' for ${flag}: expected a percentage, such as 0.1%`);
}
