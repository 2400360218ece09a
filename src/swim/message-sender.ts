// Builds every message that this node sends and hands it to the port. It alone knows what goes into
// a header, when a handshake section is due, and how updates ride along. Decides nothing.

import type { Endpoint } from '../shared/endpoint.ts';
import { BodyWriter, type MessageKind, type PingTarget } from './codec.ts';
import type { LocalNode } from './local-node.ts';
import { endpointOf, type Member, type MemberTable, recordOf } from './member-table.ts';
import type { Nonces } from './nonces.ts';
import type { MemberRecord } from './record.ts';
import { recordHash } from './record-hash.ts';
import type { UpdateQueue } from './update-queue.ts';

interface Extras {
  /** The receiver, where it is known. */
  readonly toName?: string;
  readonly sequence?: number;
  readonly isRelayed?: boolean;
  /** Their nonce, given back. */
  readonly echo?: bigint | undefined;
  /** Ask the receiver to prove its boot, and say who we are. */
  readonly introduce?: boolean;
  readonly observed?: Endpoint | undefined;
  readonly target?: PingTarget;
  /** Told before anything that is queued. */
  readonly first?: readonly MemberRecord[];
}

export class MessageSender {
  readonly #self: LocalNode;
  readonly #table: MemberTable;
  readonly #updates: UpdateQueue;
  readonly #nonces: Nonces;
  readonly #bodyBytesMax: number;
  readonly #send: (to: Endpoint, body: Buffer) => void;
  #lastSequence = 0;

  constructor(
    parts: { self: LocalNode; table: MemberTable; updates: UpdateQueue; nonces: Nonces },
    bodyBytesMax: number,
    send: (to: Endpoint, body: Buffer) => void,
  ) {
    this.#self = parts.self;
    this.#table = parts.table;
    this.#updates = parts.updates;
    this.#nonces = parts.nonces;
    this.#bodyBytesMax = bodyBytesMax;
    this.#send = send;
  }

  /** Of all online members and ourselves. */
  get tableHash(): bigint {
    const { name, bootId, incarnation } = this.#self;
    return this.#table.hash ^ recordHash(name, bootId, incarnation);
  }

  nextSequence(): number {
    this.#lastSequence = this.#lastSequence >= 0xffffffff ? 1 : this.#lastSequence + 1;
    return this.#lastSequence;
  }

