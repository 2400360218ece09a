// createBroker(): a broker core with its clock, and its journal if the program names a folder. No
// sockets, no cluster, no access control but the program's own.

import { performance } from 'node:perf_hooks';
import { Broker } from '../broker/broker.ts';
import type { ConfigKey } from '../config/config.ts';
import { mqttOptions } from '../config/options-mqtt.ts';
import { BrokerClock } from '../net/clients/broker-clock.ts';
import { brokerOptions } from '../node/broker-options.ts';
import { attachJournal, openJournal } from '../node/storage.ts';
import { secureRandom } from '../shared/random.ts';
import type * as api from './api.ts';
import { callbackLog } from './callback-log.ts';
import { EmbeddedBroker } from './embedded-broker.ts';
import { ShoalError, shoalErrorOf } from './errors.ts';
import { readOptions } from './read-options.ts';

export const brokerKeys: readonly ConfigKey[] = [
  ...(Object.keys(mqttOptions) as (keyof typeof mqttOptions)[]),
  'dataFolder',
  'logLevel',
];

/** Of a stream that is attached without one. */
const DEFAULT_LISTENER = 'attached';

export async function createBroker(options: api.BrokerOptions = {}): Promise<api.Broker> {
  try {
    return await openBroker(options);
  } catch (error) {
    throw shoalErrorOf(error);
  }
}

async function openBroker(options: api.BrokerOptions): Promise<api.Broker> {
  const rules = { keys: brokerKeys, withTables: false, others: ['log'], fixed: {} };
  const { config, warnings } = readOptions(options, rules);
  checkCallback('log', options.log);
  const log = callbackLog(options.log, config.logLevel);
  const opened = await openJournal(config, log);
  const broker = new Broker({
    options: brokerOptions(config),
    random: secureRandom,
    now: performance.now(),
    log,
    ...(opened && { store: opened.journal }),
  });
  const journal = opened && attachJournal(opened, broker, () => undefined);
  const clock = new BrokerClock(broker);
  for (const warning of warnings) log.warn(warning);
  return new EmbeddedBroker({
    broker,
    findListener: (name = DEFAULT_LISTENER) => ({ name }),
    close: async () => {
      clock.stop();
      await journal?.close();
    },
  });
}

export function checkCallback(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new ShoalError('INVALID_OPTIONS', `bad value for ${name}: expected a function`);
}
