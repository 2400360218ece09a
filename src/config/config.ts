// The whole option table and the Config that it produces. The rows are in options-*.ts, one file a
// subject; this file joins them. Must not know where a value comes from (load.ts does).

import { isLoopback } from '../shared/endpoint.ts';
import type { ListenerConfig } from '../shared/listener-config.ts';
import type { BridgeConfig } from './bridges.ts';
import type { ValueOf } from './option.ts';
import { accessOptions } from './options-access.ts';
import { clusterOptions } from './options-cluster.ts';
import { guardOptions } from './options-guards.ts';
import { httpOptions } from './options-http.ts';
import { listenerOptions } from './options-listeners.ts';
import { mqttOptions } from './options-mqtt.ts';
import { nodeOptions } from './options-node.ts';

export const optionTable = {
  ...nodeOptions,
  ...listenerOptions,
  ...clusterOptions,
  ...accessOptions,
  ...mqttOptions,
  ...guardOptions,
  ...httpOptions,
} as const;

export type ConfigKey = keyof typeof optionTable;

/** The value of every option. Names carry the unit; a limit that is switched off is Infinity. */
export type OptionValues = { readonly [Key in ConfigKey]: ValueOf<(typeof optionTable)[Key]> };

export interface Config extends OptionValues {
  /** Every listener to open: those of -port, -tls, -ws and -wss, then each [[listener]]. */
  readonly listeners: readonly ListenerConfig[];
  /** Every [[bridge]]. */
  readonly bridges: readonly BridgeConfig[];
}

/** A token alone forms a cluster: the first node has no members to name. */
export function isClustered(config: Config): config is Config & { tokens: readonly string[] } {
  return config.tokens !== undefined;
}

/** Whether the node looks for others by beacons. On loopback there are none. */
export function usesBeacon(config: Config): boolean {
  const { beacon, members } = config;
  return mayUseBeacon(config) && (beacon === 'on' || members.length === 0);
}

/** Whether a node that finds no other one may call on its networks. */
export function mayUseBeacon({ beacon, bindAddress }: Config): boolean {
  return beacon !== 'off' && !(bindAddress !== undefined && isLoopback(bindAddress));
}
