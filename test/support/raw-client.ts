// A client that sends and collects raw bytes, for tests of the layers below MQTT. Every wait has a
// limit.

import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

const WAIT_MS_MAX = 60_000;

export class RawClient {
  readonly stream: Duplex;
  received: Buffer = Buffer.alloc(0);
  closed = false;
  readonly #watchers = new Set<() => void>();

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#look();
    });
    // 'close' follows.
    stream.on('error', () => undefined);
    stream.on('close', () => {
      this.closed = true;
      this.#look();
    });
  }

  static tcp(port: number, ...chunks: (Buffer | string)[]): RawClient {
    const client = new RawClient(connect({ port, host: '127.0.0.1', noDelay: true }));
    for (const chunk of chunks) client.stream.write(chunk);
    return client;
  }

  async bytes(count: number): Promise<Buffer> {
    await this.#until(() => this.received.length >= count, `${count} bytes`);
    return this.received;
  }

  ended(): Promise<void> {
    return this.#until(() => this.closed, 'the end');
  }

  destroy(): void {
    this.stream.destroy();
  }

  #until(holds: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const giveUp = (): void => {
        stop();
        reject(
          new Error(`no ${what} within the limit; received: ${this.received.toString('latin1')}`),
        );
      };
      const look = (): void => {
        if (holds()) {
          stop();
          resolve();
        } else if (this.closed) giveUp();
      };
      const timer = setTimeout(giveUp, WAIT_MS_MAX);
      this.#watchers.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#watchers]) look();
  }
}
