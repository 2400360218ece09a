// createNode(): a whole node, as the command line starts it, without what belongs to a process: signals,
// output, the exit code and the environment.

import { runNode } from '../node/node.ts';
import type * as api from './api.ts';
import { callbackLog } from './callback-log.ts';
import { checkCallback } from './create-broker.ts';
import { EmbeddedBroker } from './embedded-broker.ts';
import { shoalErrorOf } from './errors.ts';
import { nodeKeys } from './option-names.ts';
import { readOptions } from './read-options.ts';

const RULES = { keys: nodeKeys, withTables: true, others: ['log', 'signal'], fixed: {} };

export async function createNode(options: api.NodeOptions = {}): Promise<api.ShoalNode> {
  try {
    return await openNode(options);
  } catch (error) {
    throw shoalErrorOf(error);
  }
}

async function openNode(options: api.NodeOptions): Promise<api.ShoalNode> {
  const { config, origins, warnings } = readOptions(options, RULES);
  checkCallback('log', options.log);
  const log = callbackLog(options.log, config.logLevel);
  for (const warning of warnings) log.warn(warning);
  const doctorWarnings = () => ({ configuration: warnings, exposure: [] });
  const running = await runNode(config, log, options.signal, origins, doctorWarnings);
  const embedded = new EmbeddedBroker({
    broker: running.broker,
    findListener: (name = config.listeners[0]?.id) => {
      const found = config.listeners.find(({ id }) => id === name);
      if (found === undefined) return undefined;
      const { id, packetBytesMax, maximumQos } = found;
      return { name: id, packetBytesMax, maximumQos };
    },
    close: () => running.stop(),
  });
  const listeners = running.listeners.map(({ protocol, local }) => ({ protocol, ...local }));
  return Object.assign(embedded, { listeners });
}
