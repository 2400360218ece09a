// What the hooked authorizer keeps of each admitted client: the grant of the node's own authorizer, the
// client as the program knows it, and the decisions of hooks that wait for their packet.

import { formatVersion } from '../broker/log-fields.ts';
import type { ConnectRequest, Identity } from '../broker/ports.ts';
import type * as api from './api.ts';

/** The program sees one object for each connection, and may keep it as a key. */
export class ProgramClient implements api.Client {
  id: string;
  username: string | undefined;
  readonly address: string;
  readonly port: number | undefined;
  readonly listener: string;
  readonly version: api.Client['version'];

  constructor(request: ConnectRequest) {
    this.id = request.clientId;
    this.username = request.username;
    this.address = request.remoteAddress;
    this.port = request.remotePort;
    this.listener = request.listener.name;
    this.version = formatVersion(request.version ?? 5) as api.Client['version'];
  }
}

export class HookGrant {
  readonly client: ProgramClient;
  /** The answer of authorizePublish for the PUBLISH at hand. */
  publish: { readonly topic: string; readonly isAllowed: boolean } | undefined;
  /** The answers of authorizeSubscribe for the last SUBSCRIBE, by filter. */
  filters: ReadonlyMap<string, boolean> = new Map();
  readonly #own: unknown;
  /** The identity with the node's own grant, and the one that it was made of. */
  #identity: Identity | undefined;
  #source: Identity | undefined;

  /** @param own the grant of the node's own authorizer */
  constructor(client: ProgramClient, own: unknown) {
    this.client = client;
    this.#own = own;
  }

  /** The identity as the node's own authorizer knows it. */
  ownIdentity(identity: Identity): Identity {
    if (this.#identity === undefined || this.#source !== identity) {
      this.#source = identity;
      this.#identity = { ...identity, grant: this.#own };
    }
    return this.#identity;
  }
}
