// The gossip channel: gives the membership core its socket, envelope, clock, timer and seeds. Decides
// nothing about membership. Invariants: a timer runs only after the socket has been drained, so that
// after a stall of the event loop an ack that waits in the receive buffer still counts; no timer and no
// handler throws, whatever the system refuses.

import { performance } from 'node:perf_hooks';
import type { BeaconMember } from '../../discovery/beacon.ts';
import type { Endpoint, HostPort } from '../../shared/endpoint.ts';
import {
  claimOf,
  ENVELOPE_BYTES,
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  type EnvelopeFault,
  isProbe,
  newEnvelopeFaults,
  Opener,
  Sealer,
} from '../../shared/envelope.ts';
import { normalAddress } from '../../shared/ip-address.ts';
import type { ChannelKeys } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Peer } from '../../shared/peer.ts';
import { secureRandom } from '../../shared/random.ts';
import { MESSAGE_OVERHEAD_BYTES } from '../../swim/codec.ts';
import { endpointOf } from '../../swim/member-table.ts';
import type { MemberEvent } from '../../swim/membership.ts';
import { decodeMetadata, encodeMetadata, type Metadata } from '../../swim/metadata.ts';
import { Swim } from '../../swim/swim.ts';
import type { NameClaim, SwimOptions, SwimPort } from '../../swim/swim-port.ts';
import { JOIN_MS } from '../../swim/timing.ts';
import { isBeacon } from './beacon-seal.ts';
import { GossipLog } from './gossip-log.ts';
import { type GossipCounters, type MemberView, memberView, ownView } from './gossip-view.ts';
import { LocalAddresses, specificAddress } from './local-addresses.ts';
import { NameInUseError, type NameRival, type RivalKind, rivalKind } from './name-rival.ts';
import { SeedResolver } from './seed-resolver.ts';
import { UdpSocket } from './udp.ts';

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
  /** Where other nodes send datagrams for this node, instead of the address that they observe. */
  readonly advertise?: { readonly address: string; readonly port?: number | undefined } | undefined;
  /** Other nodes, from -mbs. */
  readonly seeds: readonly HostPort[];
  /** Without seeds, how long to wait for a node that contact() names. */
  readonly joinAloneMs?: number;
  readonly metadata: Metadata;
  readonly isFolderMoved?: boolean;
  readonly clusterName?: string;
  readonly periodMs: number;
  readonly pingTimeoutMs: number;
  readonly log: Logger;
  /** Called at each change of the list of online peers, their boots or their addresses. */
  onPeers(peers: readonly Peer[]): void;
  onMember?(event: MemberEvent): void;
  /** The name was refused shortly after join() had resolved; membership is over. */
  onRefused?(error: NameInUseError): void;
  /** What pings and acks carry for the application; see SwimPort. */
  applicationState?(): Buffer | undefined;
  /** A probe, which no check has passed yet; it is no business of membership. */
  onProbe?(datagram: Buffer, from: Endpoint): void;
  /** A beacon, of which nothing is checked; it is no business of membership. */
  onBeacon?(datagram: Buffer, from: Endpoint): void;
  /** A datagram that fails the check of its envelope; valid during the call only. */
  onStranger?(fault: EnvelopeFault, datagram: Buffer, from: Endpoint): void;
  /** Bytes of the application from a validated member, valid during the call only. */
  onApplication?(bootId: bigint, bytes: Buffer, isMessage: boolean): void;
}

const DATAGRAM_BYTES_MAX = 1200;
/** For this time after the start, a refusal of the name still ends the node. */
const NEWCOMER_MS = 2000;
/** Bytes that sendApplication() takes. */
export const APPLICATION_BYTES_MAX = DATAGRAM_BYTES_MAX - ENVELOPE_BYTES - MESSAGE_OVERHEAD_BYTES;
/** Longer datagrams are dropped before any cryptography; leaves room for later versions. */
const RECEIVED_BYTES_MAX = 1500;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** From the loss of the name to the next attempt to join under it. */
const NAME_RETRY_MS = 60_000;
/** Turns of the event loop for which a due timer waits at most while datagrams keep coming. */
const DRAIN_TURNS_MAX = 256;

