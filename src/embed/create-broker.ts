// createBroker(): a broker core with its clock, and its journal if the program names a folder. No
// sockets, no cluster, no access control but the program's own.

import { performance } from 'node:perf_hooks';
import { Broker } from '../broker/broker.ts';
import { openAuthorizer } from '../broker/ports.ts';
import type { ConfigKey } from '../config/config.ts';
import { mqttOptions } from '../config/options-mqtt.ts';
import { BrokerClock } from '../net/clients/broker-clock.ts';
import { brokerOptions } from '../node/broker-options.ts';
import { attachJournal, openJournal } from '../node/storage.ts';
import { secureRandom } from '../shared/random.ts';
import type * as api from './api.ts';
import { EmbeddedBroker } from './embedded-broker.ts';
import { shoalErrorOf } from './errors.ts';
import { PROGRAM_OPTIONS, programParts } from './program-options.ts';
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
  const rules = { keys: brokerKeys, withTables: false, others: PROGRAM_OPTIONS };
  const { config, warnings } = readOptions(options, rules);
  const program = programParts(options, config.logLevel);
  const { log, authorizer, events } = program;
  const opened = await openJournal(config, log);
  const broker = new Broker({
    options: brokerOptions(config),
    random: secureRandom,
    now: performance.now(),
    log,
    authorizer: authorizer?.(openAuthorizer) ?? openAuthorizer,
    events,
    ...(opened && { store: opened.journal }),
  });
  const journal = opened && attachJournal(opened, broker, () => undefined);
  const clock = new BrokerClock(broker);
  for (const warning of warnings) log.warn(warning);
  return new EmbeddedBroker({
    broker,
    program,
    findListener: (name = DEFAULT_LISTENER) => ({ name }),
    close: async () => {
      clock.stop();
      await journal?.close();
    },
  });
}
