// Gives the SWIM core its socket, clock, timers and DNS. Decides nothing of membership.
// Invariants: a verdict waits until the socket has been drained, so that after a stall of the event
// loop an answer that lies in the buffer still counts; a seed that can't be resolved is tried for
// ever and never an error.

import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import {
  type Endpoint,
  formatEndpoint,
  formatHostPort,
  type HostPort,
} from '../../shared/endpoint.ts';
import {
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  type EnvelopeFault,
  Opener,
  Sealer,
} from '../../shared/envelope.ts';
import { normalAddress } from '../../shared/ip-address.ts';
import type { ChannelKeys } from '../../shared/key-ring.ts';
import { LogLimiter } from '../../shared/log-limiter.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Peer } from '../../shared/peer.ts';
import { secureRandom } from '../../shared/random.ts';
import { endpointOf } from '../../swim/member-table.ts';
import type { MemberEvent } from '../../swim/membership.ts';
import { decodeMetadata, encodeMetadata, type Metadata } from '../../swim/metadata.ts';
import type { MemberState } from '../../swim/record.ts';
import { Swim } from '../../swim/swim.ts';
import type { SwimCounters } from '../../swim/swim-port.ts';
import { SeedResolver } from './seed-resolver.ts';
import { type UdpCounters, UdpSocket } from './udp.ts';

export interface GossipOptions {
  /** Unique in the cluster. */
  readonly name: string;
  /** Random for each start of the process. */
  readonly bootId: bigint;
  readonly keys: ChannelKeys;
  readonly encrypt: boolean;
  /** IP literal; undefined = all addresses. */
  readonly bind?: string | undefined;
  readonly port: number;
  /** What others should use in place of what they see. */
  readonly advertise?: { readonly address?: string; readonly port?: number } | undefined;
  /** Other nodes, as -mbs names them. */
  readonly seeds: readonly HostPort[];
  readonly metadata: Metadata;
  readonly periodMs: number;
  readonly pingTimeoutMs: number;
  readonly log: Logger;
  /** At every change of the set of online peers, their boots or their addresses. */
  onPeers(peers: readonly Peer[]): void;
  onMember?(event: MemberEvent): void;
  /** The name was lost after the start, to a node of a partition that came back: no peers now. */
  onNameLost?(error: NameInUseError): void;
}

export interface MemberView {
  readonly name: string;
  readonly isSelf: boolean;
  readonly state: MemberState;
  readonly endpoint: Endpoint;
  readonly bootId: bigint;
  readonly incarnation: number;
  readonly metadata: Metadata;
  /** Since it last answered a ping of ours; undefined where it never did. */
  readonly sinceAnswerMs: number | undefined;
}

export interface GossipCounters extends UdpCounters, SwimCounters, Record<EnvelopeFault, number> {
  /** Rounds in which this node was late itself. */
  voidRounds: number;
  /** 0 = well, 7 = short of CPU or cut off. */
  healthScore: number;
  /** Records of members that found no room. */
  tableFull: number;
  /** Datagrams that none of ours can be. */
  tooLong: number;
}

/** Another live node has this name. */
export class NameInUseError extends Error {
  override readonly name = 'NameInUseError';
  readonly holder: Endpoint;

  constructor(nodeName: string, holder: Endpoint) {
    super(`the node name ${nodeName} is in use by the node at ${formatEndpoint(holder)}`);
    this.holder = holder;
  }
}

const DATAGRAM_BYTES_MAX = 1200;
/** No proof is reckoned over more; room for what later versions may send. */
const RECEIVED_BYTES_MAX = 1500;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** How often a node that lost its name asks whether it is free again. */
const NAME_RETRY_MS = 60_000;
/** Turns of the event loop that a verdict waits for the socket, at most. */
const DRAIN_TURNS_MAX = 256;
const MISMATCHES: Readonly<Partial<Record<EnvelopeFault, string>>> = {
  unknownKey: 'datagrams with another cluster token (-csk) or cluster name were dropped',
  wrongMode: 'datagrams of a node with another setting of -encrypt were dropped',
};

