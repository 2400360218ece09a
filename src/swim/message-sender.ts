// Builds all messages that this node sends and passes them to the port. Only this file knows what a
// header holds, when the sections of the handshake are needed, and how updates are piggybacked.
// Decides nothing about membership. Source: SWIM paper 4.1 (piggybacking).

import type { Endpoint } from '../shared/endpoint.ts';
import { BodyWriter, type MessageKind, type PingTarget } from './codec.ts';
import type { LocalNode } from './local-node.ts';
import { endpointOf, type Member, type MemberTable, recordOf } from './member-table.ts';
import type { Nonces } from './nonces.ts';
import type { MemberRecord } from './record.ts';
import { recordHash } from './record-hash.ts';
import type { UpdateQueue } from './update-queue.ts';

export interface MessageFields {
  /** The receiver, where it is known: it needs no record of itself. */
  readonly receiverName?: string;
  readonly sequence?: number;
  readonly isIndirect?: boolean;
  /** The receiver's nonce. */
  readonly echo?: bigint | undefined;
  /** Adds our record, and a nonce that the receiver must echo. */
  readonly introduce?: boolean;
  /** A nonce for this exchange, in place of that of an introduction. */
  readonly nonce?: bigint;
  readonly observed?: Endpoint | undefined;
  readonly target?: PingTarget;
  /** Records that go before the queued updates. */
  readonly records?: readonly MemberRecord[];
  /** Largest body; without queued updates then. Default: that of the largest datagram. */
  readonly bytesMax?: number;
  readonly bytesMin?: number;
}

/** Room for an ack with two records, which is no longer than the proof that it answers. */
const PROOF_BYTES_MIN = 360;

export class MessageSender {
  readonly #self: LocalNode;
  readonly #table: MemberTable;
  readonly #updates: UpdateQueue;
  readonly #nonces: Nonces;
  readonly #bodyBytesMax: number;
  readonly #send: (to: Endpoint, body: Buffer) => void;
  readonly #applicationState: () => Buffer | undefined;
  #lastSequence = 0;

  constructor(
    parts: { self: LocalNode; table: MemberTable; updates: UpdateQueue; nonces: Nonces },
    bodyBytesMax: number,
    send: (to: Endpoint, body: Buffer) => void,
    applicationState: () => Buffer | undefined,
  ) {
    this.#self = parts.self;
    this.#table = parts.table;
    this.#updates = parts.updates;
    this.#nonces = parts.nonces;
    this.#bodyBytesMax = bodyBytesMax;
    this.#send = send;
    this.#applicationState = applicationState;
  }

  /** Hash of all online members and this node. */
  get tableHash(): bigint {
    const { name, bootId, incarnation } = this.#self;
    return this.#table.hash ^ recordHash(name, bootId, incarnation);
  }

  /** Never 0, which stands for "no answer expected". */
  nextSequence(): number {
    this.#lastSequence = this.#lastSequence >= 0xffffffff ? 1 : this.#lastSequence + 1;
    return this.#lastSequence;
  }

