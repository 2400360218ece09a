// Before the start: checks that every file in use is readable, and reports all that are not, each
// with the flag or the line that names it. Only the start needs this; on SIGHUP the owner of a file
// reports it and keeps the last good version. Opens nothing: a name may be a pipe, readable once.

import { accessSync, constants } from 'node:fs';
import { bridgeSettings, settingsOf } from '../config/listener-settings.ts';
import { ConfigError, type LoadedConfig, unreadable } from '../config/load.ts';

/** @throws ConfigError */
export function refuseMissingFiles(loaded: LoadedConfig): void {
  const { config } = loaded;
  const settings = [
    ...config.listeners.flatMap((listener) => settingsOf(loaded, listener)),
    ...loaded.bridgeTables.flatMap(bridgeSettings),
  ];
  const named = settings.flatMap(({ row: { flag, type }, value, origin }) =>
    type.inFolder === undefined || value === undefined
      ? []
      : [value].flat().map((path) => ({ flag, path: String(path), origin })),
  );
  const faults = named.flatMap(({ flag, path, origin }) => {
    try {
      accessSync(path, constants.R_OK);
      return [];
    } catch (error) {
      return [unreadable(flag, path, origin, error)];
    }
  });
  if (faults.length > 0) throw new ConfigError([...new Set(faults)]);
}
