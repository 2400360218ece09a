// The whole option table, and the Config that comes out of it. Rows stand in options-*.ts by
// subject; here they become one.

import type { ListenerConfig } from '../shared/listener-config.ts';
import type { ValueOf } from './option.ts';
import { accessOptions } from './options-access.ts';
import { clusterOptions } from './options-cluster.ts';
import { listenerOptions } from './options-listeners.ts';
import { mqttOptions } from './options-mqtt.ts';
import { nodeOptions } from './options-node.ts';

export const optionTable = {
  ...nodeOptions,
  ...listenerOptions,
  ...clusterOptions,
  ...accessOptions,
  ...mqttOptions,
} as const;

export type ConfigKey = keyof typeof optionTable;

/** Every option's value. Units stand in the names; a limit that was taken away is Infinity. */
export type OptionValues = { readonly [Key in ConfigKey]: ValueOf<(typeof optionTable)[Key]> };

export interface Config extends OptionValues {
  /** All that are to be opened, those of -port, -tls, -ws and -wss among them. */
  readonly listeners: readonly ListenerConfig[];
}

/** The cluster runs as soon as there is a token, with members or without (the first node). */
export function isClustered(config: Config): config is Config & { tokens: readonly string[] } {
  return config.tokens !== undefined;
}
