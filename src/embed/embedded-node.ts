// A node as a program sees it: the broker, and what a node has besides. Closes itself where the command
// line would exit.

import type { Config } from '../config/config.ts';
import { configuredFiles } from '../config/files.ts';
import { FileWatcher } from '../node/file-watcher.ts';
import type { EmbeddableNode } from '../node/node.ts';
import type * as api from './api.ts';
import { EmbeddedBroker } from './embedded-broker.ts';
import { ShoalError, shoalErrorOf } from './errors.ts';
import type { ProgramParts } from './program-options.ts';

export interface EmbeddedNodeParts {
  readonly running: EmbeddableNode;
  readonly program: ProgramParts;
  readonly config: Config;
  /** Reads the options and their files again. @throws ConfigError */
  readonly read: () => Config;
}

export class EmbeddedNode extends EmbeddedBroker implements api.ShoalNode {
  readonly listeners: readonly api.Listener[];
  readonly http: api.Endpoint | undefined;
  readonly gossip: api.Endpoint | undefined;
  readonly sync: api.Endpoint | undefined;
  readonly ended: Promise<ShoalError | undefined>;
  readonly #parts: EmbeddedNodeParts;
  readonly #watcher: FileWatcher | undefined;
  #config: Config;
  /** One reload runs at a time. */
  #reloads: Promise<unknown> = Promise.resolve();
  #failure: ShoalError | undefined;
  #resolveEnded: (failure: ShoalError | undefined) => void = () => undefined;

  constructor(parts: EmbeddedNodeParts) {
    const { running, program, config } = parts;
    super({
      broker: running.broker,
      program,
      findListener: (name = this.#config.listeners[0]?.id) => {
        const found = this.#config.listeners.find(({ id }) => id === name);
        return found && listenerRules(found);
      },
      close: () => this.#closeAll(),
    });
    this.#parts = parts;
    this.#config = config;
    this.listeners = running.listeners.map(({ protocol, local }) => ({ protocol, ...local }));
    this.http = running.http;
    this.gossip = running.gossip;
    this.sync = running.sync;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    void running.failed?.then((error) => {
      this.#failure = shoalErrorOf(error);
      return this.close();
    });
    void running.stopAsked?.then(() => this.close());
    if (!config.watchFiles) return;
    const onChange = (): void => this.#reloadLogged();
    this.#watcher = new FileWatcher(pathsOf(config), { onChange });
  }

  status(): string {
    return this.#parts.running.sentence();
  }

  reload(): Promise<void> {
    const done = this.#reloads.then(() => this.#reload());
    this.#reloads = done.catch(() => undefined);
    return done;
  }

  async #reload(): Promise<void> {
    try {
      const config = this.#parts.read();
      await this.#watcher?.take(pathsOf(config));
      const faults = await this.#parts.running.reload(config);
      this.#config = config;
      if (faults.length === 0) return;
    } catch (error) {
      throw shoalErrorOf(error);
    }
    throw new ShoalError('INVALID_OPTIONS', 'a file or a listener is wrong; the log names it');
  }

  /** Of a change that no call has asked for. */
  #reloadLogged(): void {
    const { log } = this.#parts.program;
    this.reload().then(
      () => log.info('files reloaded'),
      (error: ShoalError) =>
        log.warn('files reloaded, except for what is wrong', { reason: error.message }),
    );
  }

  async #closeAll(): Promise<void> {
    this.#watcher?.close();
    await this.#parts.running.stop();
    this.#resolveEnded(this.#failure);
  }
}

function listenerRules({ id, packetBytesMax, maximumQos }: Config['listeners'][number]) {
  return { name: id, packetBytesMax, maximumQos };
}

function pathsOf(config: Config): string[] {
  return configuredFiles(config).map(({ path }) => path);
}
