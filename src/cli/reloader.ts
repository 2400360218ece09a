// Takes over what has changed while the node runs: all of the configuration at SIGHUP, and the contents of
// its files when they change. Logs what has changed. One reload runs at a time; what is wrong keeps its
// last good version.

import { changesOf } from '../config/changes.ts';
import type { Config } from '../config/config.ts';
import { configuredFiles } from '../config/files.ts';
import type { LoadedConfig } from '../config/load.ts';
import { flagsNeedingRestart } from '../config/reload.ts';
import { FileWatcher } from '../node/file-watcher.ts';
import type { RunningNode } from '../node/node.ts';
import { explainError } from './exit-codes.ts';
import { exposureWarnings } from './file-exposure.ts';
import type { LogSink } from './log.ts';

export interface ReloaderParts {
  readonly config: Config;
  /** Reads all sources again; throws ConfigError. */
  readonly load: () => LoadedConfig;
  readonly log: LogSink;
}

export class Reloader {
  readonly #parts: ReloaderParts;
  #running: RunningNode | undefined;
  readonly #watcher: FileWatcher | undefined;
  /** The configuration in force once all reloads so far are done. */
  #current: Promise<Config>;
  #isAsked = false;

  /** Make it before the node reads its files, so that no change is missed. */
  constructor(parts: ReloaderParts) {
    this.#parts = parts;
    this.#current = Promise.resolve(parts.config);
    if (!parts.config.watchFiles) return;
    const onChange = (): void =>
      this.#then((running, before) => this.#reloadFiles(running, before));
    this.#watcher = new FileWatcher(pathsOf(parts.config), { onChange });
  }

  /** The node runs: what was asked for during its start follows now. */
  start(running: RunningNode): void {
    this.#running = running;
    if (this.#isAsked) this.reload();
  }

  /** SIGHUP: reads everything again. */
  reload(): void {
    this.#isAsked = true;
    this.#then((running, before) => this.#reloadAll(running, before));
  }

  close(): void {
    this.#watcher?.close();
  }

  #then(step: (running: RunningNode, before: Config) => Promise<Config>): void {
    const running = this.#running;
    if (running !== undefined)
      this.#current = this.#current.then((before) => step(running, before));
  }

  async #reloadAll(running: RunningNode, before: Config): Promise<Config> {
    const { load, log } = this.#parts;
    try {
      const loaded = load();
      const { config, warnings } = loaded;
      for (const warning of [...warnings, ...exposureWarnings(loaded)]) log.warn(warning);
      const flags = flagsNeedingRestart(before, config);
      if (flags.length > 0) log.warn('changed, but needs a restart', { flags: flags.join(' ') });
      log.level = config.logLevel;
      for (const change of changesOf(before, config)) log.info('option changed', { ...change });
      await this.#logFiles(config);
      const faults = await running.reload(config);
      if (faults === 0) log.info('configuration reloaded');
      else log.warn('configuration reloaded, except for what is wrong', { faults });
      return config;
    } catch (error) {
      for (const line of explainError(error)) log.error(line);
      log.error('configuration not reloaded; the last good one stays');
      return before;
    }
  }

  /** The options stay, also where the file with them has changed: that waits for SIGHUP. */
  async #reloadFiles(running: RunningNode, before: Config): Promise<Config> {
    const { load, log } = this.#parts;
    const changed = await this.#logFiles(before);
    let config = before;
    try {
      if (changed.has(before.tokenFile)) config = { ...before, tokens: load().config.tokens };
    } catch (error) {
      for (const line of explainError(error)) log.error(line);
      log.error('cluster token not reloaded; the last good one stays');
    }
    const faults = await running.reload(config);
    if (faults === 0) log.info('files reloaded');
    else log.warn('files reloaded, except for what is wrong', { faults });
    return config;
  }

  async #logFiles(config: Config): Promise<ReadonlySet<string | undefined>> {
    const changed = new Set(await this.#watcher?.take(pathsOf(config)));
    for (const { option, path } of configuredFiles(config)) {
      if (changed.has(path)) this.#parts.log.info('file changed', { option, file: path });
    }
    return changed;
  }
}

function pathsOf(config: Config): string[] {
  return configuredFiles(config).map(({ path }) => path);
}
