// An MQTT client for attacks: sends raw packets as fast as the node takes them, reads or does not, and
// never fails when the node refuses it or closes. Knows packets only as bytes.

import { connect, type Socket } from 'node:net';
import * as wire from '../support/wire.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

let names = 0;

export class AttackClient {
  readonly socket: Socket;
  isClosed = false;

  /** @param localAddress loopback address that the connection comes from */
  constructor({ host, port }: Target, localAddress?: string) {
    this.socket = connect({ host, port, noDelay: true, ...(localAddress && { localAddress }) });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('data', () => undefined);
  }

  /** Connects and waits for the first answer, or for the end. */
  static async open(
    target: Target,
    fields: wire.ConnectFields = {},
    localAddress?: string,
  ): Promise<AttackClient> {
    const client = new AttackClient(target, localAddress);
    names += 1;
    client.socket.write(wire.connect({ clientId: `attack-${process.pid}-${names}`, ...fields }));
    await client.answer();
    return client;
  }

  /** Sends a packet and waits for any bytes. */
  async ask(packet: Buffer): Promise<void> {
    this.socket.write(packet);
    await this.answer();
  }

  answer(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.socket.off('data', done);
        this.socket.off('close', done);
        resolve();
      };
      if (this.isClosed) resolve();
      this.socket.on('data', done);
      this.socket.on('close', done);
    });
  }

  /** From now on the client reads nothing. */
  stopReading(): void {
    this.socket.pause();
  }

  /** Sends the bytes again and again, as fast as the node takes them. */
  flood(next: () => Buffer): void {
    if (this.isClosed) return;
    let isReady = true;
    for (let i = 0; i < 8 && isReady; i++) isReady = this.socket.write(next());
    if (isReady) setImmediate(() => this.flood(next));
    else this.socket.once('drain', () => this.flood(next));
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Opens clients, some at a time, so that the accept queue does not overflow. */
export async function openMany(
  count: number,
  open: (index: number) => Promise<AttackClient>,
): Promise<AttackClient[]> {
  const clients: AttackClient[] = [];
  const AT_ONCE = 50;
  for (let i = 0; i < count; i += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, k) => open(i + k));
    clients.push(...(await Promise.all(some)));
  }
  return clients;
}
