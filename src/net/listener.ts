// Listens for MQTT clients on TCP and gives each connection to the broker.

import { createServer, type Server } from 'node:net';
import type { Broker } from '../broker/broker.ts';
import type { ListenerRules } from '../broker/ports.ts';
import { type Endpoint, plainAddress } from '../shared/endpoint.ts';
import { Connection } from './connection.ts';

export interface ListenerOptions {
  /** IP literal; undefined = every address of the machine, IPv4 and IPv6. */
  readonly bind?: string | undefined;
  /** 0 = any free port. */
  readonly port: number;
  /** Sockets open at once, CONNECT or not. */
  readonly connectionsMax: number;
  readonly rules: ListenerRules;
}

export class Listener {
  readonly local: Endpoint;
  readonly #server: Server;

  private constructor(server: Server, local: Endpoint) {
    this.#server = server;
    this.local = local;
  }

  /** Rejects with the system's error where the address can't be had. */
  static open(options: ListenerOptions, broker: Broker): Promise<Listener> {
    const server = createServer({ noDelay: true }, (socket) => {
      new Connection(socket, broker, options.rules);
    });
    server.maxConnections = options.connectionsMax;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.bind, port: options.port, backlog: 4096 }, () => {
        server.off('error', reject);
        // A later error, out of file descriptors say, concerns one connection that was not made.
        server.on('error', (error) => broker.log.warn('listener', { error: error.message }));
        const address = server.address();
        if (address === null || typeof address === 'string') throw new Error('not a TCP server');
        resolve(
          new Listener(server, { address: plainAddress(address.address), port: address.port }),
        );
      });
    });
  }

  /** Takes no more connections; those that are open go on. */
  close(): void {
    this.#server.close();
  }
}
