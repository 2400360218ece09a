// Takes over what has changed while the node runs: all of the configuration at SIGHUP, the contents of
// its files when they change, and single options and tokens that a request replaces. Logs what has changed.
// One step runs at a time; what is wrong keeps its last good version.

import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { replaceFile } from '../auth/replace-file.ts';
import { changesOf } from '../config/changes.ts';
import type { Config, ConfigKey } from '../config/config.ts';
import { configuredFiles } from '../config/files.ts';
import type { Load, LoadedConfig } from '../config/load.ts';
import { configInForce, flagsNeedingRestart } from '../config/reload.ts';
import type { OptionSet } from '../http/node-api.ts';
import { type ConfigSource, SettingError } from '../node/config-source.ts';
import { FileWatcher } from '../node/file-watcher.ts';
import type { RunningNode } from '../node/node.ts';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { explainError } from './exit-codes.ts';
import { exposureWarnings } from './file-exposure.ts';
import type { LogSink } from './log.ts';
import { prepareSetting, resultOf } from './option-setter.ts';

export interface ReloaderParts {
  readonly loaded: LoadedConfig;
  readonly load: Load;
  readonly log: LogSink;
  /** @throws as fs.readFileSync does */
  readonly readFile: (path: string) => string;
}

/** What is wrong with the configuration, and with the file of the token. */
interface Refused {
  readonly configuration: readonly string[];
  readonly tokens: readonly string[];
}

export class Reloader implements ConfigSource {
  readonly #parts: ReloaderParts;
  #running: RunningNode | undefined;
  readonly #watcher: FileWatcher | undefined;
  /** What is in force. */
  #current: LoadedConfig;
  /** Values of this run alone, by flag. */
  #set: Readonly<Record<string, string>> = {};
  /** Ends with the last step so far; never rejects. */
  #steps: Promise<unknown> = Promise.resolve();
  #isAsked = false;
  #refused: Refused = { configuration: [], tokens: [] };

  /** Make it before the node reads its files, so that no change is missed. */
  constructor(parts: ReloaderParts) {
    this.#parts = parts;
    this.#current = parts.loaded;
    const { config } = parts.loaded;
    if (!config.watchFiles) return;
    const onChange = (): void => this.#afterThat((running) => this.#reloadFiles(running));
    this.#watcher = new FileWatcher(pathsOf(config), { onChange });
  }

