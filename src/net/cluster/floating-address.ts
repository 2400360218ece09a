// One address for all clients: puts it on an interface of this machine, keeps it there while this node is
// the one that holds it, and announces it to the network. Decides nothing: the caller says who holds it.
//
// The address has a lifetime of some seconds, which this node renews: when the process dies in any way, the
// kernel drops the address before another node takes it. Invariants: an address that was here before, and
// without such a lifetime, is never touched; nothing throws; the last order counts.

import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { performance } from 'node:perf_hooks';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { addressToBytes, bytesToAddress, isSameNetwork } from '../../shared/ip-address.ts';
import type { Logger } from '../../shared/logger.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { secureRandom } from '../../shared/random.ts';
import { listLinks } from './links.ts';

export interface FloatingAddressOptions {
  /** IPv4 literal. */
  readonly address: string;
  readonly prefixBits: number;
  /** A program that takes and releases the address in place of `ip`. */
  readonly hook: string | undefined;
  readonly log: Logger;
  /** This node can't take it: another one should. */
  onFailed(): void;
}

const RENEW_MS = 1000;
/** The kernel counts whole seconds. About the time after which a dead node is offline. */
const LIFETIME_SECONDS = 4;
const PROGRAM_MS_MAX = 3000;
/** After taking it, with each renewal: a switch or a client may miss one. */
const ANNOUNCEMENTS = 5;
/** To addresses that probably no cache has: the kernel then asks for them, and names ours as the sender. */
const QUESTIONS = 4;
const DISCARD_PORT = 9;
/** What the kernel calls an address without an end. */
const FOREVER_SECONDS = 0xffffffff;

export class FloatingAddress {
  readonly #options: FloatingAddressOptions;
  readonly #faults = new OngoingFaults();
  readonly #text: string;
  #isWanted = false;
  #isHeld = false;
  #announcements = 0;
  #timer: NodeJS.Timeout | undefined;
  /** One program at a time, in order. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: FloatingAddressOptions) {
    this.#options = options;
    this.#text = `${options.address}/${options.prefixBits}`;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Takes the address, or releases it. */
  hold(isHere: boolean): void {
    if (isHere === this.#isWanted) return;
    this.#isWanted = isHere;
    this.#announcements = ANNOUNCEMENTS;
    this.#settle();
  }

  /** Releases it. May be called twice. */
  async close(): Promise<void> {
    this.hold(false);
    clearTimeout(this.#timer);
    await this.#work;
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#work = this.#work.then(() => this.#apply()).catch((error) => this.#failed(error));
    if (!this.#isWanted) return;
    this.#timer = setTimeout(() => this.#settle(), RENEW_MS);
    this.#timer.unref();
  }

  async #apply(): Promise<void> {
    const { address, hook, log } = this.#options;
    if (this.#isWanted === this.#isHeld && (hook !== undefined || !this.#isHeld)) return;
    if (!this.#isWanted) {
      this.#isHeld = false;
      log.info('this node no longer holds the address of the clients', { address });
      await (hook === undefined ? this.#remove() : run(hook, ['release', this.#text]));
      return;
    }
    await (hook === undefined ? this.#add() : run(hook, ['take', this.#text]));
    if (this.#faults.resolve(address, performance.now()) !== undefined || !this.#isHeld) {
      log.info('this node holds the address of the clients', { address });
    }
    this.#isHeld = true;
    if (hook !== undefined || this.#announcements === 0) return;
    this.#announcements -= 1;
    announce(address, this.#options.prefixBits);
  }

  async #add(): Promise<void> {
    const seconds = `${LIFETIME_SECONDS}`;
    const name = await this.#interface();
    const lifetime = ['valid_lft', seconds, 'preferred_lft', seconds];
    await run('ip', ['address', 'replace', this.#text, 'dev', name, ...lifetime]);
  }

  async #remove(): Promise<void> {
    const name = await this.#interface();
    await run('ip', ['address', 'delete', this.#text, 'dev', name]);
  }

  /** That of the network which the address belongs to. @throws if there is none, or it is the box's own */
  async #interface(): Promise<string> {
    const { address, prefixBits } = this.#options;
    const shown = await run('ip', ['-json', 'address', 'show', 'to', `${address}/32`]);
    const [found] = lifetimesIn(shown, address);
    if (found?.seconds === FOREVER_SECONDS) {
      throw new Error(`it is an address of this box itself, on ${found.name}; choose a free one`);
    }
    const link = listLinks(undefined).find(
      (one) => one.address !== address && isSameNetwork(one.address, address, prefixBits),
    );
    const name = found?.name ?? link?.interfaceName;
    if (name === undefined) throw new Error('this box has no address on its network');
    return name;
  }

  #failed(error: unknown): void {
    const { address, log, onFailed, hook } = this.#options;
    // The lifetime of what is left ends by itself.
    this.#isHeld = false;
    if (!this.#isWanted) return;
    if (this.#faults.report(address, performance.now())) {
      const reason = describeSystemError(error, 'read').trim();
      const hint =
        hook === undefined
          ? 'it needs Linux, ip and CAP_NET_ADMIN (root, or AmbientCapabilities= in the unit); else -address-hook'
          : 'see what -address-hook does';
      log.warn('the address of the clients can not be taken', { address, reason, hint });
    }
    this.hold(false);
    onFailed();
  }
}

interface Lifetime {
  readonly name: string;
  readonly seconds: number;
}

/** @param json of `ip -json address show`; some versions print nothing, or empty objects for other addresses */
function lifetimesIn(json: string, address: string): Lifetime[] {
  if (json.trim() === '') return [];
  const interfaces = JSON.parse(json) as {
    readonly ifname?: string;
    readonly addr_info?: readonly {
      readonly local?: string;
      readonly valid_life_time?: number;
    }[];
  }[];
  return interfaces.flatMap(({ ifname, addr_info = [] }) =>
    addr_info
      .filter(({ local }) => local === address)
      .map(({ valid_life_time }) => ({
        name: ifname ?? '',
        seconds: valid_life_time ?? FOREVER_SECONDS,
      })),
  );
}

/**
 * Node has no raw sockets for a gratuitous ARP. A datagram to a neighbour whose hardware address is unknown
 * does the same: the kernel asks the whole network for it, with our new address as the sender, and everyone
 * who knows that address notes where it is now (RFC 826). No answer is needed.
 */
function announce(address: string, prefixBits: number): void {
  const socket = dgram.createSocket('udp4');
  socket.on('error', () => socket.close());
  socket.bind({ address, port: 0, exclusive: true }, () => {
    let waiting = QUESTIONS;
    for (let count = 0; count < QUESTIONS; count++) {
      const to = randomNeighbour(address, prefixBits);
      socket.send(Buffer.alloc(1), DISCARD_PORT, to, () => {
        waiting -= 1;
        if (waiting === 0) socket.close();
      });
    }
  });
}

function randomNeighbour(address: string, prefixBits: number): string {
  const bytes = Buffer.from(addressToBytes(address) ?? Buffer.alloc(4));
  const hosts = 2 ** (32 - prefixBits);
  const network = Math.floor(bytes.readUInt32BE() / hosts) * hosts;
  bytes.writeUInt32BE(network + 1 + Math.floor(secureRandom() * (hosts - 2)));
  return bytesToAddress(bytes);
}

/** Rejects with what the program says. */
function run(program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { timeout: PROGRAM_MS_MAX }, (error, output, complaint) => {
      if (error === null) resolve(output);
      else reject(complaint.trim() === '' ? error : new Error(complaint.trim()));
    });
  });
}
