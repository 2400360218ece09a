// Where a new box gets the token: TLS 1.3 with a pre-shared key from the secret of the invitation and a new
// key exchange for each connection, so that a recording stays closed when the line is found later. The
// inviting side opens a TCP port while invitations are open, and the joining side connects once.
// Invariants: an invitation serves one box, within its time; nothing throws; a connection lasts for six seconds at
// most, and door-guard.ts admits few at a time.

import { createHash, randomBytes } from 'node:crypto';
import { createServer as createTcpServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, createServer, type TLSSocket } from 'node:tls';
import {
  INVITATION_SECRET_BYTES,
  type Invitation,
  parseInvitation,
} from '../../discovery/invitation.ts';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { type Endpoint, formatEndpoint, plainAddress } from '../../shared/endpoint.ts';
import { expand } from '../../shared/key-ring.ts';
import { DoorGuard, type DoorGuardPort } from './door-guard.ts';

export { parseInvitation };

/** What the new box needs, as JSON. */
export interface Welcome {
  readonly token: string;
  readonly cluster: string;
  readonly encrypt: boolean;
  /** Gossip addresses, as for -mbs; the inviting node first. */
  readonly members: readonly string[];
  /** What the new box must set as the others do: values of its configuration file, by name. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface DoorOptions extends DoorGuardPort {
  /** IP literal; undefined = every address of the machine. */
  readonly bind: string | undefined;
  /** Where the port is taken, any free one serves. */
  readonly port: number;
  /** @param address of this node as the new box reaches it */
  welcome(address: string): Welcome;
  /** A box has used its invitation. */
  onJoined(address: string): void;
  onRefused(address: string | undefined, reason: string): void;
}

export const INVITATION_MS = 10 * 60_000;
export const INVITATIONS_MAX = 8;
const EXCHANGE_MS = 5000;
/** After the handshake a box has this time to read its welcome. */
const READING_MS = 1000;
const SLOW = `it did not show an invitation within ${EXCHANGE_MS / 1000} s`;
/** A node that is flooded closes connections before it has seen their key. */
const TRIES_MAX = 10;
const TRY_AGAIN_MS = 300;
const WELCOME_BYTES_MAX = 64 * 1024;
const TLS = {
  // As for -large: the only version whose keys are both pre-shared and new for each connection.
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
} as const;

