// Puts an address with a lifetime onto an interface of this machine with the program `ip`, removes it, and
// announces it to the network. Decides nothing. Invariant: an address that was here before, and without
// such a lifetime, is never touched.
//
// IPv6 differs in three ways. Duplicate Address Detection would keep the address unusable for one to two seconds,
// and fail while the kernel of a killed node still has it: it is off for this address, as in keepalived. The
// address is deprecated from the start, so that this machine never sends from it by itself. And it brings no
// route of its own: with the short lifetime that route would replace a longer one.

import dgram from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { addressToBytes, bytesToAddress, isSameNetwork } from '../../shared/ip-address.ts';
import { secureRandom } from '../../shared/random.ts';
import { otherHost } from './address-probe.ts';
import { listLinks } from './links.ts';
import { run } from './program.ts';

/** To addresses that probably no cache has: the kernel then asks for them, and names ours as the sender. */
const QUESTIONS = 4;
const DISCARD_PORT = 9;
/** What the kernel calls an address without an end. */
const FOREVER_SECONDS = 0xffffffff;

/** Linux sends an unsolicited neighbour advertisement (RFC 4861 7.2.6) for an address that is new and ready at once. */
const IPV6_SETTINGS = [
  ['ndisc_notify', '1'],
  ['accept_dad', '0'],
] as const;

export class InterfaceAddress {
  readonly #address: string;
  readonly #prefixBits: number;
  readonly #isIpv6: boolean;

  /** @param address literal, in its normal form */
  constructor(address: string, prefixBits: number) {
    this.#address = address;
    this.#prefixBits = prefixBits;
    this.#isIpv6 = address.includes(':');
  }

  /**
   * Adds the address, or renews its lifetime.
   * @param isAnnounced announces to all neighbours where the address is now
   * @returns false where the system lets this process announce nothing
   */
  async put(seconds: number, isAnnounced: boolean): Promise<boolean> {
    const name = await this.#interface();
    const words = ['address', 'replace', this.#text, 'dev', name, 'valid_lft', `${seconds}`];
    if (!this.#isIpv6) {
      await run('ip', [...words, 'preferred_lft', `${seconds}`]);
      if (isAnnounced) this.#ask();
      return true;
    }
    const all = [...words, 'preferred_lft', '0', 'noprefixroute'];
    if (!isAnnounced) {
      await run('ip', [...all, 'nodad']);
      return true;
    }
    // Only a new address is announced.
    await this.#delete(name).catch(() => undefined);
    const before = changeSettings(name);
    try {
      await run('ip', before === undefined ? [...all, 'nodad'] : all);
    } finally {
      before?.restore();
    }
    return before !== undefined;
  }

  async remove(): Promise<void> {
    await this.#delete(await this.#interface());
  }

  /** @returns the hardware address of another host that has the address, which is here; undefined for IPv6 */
  async otherHost(): Promise<string | undefined> {
    return this.#isIpv6 ? undefined : otherHost(this.#address, await this.#interface());
  }

  get #text(): string {
    return `${this.#address}/${this.#prefixBits}`;
  }

  async #delete(name: string): Promise<void> {
    await run('ip', ['address', 'delete', this.#text, 'dev', name]);
  }

  /** That of the network which the address belongs to. @throws if there is none, or it is the box's own */
  async #interface(): Promise<string> {
    const address = this.#address;
    const bits = this.#isIpv6 ? 128 : 32;
    const shown = await run('ip', ['-json', 'address', 'show', 'to', `${address}/${bits}`]);
    const [found] = lifetimesIn(shown, address);
    if (found?.seconds === FOREVER_SECONDS) {
      throw new Error(`it is an address of this box itself, on ${found.name}; choose a free one`);
    }
    const link = listLinks(undefined).find(
      (one) => one.address !== address && isSameNetwork(one.address, address, this.#prefixBits),
    );
    const name = found?.name ?? link?.interfaceName;
    if (name === undefined) throw new Error('this box has no address on its network');
    return name;
  }

  /**
   * Node has no raw sockets for a gratuitous ARP. A datagram to a neighbour whose hardware address is unknown
   * does the same: the kernel asks the whole network for it, with our new address as the sender, and everyone
   * who knows that address notes where it is now (RFC 826). No answer is needed.
   */
  #ask(): void {
    const socket = dgram.createSocket('udp4');
    socket.on('error', () => socket.close());
    socket.bind({ address: this.#address, port: 0, exclusive: true }, () => {
      let waiting = QUESTIONS;
      for (let count = 0; count < QUESTIONS; count++) {
        socket.send(Buffer.alloc(1), DISCARD_PORT, this.#randomNeighbour(), () => {
          waiting -= 1;
          if (waiting === 0) socket.close();
        });
      }
    });
  }

  #randomNeighbour(): string {
    const bytes = Buffer.from(addressToBytes(this.#address) ?? Buffer.alloc(4));
    const hosts = 2 ** (32 - this.#prefixBits);
    const network = Math.floor(bytes.readUInt32BE() / hosts) * hosts;
    bytes.writeUInt32BE(network + 1 + Math.floor(secureRandom() * (hosts - 2)));
    return bytesToAddress(bytes);
  }
}

/** @returns undefined where this process may not change them, as in most containers */
function changeSettings(interfaceName: string): { restore(): void } | undefined {
  const changed: [file: string, before: string][] = [];
  const restore = (): void => {
    for (const [file, before] of changed) writeFileSync(file, before);
  };
  try {
    for (const [setting, value] of IPV6_SETTINGS) {
      const file = `/proc/sys/net/ipv6/conf/${interfaceName}/${setting}`;
      const before = readFileSync(file, 'utf8');
      if (before.trim() === value) continue;
      writeFileSync(file, value);
      changed.push([file, before]);
    }
    return { restore };
  } catch {
    restore();
    return undefined;
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