export class Gossip {
  readonly #options: GossipOptions;
  #swim: Swim;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #faults: Record<EnvelopeFault, number> = {
    short: 0,
    foreign: 0,
    unknownKey: 0,
    badMac: 0,
    wrongMode: 0,
  };
  #tooLong = 0;
  readonly #limiter = new LogLimiter();
  readonly #seeds: SeedResolver;
  #socket: UdpSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #isClosed = false;
  /** Datagrams so far: tells whether a turn of the loop brought any. */
  #received = 0;
  #onVerdict: (refusal: NameInUseError | undefined) => void = () => undefined;
  #isStarted = false;
  #isNameLost = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #onLeft: () => void = () => undefined;

  private constructor(options: GossipOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options.keys, options.bootId, options.encrypt);
    this.#opener = new Opener(options.keys, options.encrypt);
    this.#seeds = new SeedResolver({
      seeds: options.seeds,
      log: options.log,
      onAddresses: (endpoints) => this.#contact(endpoints),
    });
    this.#swim = this.#newSwim();
  }

  #newSwim(): Swim {
    const options = this.#options;
    const { name, bootId, bind, advertise, periodMs, pingTimeoutMs } = options;
    return new Swim(
      {
        self: {
          name,
          bootId,
          address: normalAddress(advertise?.address ?? specific(bind) ?? ''),
          port: advertise?.port ?? this.#socket?.local.port ?? options.port,
          isAdvertised: advertise !== undefined,
          metadata: encodeMetadata(options.metadata),
        },
        timing: { periodMs, pingTimeoutMs },
        random: secureRandom,
        hasSeeds: options.seeds.length > 0,
        bodyBytesMax: DATAGRAM_BYTES_MAX - ENVELOPE_BYTES,
      },
      {
        send: (to, body) => this.#send(to, body),
        isLocalEndpoint: (endpoint) => this.#isThisMachine(endpoint),
        resolveSeeds: () => this.#seeds.contactAll(),
        memberChanged: (event) => this.#report(event),
        peersChanged: () => options.onPeers(this.#peers()),
        joined: () => this.#joined(),
        nameRefused: (holder) => this.#refused(new NameInUseError(name, holder)),
        nameDefended: (claimant) =>
          this.#tellNowAndThen('another node with our name was refused', {
            name,
            address: formatEndpoint(claimant),
            hint: 'give it another -nid',
          }),
      },
      performance.now(),
    );
  }

  /** Opens the socket and starts to look for the others. Rejects with a BindError. */
  static async open(options: GossipOptions): Promise<Gossip> {
    const gossip = new Gossip(options);
    await gossip.#open();
    return gossip;
  }

  /**
   * Whether the others accept our name: resolves when the first of them has, at once where there
   * are no seeds, and after 3 s where none answers. To be called once, after open().
   * @returns the refusal; membership has ended then
   */
  async accepted(): Promise<NameInUseError | undefined> {
    const refusal = await this.#verdict();
    this.#isStarted = true;
    if (refusal !== undefined) await this.close();
    return refusal;
  }

  /**
   * open() and accepted() in one.
   * @throws NameInUseError, BindError
   */
  static async start(options: GossipOptions): Promise<Gossip> {
    const gossip = await Gossip.open(options);
    const refusal = await gossip.accepted();
    if (refusal !== undefined) throw refusal;
    return gossip;
  }

  get local(): Endpoint {
    return this.#openSocket.local;
  }

  get counters(): Readonly<GossipCounters> {
    const { voidRounds, healthScore, tableFull } = this.#swim;
    const socket = this.#openSocket.counters;
    const own = { voidRounds, healthScore, tableFull, tooLong: this.#tooLong };
    return { ...socket, ...this.#swim.counters, ...this.#faults, ...own };
  }

  /** This node first. */
  members(): readonly MemberView[] {
    const now = performance.now();
    const { self } = this.#swim;
    const views: MemberView[] = [
      {
        name: self.name,
        isSelf: true,
        state: self.hasLeft ? 'left' : 'alive',
        endpoint: { address: self.address ?? this.local.address, port: self.port },
        bootId: self.bootId,
        incarnation: self.incarnation,
        metadata: this.#options.metadata,
        sinceAnswerMs: undefined,
      },
    ];
    for (const member of this.#swim.table.all()) {
      const { name, state, bootId, incarnation, lastAckAt } = member;
      const sinceAnswerMs = lastAckAt === undefined ? undefined : Math.round(now - lastAckAt);
      const metadata = decodeMetadata(member.metadata);
      const endpoint = endpointOf(member);
      const isSelf = false;
      views.push({ name, isSelf, state, endpoint, bootId, incarnation, metadata, sinceAnswerMs });
    }
    return views;
  }

  /** Signs with other keys from now on, and accepts theirs: a change of token without a restart. */
  rekey(keys: ChannelKeys): void {
    this.#sealer.rekey(keys);
    this.#opener.rekey(keys);
  }

  /** Tells the others that we go, for less than half a second; close() comes after. */
  leave(): Promise<void> {
    if (this.#isClosed || this.#swim.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onLeft = resolve;
      this.#swim.leave(performance.now());
      this.#arm();
    });
  }

  /** Without a word to the others; safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
    this.#seeds.close();
    this.#onLeft();
    await this.#socket?.close();
  }

  get #openSocket(): UdpSocket {
    if (this.#socket === undefined) throw new Error('the gossip socket is not open yet');
    return this.#socket;
  }

  async #open(): Promise<void> {
    const { bind, port, log } = this.#options;
    this.#socket = await UdpSocket.open({
      bind,
      port,
      flag: '-crp',
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      log,
      onDatagram: (datagram, from) => this.#receive(datagram, from),
    });
    if (this.#options.advertise?.port === undefined) {
      this.#swim.self.setPort(this.#socket.local.port);
    }
  }

  #verdict(): Promise<NameInUseError | undefined> {
    return new Promise((resolve) => {
      this.#onVerdict = resolve;
      this.#advance();
    });
  }

  #joined(): void {
    const { seeds, log } = this.#options;
    if (this.#isNameLost) log.info('cluster name regained');
    this.#isNameLost = false;
    if (seeds.length > 0 && this.#swim.table.onlineCount === 0) {
      log.warn('no other node answers yet; goes on trying', {
        seeds: seeds.map(formatHostPort).join(','),
        hint: 'is it running, with the same -csk, and its UDP port open?',
      });
    }
    this.#onVerdict(undefined);
  }

  /** Two boxes that differ in what they should have in common would be silent for ever else. */
  #tellMismatch(fault: EnvelopeFault, from: Endpoint): void {
    const event = MISMATCHES[fault];
    if (event === undefined) return;
    this.#tellNowAndThen(event, { address: formatEndpoint(from), total: this.#faults[fault] });
  }

  /** What others can bring about as often as they like. */
  #tellNowAndThen(event: string, fields: Readonly<Record<string, string | number>>): void {
    if (this.#limiter.admit(event, performance.now()) > 0) this.#options.log.warn(event, fields);
  }

  /** At the start it is the end; later the node goes on alone, and tries again now and then. */
  #refused(error: NameInUseError): void {
    if (!this.#isStarted) {
      this.#onVerdict(error);
      return;
    }
    this.#retryTimer = setTimeout(() => this.#joinAnew(), NAME_RETRY_MS);
    if (this.#isNameLost) return;
    this.#isNameLost = true;
    this.#options.log.error('cluster name lost', { reason: error.message });
    this.#options.onNameLost?.(error);
  }

  #joinAnew(): void {
    this.#swim = this.#newSwim();
    this.#advance();
  }

  #receive(datagram: Buffer, from: Endpoint): void {
    if (this.#isClosed) return;
    this.#received += 1;
    if (datagram.length > RECEIVED_BYTES_MAX) {
      this.#tooLong += 1;
      return;
    }
    const opened = this.#opener.open(datagram);
    if (typeof opened === 'string') {
      this.#faults[opened] += 1;
      this.#tellMismatch(opened, from);
      return;
    }
    this.#swim.handle(performance.now(), from, opened.bootId, opened.counter, opened.body);
    this.#arm();
  }

  #send(to: Endpoint, body: Buffer): void {
    if (this.#isClosed) return;
    const end = ENVELOPE_HEADER_BYTES + body.length;
    const datagram = Buffer.allocUnsafe(end + ENVELOPE_TAG_BYTES);
    body.copy(datagram, ENVELOPE_HEADER_BYTES);
    this.#openSocket.send(this.#sealer.seal(datagram, end), to);
  }

  /** Sets the timer to the core's next deadline. */
  #arm(): void {
    const { deadline } = this.#swim;
    if (this.#isClosed || deadline === this.#armedFor) return;
    this.#armedFor = deadline;
    clearTimeout(this.#timer);
    if (deadline === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, Math.ceil(deadline - performance.now()));
    this.#timer = setTimeout(() => this.#drain(DRAIN_TURNS_MAX, -1), delayMs);
  }

  /** Each turn of the loop reads some datagrams; once a turn brings none, time may go on. */
  #drain(turnsLeft: number, receivedBefore: number): void {
    if (this.#isClosed) return;
    const received = this.#received;
    if (received === receivedBefore || turnsLeft === 0) this.#advance();
    else setImmediate(() => this.#drain(turnsLeft - 1, received));
  }

  #advance(): void {
    this.#swim.advance(performance.now());
    this.#armedFor = Number.NaN;
    this.#arm();
    if (this.#swim.isOver) this.#onLeft();
  }

  #contact(endpoints: readonly Endpoint[]): void {
    if (!this.#isClosed) this.#swim.contactSeeds(performance.now(), endpoints);
  }

  /** Our own address may stand in -mbs, so that all boxes can have the same list. */
  #isThisMachine(endpoint: Endpoint): boolean {
    const { bind } = this.#options;
    if (endpoint.port !== this.local.port) return false;
    const only = specific(bind);
    if (only !== undefined) return normalAddress(only) === endpoint.address;
    return Object.values(networkInterfaces()).some((all) =>
      all?.some((one) => one.address === endpoint.address),
    );
  }

  #peers(): readonly Peer[] {
    const peers: Peer[] = [];
    for (const member of this.#swim.table.online) {
      const { syncPort } = decodeMetadata(member.metadata);
      if (syncPort === 0) continue;
      const { name, bootId } = member;
      peers.push({
        name,
        bootId,
        endpoint: { address: endpointOf(member).address, port: syncPort },
      });
    }
    return peers;
  }

  #report(event: MemberEvent): void {
    const { kind, name, endpoint, reason, sinceAnswerMs } = event;
    const level = kind === 'suspect' || kind === 'offline' ? 'warn' : 'info';
    this.#options.log[level](`cluster ${kind} ${name} ${formatEndpoint(endpoint)}`, {
      reason,
      sinceAnswerMs: sinceAnswerMs === undefined ? undefined : Math.round(sinceAnswerMs),
    });
    this.#options.onMember?.(event);
  }
}

/** @returns undefined for `0.0.0.0` and `::`, which say nothing of where we are */
function specific(bind: string | undefined): string | undefined {
  return bind === '0.0.0.0' || bind === '::' ? undefined : bind;
}