export class InvitationDoor {
  readonly #options: DoorOptions;
  readonly #guard: DoorGuard;
  /** Boxes that have joined; connections that had no valid invitation, or did not show one in time. */
  readonly #counters = { joined: 0, invalid: 0, slow: 0 };
  /** By TLS identity, the oldest first. */
  readonly #open = new Map<string, { readonly key: Buffer; readonly timer: NodeJS.Timeout }>();
  #server: Server | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#guard = new DoorGuard(options);
  }

  /**
   * Opens the door for one box and INVITATION_MS; the oldest of too many invitations ends.
   * @returns secret and port of the line. Rejects if no port can be opened.
   */
  async invite(): Promise<{ readonly secret: Buffer; readonly port: number }> {
    this.#server ??= await this.#listen();
    const secret = randomBytes(INVITATION_SECRET_BYTES);
    const { identity, key } = keyOf(secret);
    const oldest = this.#open.keys().next().value;
    if (this.#open.size >= INVITATIONS_MAX && oldest !== undefined) this.#end(oldest);
    const timer = setTimeout(() => this.#end(identity), INVITATION_MS);
    timer.unref();
    this.#open.set(identity, { key, timer });
    const address = this.#server.address();
    return { secret, port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
  }

  metrics(): ValuesOf<'invitations'> {
    const { joined, invalid, slow } = this.#counters;
    const reasons = Object.entries({ invalid, slow, ...this.#guard.counters });
    const refusals = reasons.map(([reason, value]) => ({ labels: { reason }, value }));
    return { open: this.#open.size, joined, refused: refusals };
  }

  /** Ends all invitations. May be called twice. */
  close(): void {
    for (const identity of [...this.#open.keys()]) this.#end(identity);
    this.#shut();
  }

  #end(identity: string): void {
    clearTimeout(this.#open.get(identity)?.timer);
    this.#open.delete(identity);
    if (this.#open.size > 0) return;
    this.#shut();
  }

  #shut(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#guard.end();
  }

  async #listen(): Promise<Server> {
    const { bind, port } = this.#options;
    const secured = createServer({
      ...TLS,
      handshakeTimeout: EXCHANGE_MS,
      pskCallback: (socket, identity) => {
        identities.set(socket, identity);
        return this.#open.get(identity)?.key ?? null;
      },
    });
    const identities = new WeakMap<TLSSocket, string>();
    secured.on('secureConnection', (socket) => this.#serve(socket, identities.get(socket) ?? ''));
    secured.on('tlsClientError', (error, socket) => {
      const isSlow = (error as NodeJS.ErrnoException).code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
      const reason = isSlow ? SLOW : describeSystemError(error, 'network');
      this.#refuse(socket.remoteAddress, isSlow ? 'slow' : 'invalid', reason);
      socket.destroy();
    });
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      const timer = setTimeout(() => socket.destroy(), EXCHANGE_MS + READING_MS).unref();
      socket.once('close', () => clearTimeout(timer));
      if (this.#guard.admit(socket)) secured.emit('connection', socket);
    });
    await listenOn(server, bind, port).catch(() => listenOn(server, bind, 0));
    server.unref();
    return server;
  }

  #serve(socket: TLSSocket, identity: string): void {
    socket.on('error', () => undefined);
    // Another connection may have used it since its handshake began.
    if (!this.#open.has(identity)) {
      this.#refuse(socket.remoteAddress, 'invalid', 'the invitation was used before, or is over');
      socket.destroy();
      return;
    }
    const welcome = this.#options.welcome(plainAddress(socket.localAddress ?? ''));
    socket.end(JSON.stringify(welcome));
    this.#counters.joined += 1;
    this.#options.onJoined(plainAddress(socket.remoteAddress ?? ''));
    this.#end(identity);
  }

  #refuse(address: string | undefined, kind: 'invalid' | 'slow', reason: string): void {
    this.#counters[kind] += 1;
    this.#options.onRefused(address, reason);
  }
}

/** Node's code, by the release of OpenSSL, where the door does not know the secret, or no more. */
const UNKNOWN_IDENTITY = /_ALERT_(HANDSHAKE_FAILURE|UNKNOWN_PSK_IDENTITY)$/;

/** The invitation was used already, or its time is over. */
export class InvitationOverError extends Error {
  override readonly name = 'InvitationOverError';

  constructor() {
    super('this invitation was used already, or has expired');
  }
}

/**
 * Uses an invitation, by whichever of its addresses answers first.
 * Rejects with InvitationOverError, or with a sentence if none answers.
 */
export async function useInvitation({ secret, endpoints }: Invitation): Promise<Welcome> {
  for (let tries = 1; ; tries++) {
    const faults: string[] = [];
    let isCrowded = false;
    let isOver = false;
    for (const endpoint of endpoints) {
      try {
        return await fetchWelcome(secret, endpoint);
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException;
        isCrowded ||= code === 'ECONNRESET';
        isOver ||= error instanceof InvitationOverError || UNKNOWN_IDENTITY.test(code);
        faults.push(`${formatEndpoint(endpoint)}: ${describeSystemError(error, 'network')}`);
      }
    }
    if (isOver) throw new InvitationOverError();
    if (!isCrowded || tries === TRIES_MAX) throw new Error(faults.join('; '));
    await delay(TRY_AGAIN_MS);
  }
}

function fetchWelcome(secret: Buffer, { address: host, port }: Endpoint): Promise<Welcome> {
  const { identity, key } = keyOf(secret);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const socket = connect({
      ...TLS,
      host,
      port,
      pskCallback: () => ({ identity, psk: key }),
      // Both sides prove that they have the secret; there are no certificates.
      checkServerIdentity: () => undefined,
    });
    socket.setTimeout(EXCHANGE_MS, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > WELCOME_BYTES_MAX) socket.destroy(new Error('the answer is too long'));
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const welcome = parseWelcome(Buffer.concat(chunks).toString());
      if (welcome === undefined) reject(new InvitationOverError());
      else resolve(welcome);
    });
  });
}

function parseWelcome(text: string): Welcome | undefined {
  try {
    // Nodes of the release before send no options.
    const { token, cluster, encrypt, members, options = {} } = JSON.parse(text) as Partial<Welcome>;
    const isWhole =
      typeof token === 'string' &&
      typeof cluster === 'string' &&
      typeof encrypt === 'boolean' &&
      Array.isArray(members) &&
      members.every((member) => typeof member === 'string') &&
      typeof options === 'object';
    return isWhole ? { token, cluster, encrypt, members, options } : undefined;
  } catch {
    return undefined;
  }
}

function keyOf(secret: Buffer): { readonly identity: string; readonly key: Buffer } {
  const identity = createHash('sha256').update('shoal invitation').update(secret).digest('hex');
  return { identity: identity.slice(0, 32), key: expand(secret, 'invitation/psk', 32) };
}

function listenOn(server: Server, host: string | undefined, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, ipv6Only: false }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
