// createNode(): a whole node, as the command line starts it, without what belongs to a process: signals,
// output, the exit code and the environment.

import { fixedSource } from '../node/config-source.ts';
import { runNode } from '../node/node.ts';
import type * as api from './api.ts';
import { EmbeddedNode } from './embedded-node.ts';
import { shoalErrorOf } from './errors.ts';
import { nodeKeys } from './option-names.ts';
import { PROGRAM_OPTIONS, programParts } from './program-options.ts';
import { readOptions } from './read-options.ts';

const RULES = { keys: nodeKeys, withTables: true, others: [...PROGRAM_OPTIONS, 'signal'] };

export async function createNode(options: api.NodeOptions = {}): Promise<api.ShoalNode> {
  try {
    return await openNode(options);
  } catch (error) {
    throw shoalErrorOf(error);
  }
}

async function openNode(options: api.NodeOptions): Promise<api.ShoalNode> {
  const loaded = readOptions(options, RULES);
  const { config, warnings } = loaded;
  const program = programParts(options, config.logLevel);
  const { log, authorizer, events } = program;
  for (const warning of warnings) log.warn(warning);
  const running = await runNode(config, log, {
    cancel: options.signal,
    source: fixedSource(loaded),
    authorizer,
    events,
  });
  const read = () => readOptions(options, RULES).config;
  return new EmbeddedNode({ running, program, config, read });
}