  /** The node runs: what was asked for during its start follows now. */
  start(running: RunningNode): void {
    this.#running = running;
    if (this.#isAsked) this.reload();
  }

  /** SIGHUP: reads everything again. */
  reload(): void {
    this.#isAsked = true;
    this.#afterThat((running) => this.#reloadAll(running));
  }

  origins(): LoadedConfig['origins'] {
    return this.#current.origins;
  }

  warnings() {
    const { warnings: configuration } = this.#current;
    return { configuration, exposure: exposureWarnings(this.#current) };
  }

  async set(flag: string, value: string): Promise<OptionSet> {
    const { load, readFile } = this.#parts;
    return this.#then(async (running) => {
      const before = this.#current;
      const setting = await prepareSetting({ flag, value }, before, this.#set, load, readFile);
      this.#set = setting.set;
      const faults = setting.isInForce ? await this.#apply(running, setting.next) : 0;
      return resultOf(setting, before, faults);
    });
  }

  async tokensObstacle(): Promise<string | undefined> {
    const { config, origins } = this.#current;
    const { source, place } = origins.tokens;
    if (config.tokens === undefined) return 'has no cluster token (-csk)';
    if (config.tokenFile === undefined) {
      const where = source === 'file' ? `the file ${place}` : place;
      return `has its token from ${where}, which can't be rewritten: give it a file of its own with -csk-file`;
    }
    try {
      await access(dirname(await realpath(config.tokenFile)), constants.W_OK);
      return undefined;
    } catch (error) {
      return `can't replace ${config.tokenFile}: ${describeSystemError(error, 'write')}`;
    }
  }

  async replaceTokens(tokens: readonly string[]): Promise<void> {
    await this.#then(async (running) => {
      const obstacle = await this.tokensObstacle();
      const { tokenFile } = this.#current.config;
      if (obstacle !== undefined || tokenFile === undefined) throw new SettingError(obstacle ?? '');
      try {
        await replaceFile(tokenFile, tokens.map((token) => `${token}\n`).join(''));
      } catch (error) {
        throw new SettingError(
          `can't replace ${tokenFile}: ${describeSystemError(error, 'write')}`,
        );
      }
      const changed = await this.#logFiles(this.#current.config);
      await running.rekey(this.#readTokens());
      changed.delete(tokenFile);
      if (changed.size > 0) await running.reload(this.#current.config);
    });
  }

  close(): void {
    this.#watcher?.close();
  }

  #afterThat(step: (running: RunningNode) => Promise<void>): void {
    if (this.#running === undefined) return;
    this.#then(step).catch((error: unknown) => this.#logAll(error));
  }

  /** Runs the step when those before it are done. Rejects with SettingError during the start. */
  #then<T>(step: (running: RunningNode) => Promise<T>): Promise<T> {
    const result = this.#steps.then(() => {
      if (this.#running === undefined) throw new SettingError('the node is starting');
      return step(this.#running);
    });
    this.#steps = result.catch(() => undefined);
    return result;
  }

  async #reloadAll(running: RunningNode): Promise<void> {
    const { load, log } = this.#parts;
    const before = this.#current.config;
    try {
      const next = load({ set: this.#set });
      for (const warning of [...next.warnings, ...exposureWarnings(next)]) log.warn(warning);
      const flags = flagsNeedingRestart(before, next.config);
      if (flags.length > 0) log.warn('changed, but needs a restart', { flags: flags.join(' ') });
      const faults = await this.#apply(running, next);
      if (faults === 0) log.info('configuration reloaded');
      else log.warn('configuration reloaded, except for what is wrong', { faults });
      this.#note(running, { configuration: [], tokens: [] });
    } catch (error) {
      const configuration = this.#logAll(error);
      log.error('configuration not reloaded; the last good one stays');
      this.#note(running, { configuration });
    }
  }

  #logAll(error: unknown): readonly string[] {
    const lines = explainError(error);
    for (const line of lines) this.#parts.log.error(line);
    return lines;
  }

  #note(running: RunningNode, refused: Partial<Refused>): void {
    this.#refused = { ...this.#refused, ...refused };
    running.noteConfiguration([...this.#refused.configuration, ...this.#refused.tokens]);
  }

  /** Takes over what may change while the node runs. @returns how many files or listeners are wrong */
  async #apply(running: RunningNode, next: LoadedConfig): Promise<number> {
    const { log } = this.#parts;
    const before = this.#current;
    const config = configInForce(before.config, next.config);
    log.level = config.logLevel;
    for (const change of changesOf(before.config, config))
      log.info('option changed', { ...change });
    await this.#logFiles(config);
    this.#current = { ...next, config, origins: originsInForce(before, next, config) };
    return (await running.reload(config)).length;
  }

  /** The options stay, also where the file with them has changed: that waits for SIGHUP. */
  async #reloadFiles(running: RunningNode): Promise<void> {
    const { log } = this.#parts;
    const changed = await this.#logFiles(this.#current.config);
    try {
      if (changed.has(this.#current.config.tokenFile)) {
        this.#readTokens();
        this.#note(running, { tokens: [] });
      }
    } catch (error) {
      const tokens = this.#logAll(error);
      log.error('cluster token not reloaded; the last good one stays');
      this.#note(running, { tokens });
    }
    const { length: faults } = await running.reload(this.#current.config);
    if (faults === 0) log.info('files reloaded');
    else log.warn('files reloaded, except for what is wrong', { faults });
  }

  /** @throws ConfigError */
  #readTokens(): readonly string[] {
    const { tokens } = this.#parts.load({ set: this.#set }).config;
    this.#current = { ...this.#current, config: { ...this.#current.config, tokens } };
    return tokens ?? [];
  }

  async #logFiles(config: Config): Promise<Set<string | undefined>> {
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

/** What keeps its value until a restart keeps its origin. */
function originsInForce(
  before: LoadedConfig,
  next: LoadedConfig,
  config: Config,
): LoadedConfig['origins'] {
  const keys = Object.keys(next.origins) as ConfigKey[];
  const kept = keys.filter((key) => config[key] !== next.config[key]);
  return { ...next.origins, ...Object.fromEntries(kept.map((key) => [key, before.origins[key]])) };
}
