// Hostile datagrams from a node with the token and from a host without it: nothing throws, and memory
// stays within its limits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ENVELOPE_HEADER_BYTES,
  ENVELOPE_TAG_BYTES,
  Opener,
  Sealer,
} from '../../src/shared/envelope.ts';
import { deriveKeyRing } from '../../src/shared/key-ring.ts';
import { BodyWriter, decodeMessage, type MessageKind } from '../../src/swim/codec.ts';
import { MEMBERS_MAX } from '../../src/swim/member-table.ts';
import type { MemberRecord, MemberState } from '../../src/swim/record.ts';
import { readRecord } from '../../src/swim/record-codec.ts';
import { seededRandom } from '../support/random.ts';
import { endpointFor, type SimNode, Simulator, settledCluster } from '../support/simulator.ts';

const ROUNDS = Number(process.env.SHOAL_FUZZ_ROUNDS ?? 20_000);
const SEED = Number(process.env.SHOAL_FUZZ_SEED ?? Math.floor(Math.random() * 1e9));
const KINDS: readonly MessageKind[] = [
  'ping',
  'ack',
  'pingReq',
  'nack',
  'challenge',
  'gossip',
  'pull',
  'page',
];
const STATES: readonly MemberState[] = ['alive', 'suspect', 'offline', 'left'];

class Fuzzer {
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  number32(): number {
    const choices = [0, 1, 2, 0xffffffff, this.below(2 ** 32)];
    return choices[this.below(choices.length)]!;
  }

  record(names: readonly string[]): MemberRecord {
    const isShort = this.below(3) === 0;
    const detail = {
      address: this.below(5) === 0 ? undefined : `10.${this.below(256)}.0.${this.below(256)}`,
      port: 1 + this.below(65535),
      isAdvertised: this.below(2) === 0,
      metadata: this.bytes(this.below(40)),
      ageMs: this.number32(),
    };
    return {
      name: names[this.below(names.length)] ?? `x${this.below(1e6)}`,
      bootId: BigInt(this.below(5) === 0 ? this.below(3000) : this.below(2 ** 40)),
      incarnation: this.number32(),
      state: STATES[this.below(4)]!,
      detail: isShort ? undefined : detail,
    };
  }

  /** A well-formed body with random content. */
  message(names: readonly string[]): Buffer {
    const writer = new BodyWriter(
      {
        kind: KINDS[this.below(KINDS.length)]!,
        isIndirect: this.below(2) === 0,
        isLast: this.below(2) === 0,
        incarnation: this.number32(),
        sequence: this.below(40),
        tableHash: BigInt(this.below(2 ** 40)),
      },
      1160,
    );
    if (this.below(3) === 0) writer.nonce(BigInt(this.below(1000)));
    if (this.below(3) === 0) writer.echo(BigInt(this.below(1000)));
    if (this.below(3) === 0) writer.observed(endpointFor(this.below(20)));
    if (this.below(3) === 0) {
      writer.target({ bootId: BigInt(this.below(5000)), endpoint: endpointFor(this.below(20)) });
    }
    if (this.below(3) === 0) writer.cursor(`n${this.below(9)}`);
    for (let count = this.below(20); count > 0; count--) writer.record(this.record(names));
    return writer.finish();
  }

  /** Flips a few bits, truncates or extends the body. */
  mutated(body: Buffer): Buffer {
    const copy = Buffer.from(body);
    for (let count = 1 + this.below(4); count > 0; count--) {
      copy[this.below(copy.length)]! ^= 1 << this.below(8);
    }
    const choice = this.below(4);
    if (choice === 0) return copy.subarray(0, this.below(copy.length));
    return choice === 1 ? Buffer.concat([copy, this.bytes(this.below(9))]) : copy;
  }
}

test(`decoding random and mutated bodies never throws (seed ${SEED})`, () => {
  const fuzzer = new Fuzzer(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    decodeMessage(fuzzer.bytes(fuzzer.below(200)));
    readRecord(fuzzer.bytes(fuzzer.below(80)));
    const body = fuzzer.message(['n1', 'n2']);
    assert.ok(decodeMessage(body) !== undefined);
    decodeMessage(fuzzer.mutated(body));
  }
});

test(`a hostile member with the token does not break the others (seed ${SEED})`, () => {
  const fuzzer = new Fuzzer(SEED);
  const sim = new Simulator(SEED);
  sim.isHostile = true;
  const nodes = settledCluster(sim, 3);
  const [victim, hostile] = nodes as [SimNode, SimNode];
  const names = ['n1', 'n2', 'n3', 'n4', ''];
  const known = names.map((name) => name || `y${fuzzer.below(1e6)}`);
  for (let round = 0; round < ROUNDS / 10; round++) {
    const body = fuzzer.message(known);
    const bytes = fuzzer.below(3) === 0 ? fuzzer.mutated(body) : body;
    hostile.counter += 1;
    sim.inject(victim, hostile.options.endpoint, hostile.bootId, hostile.counter, bytes);
    sim.runFor(fuzzer.below(50));
    assert.ok(victim.swim.table.size <= MEMBERS_MAX);
  }
  // The simulator has checked its invariants after every step. With an accusation that could not be
  // refuted, two nodes once exchanged datagrams as fast as the network allows.
  const sent = nodes.reduce((sum, node) => sum + node.sent, 0);
  assert.ok(sent < ROUNDS * 3, `${sent} datagrams were sent`);
});

test(`thousands of invented members do not exceed the limit of the member table (seed ${SEED})`, () => {
  const fuzzer = new Fuzzer(SEED);
  const sim = new Simulator(SEED);
  const [victim, hostile] = settledCluster(sim, 2) as [SimNode, SimNode];
  const head = { kind: 'gossip', isIndirect: false, isLast: false, incarnation: 0 } as const;
  for (let round = 0; round < 200; round++) {
    const writer = new BodyWriter({ ...head, sequence: 0, tableHash: 0n }, 1160);
    let count = 0;
    while (writer.record({ ...fuzzer.record([]), name: `z${round}-${count}`, state: 'alive' }))
      count++;
    hostile.counter += 1;
    const body = writer.finish();
    sim.inject(victim, hostile.options.endpoint, hostile.bootId, hostile.counter, body);
  }
  assert.ok(victim.swim.table.size <= MEMBERS_MAX);
  assert.ok(victim.swim.figures.tableFull > 0 || victim.swim.table.size < MEMBERS_MAX);
});

test(`without the token no datagram passes the envelope (seed ${SEED})`, async () => {
  const fuzzer = new Fuzzer(SEED);
  const ring = await deriveKeyRing(['token'], 'fuzz');
  for (const encrypt of [false, true]) {
    const sealer = new Sealer(ring.gossip, 1n, encrypt);
    const opener = new Opener(ring.gossip, encrypt);
    for (let round = 0; round < ROUNDS / 20; round++) {
      assert.equal(typeof opener.open(fuzzer.bytes(fuzzer.below(120))), 'string');
      const body = fuzzer.message(['n1']);
      const buffer = Buffer.alloc(ENVELOPE_HEADER_BYTES + body.length + ENVELOPE_TAG_BYTES);
      body.copy(buffer, ENVELOPE_HEADER_BYTES);
      const datagram = sealer.seal(buffer, ENVELOPE_HEADER_BYTES + body.length);
      assert.equal(typeof opener.open(datagram), 'object');
      datagram[fuzzer.below(datagram.length)]! ^= 1 << fuzzer.below(8);
      assert.equal(typeof opener.open(datagram), 'string');
    }
  }
});
