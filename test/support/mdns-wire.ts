// A link in memory for multicast DNS: the responders of several hosts, and queriers that write down what is
// said. Every message goes through the codec. The clock moves by hand.

import type { AnnouncedService } from '../../src/discovery/mdns/announced-records.ts';
import {
  type DnsMessage,
  decodeDns,
  encodeDns,
  NO_RECORDS,
} from '../../src/discovery/mdns/dns-codec.ts';
import { type DnsRecord, RecordType, targetKey } from '../../src/discovery/mdns/dns-record.ts';
import { type LinkFacts, MDNS_PORT, Responder } from '../../src/discovery/mdns/responder.ts';
import type { Endpoint } from '../../src/shared/endpoint.ts';
import { bytesToAddress } from '../../src/shared/ip-address.ts';
import { seededRandom } from './random.ts';

const STEP_MS = 5;
export const MQTT: AnnouncedService = { type: '_mqtt._tcp', port: 1883, path: undefined };

export interface WireHost {
  readonly name: string;
  readonly responder: Responder;
  readonly address: string;
  /** What its log would say. */
  readonly events: string[];
}

export interface Said {
  readonly at: number;
  readonly from: string;
  /** Undefined: to all on the link. */
  readonly to: Endpoint | undefined;
  readonly message: DnsMessage;
}

export class MdnsWire {
  now = 0;
  readonly said: Said[] = [];
  readonly #hosts = new Set<WireHost>();
  /** Hosts that hear nothing, and are not heard. */
  readonly #unplugged = new Set<WireHost>();
  readonly #random = seededRandom(19);

  /** A host with one node, which has an MQTT listener unless `facts` says something else. */
  add(nodeName: string, address: string, facts: Partial<LinkFacts> = {}): WireHost {
    const events: string[] = [];
    const responder = new Responder(
      { nodeName, siteName: 'shoal', random: this.#random },
      {
        multicast: (message) => this.#deliver(address, message),
        unicast: (message, to) => this.said.push({ at: this.now, from: address, to, message }),
        announced: (names) => events.push(`announced ${names.join(' ')}`),
        inUse: (name, instead) => events.push(`in use ${name}, now ${instead}`),
        siteHeld: (name, isHeld) => events.push(`${isHeld ? 'holds' : 'yields'} ${name}`),
      },
      { queries: 0, answers: 0, conflicts: 0, limited: 0 },
    );
    const host = { name: nodeName, responder, address, events };
    this.#hosts.add(host);
    responder.setFacts(this.now, {
      services: [MQTT],
      addresses: [address],
      held: [],
      ...facts,
    });
    return host;
  }

  /** Makes them members of each other, and all others no members. */
  join(...names: readonly string[]): void {
    for (const name of names) {
      const others = new Set(names.filter((other) => other !== name));
      this.#named(name)?.responder.setOnline(this.now, others);
    }
  }

  /** The host is switched off without a word. */
  kill(host: WireHost): void {
    this.#hosts.delete(host);
  }

  unplug(host: WireHost): void {
    this.#unplugged.add(host);
  }

  plugIn(host: WireHost): void {
    this.#unplugged.delete(host);
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += STEP_MS;
      for (const { responder } of this.#hosts) responder.advance(this.now);
    }
  }

  /** Hands all hosts a message from an address. */
  hear(message: Partial<DnsMessage>, from: Endpoint): void {
    const whole: DnsMessage = { ...NO_RECORDS, id: 0, isResponse: false, ...message };
    for (const { responder } of this.#hosts) responder.handle(this.now, from, whole);
  }

  /** @returns everything that is said in the next two seconds */
  ask(name: string, type: number, more: Partial<DnsMessage> = {}, port = MDNS_PORT): Said[] {
    const before = this.said.length;
    const questions = [{ name, type, wantsUnicast: false }];
    this.hear({ questions, ...more }, { address: '192.168.1.200', port });
    this.run(2000);
    return this.said.slice(before);
  }

  /** The addresses that a client gets for a name. */
  resolve(name: string): string[] {
    const said = this.ask(name, RecordType.A).flatMap(({ message }) => message.answers);
    const found = said.filter((one) => one.name === name && one.type === RecordType.A);
    return [...new Set(found.map(({ data }) => bytesToAddress(data)))].sort();
  }

  #deliver(from: string, message: DnsMessage): void {
    const decoded = decodeDns(encodeDns(message));
    if (decoded === undefined) throw new Error('the codec does not read what it wrote');
    if ([...this.#unplugged].some(({ address }) => address === from)) return;
    this.said.push({ at: this.now, from, to: undefined, message: decoded });
    for (const host of this.#hosts) {
      // A host hears itself, too.
      if (this.#unplugged.has(host)) continue;
      host.responder.handle(this.now, { address: from, port: MDNS_PORT }, decoded);
    }
  }

  #named(wanted: string): WireHost | undefined {
    return [...this.#hosts].find(({ name }) => name === wanted);
  }
}

/** One line for each record, as `A box1-shoal.local 192.168.1.1 120`. */
export function describe(records: readonly DnsRecord[]): string[] {
  const types = Object.entries(RecordType);
  return records.map((record) => {
    const { name, type, data, ttlSeconds } = record;
    const word = types.find(([, number]) => number === type)?.[0] ?? type;
    const isAddress = type === RecordType.A || type === RecordType.AAAA;
    const port = type === RecordType.SRV ? `${data.readUInt16BE(4)} ` : '';
    const text = isAddress ? bytesToAddress(data) : (targetKey(record) ?? data.toString('latin1'));
    return `${word} ${name} ${port}${text} ${ttlSeconds}`;
  });
}