export class Gossip {
  readonly #options: GossipOptions;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  readonly #log: GossipLog;
  readonly #seeds: SeedResolver;
  readonly #localAddresses: LocalAddresses;
  readonly #faults = newEnvelopeFaults();
  #tooLong = 0;
  #swim: Swim;
  #socket: UdpSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #reviewAt = 0;
  /** Datagrams so far: shows whether a turn of the event loop brought any. */
  #received = 0;
  #isClosed = false;
  /** The first attempt to join is over: from now on the loss of the name does not end the node. */
  #isStarted = false;
  #startedAt = 0;
  #isNameLost = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #onAccepted: (refusal: NameInUseError | undefined) => void = () => undefined;
  #onSynced: () => void = () => undefined;
  #onLeft: () => void = () => undefined;

  private constructor(options: GossipOptions) {
    const { keys, bootId, encrypt, seeds, log } = options;
    this.#options = options;
    this.#sealer = new Sealer(keys, bootId, encrypt);
    this.#opener = new Opener(keys, encrypt);
    this.#log = new GossipLog(log, seeds);
    this.#localAddresses = new LocalAddresses(log);
    this.#seeds = new SeedResolver({
      seeds,
      log,
      onAddresses: (endpoints) => this.#contactSeeds(endpoints),
    });
    this.#swim = this.#newSwim();
  }

  /** Opens the socket; join() comes next. Rejects with a BindError. */
  static async open(options: GossipOptions): Promise<Gossip> {
    const gossip = new Gossip(options);
    await gossip.#open();
    return gossip;
  }

  /**
   * Starts membership; to be called once. Resolves when a first node has accepted our name, at once
   * without seeds, and after 3 s if no seed answers.
   * @returns the refusal if another node holds the name; the channel is closed then
   */
  async join(): Promise<NameInUseError | undefined> {
    const refusal = await new Promise<NameInUseError | undefined>((resolve) => {
      this.#onAccepted = resolve;
      this.#advance();
    });
    this.#isStarted = true;
    this.#startedAt = performance.now();
    if (refusal !== undefined) await this.close();
    return refusal;
  }

  /**
   * Waits, after join(), until this node knows the members of the cluster, so that what it forwards
   * reaches them.
   * @param timeoutMs the wait ends then in any case
   * @returns the number of online members besides this node; 0 if it is alone
   */
  async joined(timeoutMs: number): Promise<number> {
    if (!this.#swim.isSynced && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#onSynced = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#swim.table.onlineCount;
  }

  /** open() and join() in one. Rejects with a NameInUseError or a BindError. */
  static async start(options: GossipOptions): Promise<Gossip> {
    const gossip = await Gossip.open(options);
    const refusal = await gossip.join();
    if (refusal !== undefined) throw refusal;
    return gossip;
  }

  get local(): Endpoint {
    return this.#openSocket.local;
  }

  get counters(): Readonly<GossipCounters> {
    const { figures, counters } = this.#swim;
    return {
      ...this.#openSocket.counters,
      ...counters,
      ...figures,
      ...this.#faults,
      tooLong: this.#tooLong,
      seedFailures: this.#seeds.failures,
      addressFailures: this.#localAddresses.failures,
      linkFaults: this.#log.linkFaults,
    };
  }

  /** This node first, then all members, offline ones too. */
  members(): readonly MemberView[] {
    const now = performance.now();
    const own = ownView(this.#swim.self, this.local, this.#options.metadata);
    const others = [...this.#swim.table.all()].map((member) =>
      memberView(now, member, this.#swim.reachability(now, member)),
    );
    return [own, ...others];
  }

  /** @returns undefined for a name that no node has */
  stateOf(name: string): MemberView['state'] | undefined {
    const { self, table } = this.#swim;
    if (name === self.name) return self.hasLeft ? 'left' : 'alive';
    return table.get(name)?.state;
  }

  /** Of the other nodes that are online. */
  get onlineEndpoints(): readonly Endpoint[] {
    return [...this.#swim.table.online].map(endpointOf);
  }

  /** Another node that claims the name of this one, or has it; undefined if there is none. */
  get nameRival(): NameRival | undefined {
    return this.#log.nameRival;
  }

  /** Nodes that speak to this one and do not hear it. */
  get unheard(): readonly Endpoint[] {
    return this.#swim.unheardBoots(performance.now()).map(({ endpoint }) => endpoint);
  }

  /** Sends bytes of the application to a validated member, without any guarantee. */
  sendApplication(bootId: bigint, bytes: Buffer): void {
    if (!this.#isClosed) this.#swim.sendApplication(bootId, bytes);
  }

  /** See UdpSocket.joinGroup(). */
  joinGroup(group: string, through: string): string | undefined {
    return this.#openSocket.joinGroup(group, through);
  }

  /** @returns undefined for a boot that is no member */
  memberOf(bootId: bigint): BeaconMember | undefined {
    const member = this.#swim.table.byBoot(bootId);
    if (member === undefined) return undefined;
    const { state } = member;
    const isAlive = state === 'alive';
    const { address } = endpointOf(member);
    return { isOnline: isAlive || state === 'suspect', isAlive, address };
  }

  /** Sends a datagram as it is. */
  sendDatagram(datagram: Buffer, to: Endpoint): void {
    if (!this.#isClosed) this.#openSocket.send(datagram, to);
  }

  /** Signs with the first key from now on, and accepts all. */
  rekey(keys: ChannelKeys): void {
    this.#sealer.rekey(keys);
    this.#opener.rekey(keys);
  }

  /** Takes an offline member for one that left, on all nodes. @returns false if there is none */
  forget(name: string): boolean {
    const isKnown = this.#swim.membership.forget(performance.now(), name);
    this.#arm();
    return isKnown;
  }

  /**
   * Contacts a node as one of -mbs is contacted, once.
   * @param bootId of the node that has proved to be there; undefined if nothing is known of it
   */
  contact(endpoint: Endpoint, bootId?: bigint): void {
    this.#contactSeeds([endpoint], bootId);
  }

  /** Announces the departure, which takes less than half a second; close() comes next. */
  async leave(): Promise<void> {
    if (this.#isClosed || this.#swim.isOver) return;
    return new Promise((resolve) => {
      this.#onLeft = resolve;
      this.#swim.leave(performance.now());
      this.#arm();
    });
  }

  /** Closes the socket without an announcement. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
    this.#seeds.close();
    this.#onSynced();
    this.#onLeft();
    await this.#socket?.close();
  }

  get #openSocket(): UdpSocket {
    if (this.#socket === undefined) throw new Error('the gossip socket is not open yet');
    return this.#socket;
  }

  async #open(): Promise<void> {
    const { bind, port, advertise, log } = this.#options;
    this.#socket = await UdpSocket.open({
      bind,
      port,
      flag: '-crp',
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      log,
      onDatagram: (datagram, from) => {
        if (isProbe(datagram)) this.#options.onProbe?.(datagram, from);
        else if (isBeacon(datagram)) this.#options.onBeacon?.(datagram, from);
        else this.#receive(datagram, from);
      },
    });
    this.#log.port = this.#socket.local.port;
    if (advertise?.port === undefined) this.#swim.self.setPort(this.#socket.local.port);
  }

  #newSwim(): Swim {
    return new Swim(this.#swimOptions(), this.#swimPort(), performance.now());
  }

  #swimOptions(): SwimOptions {
    const { name, bootId, bind, port, advertise, metadata, seeds, clusterName } = this.#options;
    const { periodMs, pingTimeoutMs, joinAloneMs = 0 } = this.#options;
    return {
      self: {
        name,
        bootId,
        address: normalAddress(advertise?.address ?? specificAddress(bind) ?? ''),
        port: advertise?.port ?? this.#socket?.local.port ?? port,
        isAdvertised: advertise !== undefined,
        metadata: encodeMetadata(metadata),
        ...(clusterName !== undefined && { clusterName }),
      },
      timing: { periodMs, pingTimeoutMs },
      random: secureRandom,
      joinMs: seeds.length > 0 ? JOIN_MS : joinAloneMs,
      bodyBytesMax: DATAGRAM_BYTES_MAX - ENVELOPE_BYTES,
    };
  }

  #swimPort(): SwimPort {
    const { name, onMember } = this.#options;
    return {
      send: (to, body) => this.#send(to, body),
      isLocalEndpoint: (endpoint) => this.#isLocalEndpoint(endpoint),
      resolveSeeds: () => this.#seeds.contactAll(),
      memberChanged: (event) => {
        this.#log.member(event);
        onMember?.(event);
      },
      peersChanged: () => this.#options.onPeers(this.#peers()),
      applicationState: () => this.#options.applicationState?.(),
      applicationReceived: (bootId, bytes, isMessage) =>
        this.#options.onApplication?.(bootId, bytes, isMessage),
      joined: () => this.#nameAccepted(),
      nameRefused: (holder) => {
        const kind = this.#rivalKind(holder, this.#options.isFolderMoved);
        this.#nameRefused(new NameInUseError(name, holder.endpoint, kind));
      },
      nameDefended: (claimant) => {
        const kind = this.#rivalKind(claimant);
        this.#log.nameClaimed(performance.now(), name, claimant.endpoint, kind);
      },
    };
  }

  #rivalKind({ endpoint, metadata }: NameClaim, isFolderMoved = false): RivalKind {
    const theirs = metadata && decodeMetadata(metadata).machine;
    const isLocal = this.#localAddresses.has(endpoint.address);
    return rivalKind(this.#options.metadata.machine, theirs, isLocal, isFolderMoved);
  }

  #nameAccepted(): void {
    this.#log.nameRegained(performance.now());
    this.#isNameLost = false;
    this.#onAccepted(undefined);
  }

  /**
   * At the start a refusal ends the node, also shortly after it: two nodes that came at once may both
   * have been accepted. Later the node goes on alone, and tries again.
   */
  #nameRefused(error: NameInUseError): void {
    if (!this.#isStarted) {
      this.#onAccepted(error);
      return;
    }
    if (performance.now() - this.#startedAt < NEWCOMER_MS && !this.#isNameLost) {
      this.#options.onRefused?.(error);
      return;
    }
    this.#retryTimer = setTimeout(() => this.#rejoin(), NAME_RETRY_MS);
    this.#isNameLost = true;
    this.#log.nameLost(performance.now(), error);
  }

  #rejoin(): void {
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
    const now = performance.now();
    if (this.#opener.precheck(datagram) === undefined) {
      const { bootId, counter } = claimOf(datagram);
      if (this.#swim.dropsReplay(now, from, bootId, counter)) return;
    }
    const opened = this.#opener.open(datagram);
    if (typeof opened === 'string') {
      this.#faults[opened] += 1;
      this.#log.envelopeFault(now, opened, from, this.#faults[opened]);
      this.#options.onStranger?.(opened, datagram, from);
      return;
    }
    this.#swim.handle(now, from, opened.bootId, opened.counter, opened.body);
    if (this.#swim.isSynced) this.#onSynced();
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

  /** Each turn of the event loop reads some datagrams; advances once a turn brings none. */
  #drain(turnsLeft: number, receivedBefore: number): void {
    if (this.#isClosed) return;
    const received = this.#received;
    if (received === receivedBefore || turnsLeft === 0) this.#advance();
    else setImmediate(() => this.#drain(turnsLeft - 1, received));
  }

  #advance(): void {
    const now = performance.now();
    this.#swim.advance(now);
    this.#armedFor = Number.NaN;
    this.#arm();
    if (this.#swim.isSynced) this.#onSynced();
    if (this.#swim.isOver) this.#onLeft();
    else if (this.#isStarted && now >= this.#reviewAt) {
      this.#reviewAt = now + this.#options.periodMs;
      this.#log.review(now, this.#swim);
    }
  }

  #contactSeeds(endpoints: readonly Endpoint[], bootId?: bigint): void {
    if (this.#isClosed) return;
    this.#swim.contactSeeds(performance.now(), endpoints, bootId);
    this.#arm();
  }

  /** True for our own address in -mbs, which allows all nodes to have the same list. */
  #isLocalEndpoint({ address, port }: Endpoint): boolean {
    return port === this.local.port && this.#localAddresses.isBound(address, this.#options.bind);
  }

  #peers(): readonly Peer[] {
    const peers: Peer[] = [];
    for (const member of this.#swim.table.online) {
      const { syncPort } = decodeMetadata(member.metadata);
      if (syncPort === 0) continue;
      const { name, bootId } = member;
      const { address } = endpointOf(member);
      peers.push({ name, bootId, endpoint: { address, port: syncPort } });
    }
    return peers;
  }
}
