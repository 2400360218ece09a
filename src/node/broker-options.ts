// The broker's own part of the configuration, so that it never sees a token or a file name.

import type { BrokerOptions } from '../broker/options.ts';
import type { Config } from '../config/config.ts';
import { mqttOptions } from '../config/options-mqtt.ts';
import { version } from '../shared/version.ts';

export function brokerOptions(config: Config): Partial<BrokerOptions> {
  const keys = Object.keys(mqttOptions) as (keyof typeof mqttOptions)[];
  return { ...Object.fromEntries(keys.map((key) => [key, config[key]])), version };
}