  /**
   * Where anything but health is known of the member, it is told of the accusation (buddy), and it
   * introduces itself anew, for it may be another process by now.
   */
  pingMember(now: number, member: Member, sequence: number): void {
    const isDoubtful = member.state !== 'alive' || member.strikes > 0;
    this.#transmit(now, 'ping', endpointOf(member), {
      toName: member.name,
      sequence,
      introduce: isDoubtful || member.link === undefined,
      first: member.state === 'alive' ? [] : [recordOf(member, now, true)],
    });
  }

  /** To an address of which we don't know who is there. */
  pingEndpoint(now: number, to: Endpoint, sequence = 0): void {
    this.#transmit(now, 'ping', to, { introduce: true, sequence });
  }

  /** The answer to a challenge. */
  pingBack(now: number, to: Endpoint, sequence: number, echo: bigint, introduce: boolean): void {
    this.#transmit(now, 'ping', to, {
      sequence,
      echo,
      introduce,
      first: introduce ? [] : [this.#self.record(now)],
    });
  }

  ack(now: number, to: Endpoint, extras: Extras): void {
    this.#transmit(now, 'ack', to, extras);
  }

  nack(now: number, to: Endpoint, sequence: number): void {
    this.#transmit(now, 'nack', to, { sequence });
  }

  pingRequest(now: number, helper: Member, target: Member, sequence: number): void {
    const { bootId } = target;
    this.#transmit(now, 'pingReq', endpointOf(helper), {
      toName: helper.name,
      sequence,
      target: { bootId, endpoint: endpointOf(target) },
    });
  }

  /**
   * What is queued. Where the member's boot is not proven ours may not be either, and the updates
   * would be lost: then a ping opens the way, and they go with the answer to the challenge.
   */
  gossip(now: number, member: Member): void {
    if (member.link === undefined) this.pingMember(now, member, 0);
    else this.#transmit(now, 'gossip', endpointOf(member), { toName: member.name });
  }

  /** To one node, a thing that concerns it. */
  tell(now: number, to: Endpoint, records: readonly MemberRecord[]): void {
    this.#transmit(now, 'gossip', to, { first: records });
  }

  /** Never longer than what it answers: a head, and an echo only where there was a nonce. */
  challenge(now: number, to: Endpoint, sequence: number, echo: bigint | undefined): void {
    const writer = this.#writer('challenge', sequence, { hash: this.#nonces.current(now) });
    if (echo !== undefined) writer.echo(echo);
    this.#send(to, writer.finish());
  }

  pull(from: Member, sequence: number, cursor: string): void {
    const writer = this.#writer('pull', sequence, {}).cursor(cursor);
    this.#send(endpointOf(from), writer.finish());
  }

  /** As many members behind the cursor as fit; ourselves on the first page. */
  page(now: number, to: Endpoint, sequence: number, cursor: string): void {
    const names = [...this.#table.namesAfter(cursor)];
    const own = cursor === '' ? [this.#self.record(now)] : [];
    const attempt = (isLast: boolean, count: number): { body: Buffer; written: number } => {
      const writer = this.#writer('page', sequence, { isLast });
      for (const record of own) writer.record(record);
      let written = 0;
      while (written < count) {
        const member = this.#table.get(names[written]!);
        if (member !== undefined && !writer.record(recordOf(member, now, false))) break;
        written += 1;
      }
      return { body: writer.finish(), written };
    };
    const whole = attempt(true, names.length);
    this.#send(
      to,
      whole.written === names.length ? whole.body : attempt(false, whole.written).body,
    );
  }

  #transmit(now: number, kind: MessageKind, to: Endpoint, extras: Extras): void {
    const writer = this.#writer(kind, extras.sequence ?? 0, extras);
    /** Names of which nothing more need be said; nobody needs to hear of itself. */
    const told = new Set(extras.toName === undefined ? [] : [extras.toName]);
    const tell = (record: MemberRecord): void => {
      if (writer.record(record)) told.add(record.name);
    };
    if (extras.echo !== undefined) writer.echo(extras.echo);
    if (extras.observed !== undefined) writer.observed(extras.observed);
    if (extras.target !== undefined) writer.target(extras.target);
    if (extras.introduce) {
      writer.nonce(this.#nonces.current(now));
      tell(this.#self.record(now));
    }
    for (const record of extras.first ?? []) tell(record);
    if (!extras.introduce || extras.echo !== undefined) this.#addUpdates(now, writer, told);
    if (kind !== 'gossip' || !writer.isEmpty) this.#send(to, writer.finish());
  }

  #addUpdates(now: number, writer: BodyWriter, told: ReadonlySet<string>): void {
    this.#updates.drain((name) => {
      if (told.has(name)) return true;
      if (name === this.#self.name) return writer.record(this.#self.record(now));
      const member = this.#table.get(name);
      // Evicted since: counts as told.
      return member === undefined || writer.record(recordOf(member, now, member.state !== 'alive'));
    });
  }

  #writer(
    kind: MessageKind,
    sequence: number,
    head: { isRelayed?: boolean; isLast?: boolean; hash?: bigint },
  ): BodyWriter {
    return new BodyWriter(
      {
        kind,
        isRelayed: head.isRelayed ?? false,
        isLast: head.isLast ?? false,
        incarnation: this.#self.incarnation,
        sequence,
        tableHash: head.hash ?? this.tableHash,
      },
      this.#bodyBytesMax,
    );
  }
}