  /**
   * Pings a member. A member in doubt is sent the accusation (Lifeguard's buddy system), and has to
   * introduce itself again, because another process may be there by now. A node that does not know its own
   * address introduces itself too: the answer has the address at which the member sees it.
   */
  pingMember(now: number, member: Member, sequence: number): void {
    const isDoubtful = member.state !== 'alive' || member.strikes > 0;
    this.#transmit(now, 'ping', endpointOf(member), {
      receiverName: member.name,
      sequence,
      introduce: isDoubtful || member.link === undefined || this.#self.address === undefined,
      records: member.state === 'alive' ? [] : [recordOf(member, now, true)],
    });
  }

  /** Pings an address of which it is not known which node is there. */
  pingEndpoint(now: number, to: Endpoint, sequence = 0): void {
    this.#transmit(now, 'ping', to, { introduce: true, sequence });
  }

  /** Answers the challenge of a node that this one has not validated: with a ping that echoes its nonce. */
  introduceSelf(now: number, to: Endpoint, sequence: number, echo: bigint): void {
    const bytesMin = PROOF_BYTES_MIN;
    this.#transmit(now, 'ping', to, { sequence, echo, introduce: true, bytesMin });
  }

  /** Answers the challenge of a member in the same way. Its ack echoes the nonce, if there is one. */
  answerChallenge(
    now: number,
    to: Endpoint,
    exchange: { sequence: number; echo: bigint; nonce?: bigint },
  ): void {
    this.#transmit(now, 'ping', to, { ...exchange, records: [this.#self.record(now)] });
  }

  ack(now: number, to: Endpoint, fields: MessageFields): void {
    this.#transmit(now, 'ack', to, fields);
  }

  nack(now: number, to: Endpoint, sequence: number): void {
    this.#transmit(now, 'nack', to, { sequence });
  }

  pingRequest(now: number, helper: Member, target: Member, sequence: number): void {
    const { bootId } = target;
    this.#transmit(now, 'pingReq', endpointOf(helper), {
      receiverName: helper.name,
      sequence,
      target: { bootId, endpoint: endpointOf(target) },
    });
  }

  /**
   * Sends queued updates. A member that has not validated us yet would ignore them, which may be so
   * as long as we have not validated it: then a ping goes out, and the updates follow with the answer
   * to its challenge.
   */
  gossip(now: number, member: Member): void {
    if (member.link === undefined) this.pingMember(now, member, 0);
    else this.#transmit(now, 'gossip', endpointOf(member), { receiverName: member.name });
  }

  /** Sends records that concern this one node. */
  sendRecords(now: number, to: Endpoint, records: readonly MemberRecord[]): void {
    this.#transmit(now, 'gossip', to, { records });
  }

  /** Never longer than the datagram that it answers: it has an echo only if there was a nonce. */
  challenge(
    to: Endpoint,
    fields: { sequence: number; echo: bigint | undefined; nonce: bigint },
  ): void {
    const { sequence, echo, nonce } = fields;
    const writer = this.#writer('challenge', sequence, { hash: nonce });
    if (echo !== undefined) writer.echo(echo);
    this.#send(to, writer.finish());
  }

  pull(from: Member, sequence: number, cursor: string): void {
    const writer = this.#writer('pull', sequence, {}).cursor(cursor);
    this.#send(endpointOf(from), writer.finish());
  }

  /** Sends as many members after the cursor as fit; the first page begins with this node. */
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

  application(to: Endpoint, bytes: Buffer): void {
    const writer = this.#writer('application', 0, {});
    if (writer.application(bytes)) this.#send(to, writer.finish());
  }

  #transmit(now: number, kind: MessageKind, to: Endpoint, fields: MessageFields): void {
    const writer = this.#writer(kind, fields.sequence ?? 0, fields);
    /** Names that need no update in this message. */
    const covered = new Set(fields.receiverName === undefined ? [] : [fields.receiverName]);
    const add = (record: MemberRecord): void => {
      if (writer.record(record)) covered.add(record.name);
    };
    if (fields.echo !== undefined) writer.echo(fields.echo);
    if (fields.observed !== undefined) writer.observed(fields.observed);
    if (fields.target !== undefined) writer.target(fields.target);
    if (fields.nonce !== undefined) writer.nonce(fields.nonce);
    if (fields.introduce) {
      writer.nonce(this.#nonces.current(now));
      if (this.#self.clusterName !== undefined) writer.cluster(this.#self.clusterName);
      add(this.#self.record(now));
    }
    for (const record of fields.records ?? []) add(record);
    if (kind === 'ping' || kind === 'ack') this.#addApplicationState(writer);
    const mayHaveUpdates = fields.bytesMax === undefined;
    if (mayHaveUpdates && (!fields.introduce || fields.echo !== undefined)) {
      this.#addUpdates(now, writer, covered);
    }
    if (fields.bytesMin !== undefined) writer.pad(fields.bytesMin);
    if (kind !== 'gossip' || !writer.isEmpty) this.#send(to, writer.finish());
  }

  #addApplicationState(writer: BodyWriter): void {
    const state = this.#applicationState();
    if (state !== undefined) writer.application(state);
  }

  #addUpdates(now: number, writer: BodyWriter, covered: ReadonlySet<string>): void {
    this.#updates.drain((name) => {
      if (covered.has(name)) return true;
      if (name === this.#self.name) return writer.record(this.#self.record(now));
      const member = this.#table.get(name);
      // Evicted meanwhile: counts as sent.
      return member === undefined || writer.record(recordOf(member, now, member.state !== 'alive'));
    });
  }

  #writer(
    kind: MessageKind,
    sequence: number,
    head: { isIndirect?: boolean; isLast?: boolean; hash?: bigint; bytesMax?: number },
  ): BodyWriter {
    return new BodyWriter(
      {
        kind,
        isIndirect: head.isIndirect ?? false,
        isLast: head.isLast ?? false,
        incarnation: this.#self.incarnation,
        sequence,
        tableHash: head.hash ?? this.tableHash,
      },
      Math.min(head.bytesMax ?? this.#bodyBytesMax, this.#bodyBytesMax),
    );
  }
}
