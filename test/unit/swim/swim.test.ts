// One core, driven datagram by datagram: what it believes, and what it answers to unknown nodes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../../src/shared/endpoint.ts';
import { type BodyWriter, decodeMessage, type MessageKind } from '../../../src/swim/codec.ts';
import type { MemberRecord } from '../../../src/swim/record.ts';
import { TIMING_PRESETS } from '../../../src/swim/timing.ts';
import { body, core, introduce, recordOf, STRANGER } from '../../support/swim-core.ts';

test('nothing that a boot says counts before it has echoed our nonce', () => {
  const { swim, take } = core();
  const lies = body('gossip', (writer) => {
    writer.nonce(7n).record(recordOf('ghost', 5n));
    writer.record(recordOf('stranger', 2n));
  });
  swim.handle(0, STRANGER, 2n, 1, lies);
  assert.equal(swim.table.size, 0);
  const forged = body('ping', (writer) => writer.echo(12345n).record(recordOf('stranger', 2n)));
  swim.handle(0, STRANGER, 2n, 2, forged);
  assert.equal(swim.table.size, 0);
  assert.ok(take().every((one) => one.message.kind === 'challenge'));
});

test('a boot that is not validated gets no answer longer than its datagram', () => {
  const { swim, take } = core();
  let counter = 0;
  const kinds: MessageKind[] = [
    'ping',
    'ack',
    'pingReq',
    'nack',
    'challenge',
    'gossip',
    'pull',
    'page',
  ];
  for (const kind of kinds) {
    for (const hasNonce of [false, true]) {
      for (const hasRecord of [false, true]) {
        const bytes = body(kind, (writer) => {
          if (hasNonce) writer.nonce(3n);
          if (hasRecord) writer.record(recordOf('stranger', 2n));
        });
        counter += 1;
        swim.handle(0, STRANGER, 2n, counter, bytes);
        const total = take().reduce((sum, one) => sum + one.body.length, 0);
        assert.ok(total <= bytes.length, `${kind}: ${total} bytes for ${bytes.length}`);
      }
    }
  }
});

test('a boot that echoes our nonce becomes a member and gets an ack', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  assert.equal(swim.table.get('stranger')?.bootId, 2n);
  const ack = take().find((one) => one.message.kind === 'ack');
  assert.equal(ack?.message.sequence, 9);
});

test('a datagram counts once, and one from before the echo does not count', () => {
  const { swim, take } = core();
  const proof = introduce(swim, take, 'stranger', 2n);
  take();
  swim.handle(1, STRANGER, 2n, 2, proof);
  swim.handle(1, STRANGER, 2n, 1, body('ping'));
  assert.equal(take().length, 0);
  assert.equal(swim.counters.replayed, 2);
  swim.handle(1, STRANGER, 2n, 3, body('ping'));
  assert.equal(take()[0]?.message.kind, 'ack');
});

test('a recorded datagram does not count after this node has restarted', () => {
  const first = core();
  const proof = introduce(first.swim, first.take, 'stranger', 2n);
  const second = core(100_000);
  second.swim.handle(100_000, STRANGER, 2n, 2, proof);
  assert.equal(second.swim.table.size, 0);
  assert.equal(second.swim.counters.unproven, 1);
});

test('an echo that arrives more than a minute later does not count', () => {
  const { swim, take } = core();
  const record = recordOf('stranger', 2n);
  swim.handle(
    0,
    STRANGER,
    2n,
    1,
    body('ping', (writer) => writer.nonce(7n).record(record)),
  );
  const nonce = take()[0]!.message.tableHash;
  const proof = body('ping', (writer) => writer.echo(nonce).record(record));
  swim.handle(61_000, STRANGER, 2n, 2, proof);
  assert.equal(swim.table.size, 0);
});

test('a challenge is answered only if it echoes our nonce', () => {
  const { swim, take } = core();
  swim.handle(0, STRANGER, 2n, 1, body('challenge'));
  swim.handle(
    0,
    STRANGER,
    2n,
    2,
    body('challenge', (writer) => writer.echo(99n)),
  );
  assert.equal(take().length, 0);
  swim.contactSeeds(0, [STRANGER]);
  const nonce = take()[0]!.message.nonce!;
  swim.handle(
    0,
    STRANGER,
    2n,
    3,
    body('challenge', (writer) => writer.echo(nonce)),
  );
  assert.equal(take()[0]?.message.kind, 'ping');
});

test('our own datagrams that come back to us make no member', () => {
  const { swim, take } = core();
  swim.contactSeeds(0, [STRANGER]);
  swim.handle(0, STRANGER, 1n, 1, take()[0]!.body);
  assert.equal(take().length, 0);
  assert.equal(swim.counters.own, 1);
});

test('SWIM 4.2: an accusation is refuted at once, with a higher incarnation', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  take();
  const accusation: MemberRecord = {
    ...recordOf('home', 1n, 4),
    state: 'suspect',
    detail: undefined,
  };
  swim.handle(
    1,
    STRANGER,
    2n,
    3,
    body('ping', (writer) => writer.record(accusation)),
  );
  assert.equal(swim.self.incarnation, 5);
  assert.ok(take().every((one) => one.message.incarnation === 5));
});

test('a new address of a member counts after it has echoed our nonce', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  take();
  const moved = { address: '10.9.9.9', port: 1024 };
  const gossip = body('ping', (writer) => writer.record(recordOf('ghost', 5n)));
  swim.handle(1, moved, 2n, 3, gossip);
  const [challenge, ...more] = take();
  assert.deepEqual([challenge?.message.kind, challenge?.to, more], ['challenge', moved, []]);
  assert.ok(challenge!.body.length <= gossip.length);
  assert.deepEqual(swim.table.get('stranger')?.link?.endpoint, STRANGER);
  assert.equal(swim.table.get('ghost'), undefined);
  const proof = body('ping', (writer) => writer.echo(challenge!.message.tableHash));
  swim.handle(2, moved, 2n, 4, proof);
  assert.deepEqual(
    take().map(({ to, message }) => [to, message.kind]),
    [[moved, 'ack']],
  );
  assert.deepEqual(swim.table.get('stranger')?.link?.endpoint, moved);
});

test('a copy from another address that arrives first does not use up the original', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  take();
  const gossip = body('gossip', (writer) => writer.record(recordOf('ghost', 5n)));
  swim.handle(1, { address: '10.9.9.9', port: 1024 }, 2n, 3, gossip);
  swim.handle(2, STRANGER, 2n, 3, gossip);
  assert.equal(swim.table.get('ghost')?.bootId, 5n);
});

test('a challenge from a new address is answered at the known address of its sender', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  take();
  swim.handle(1, { address: '10.9.9.9', port: 1024 }, 2n, 3, body('challenge'));
  assert.deepEqual(take()[0]?.to, STRANGER);
});

test('a member with two addresses in -mbs keeps the one from which it speaks', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  const other = { address: 'fd00::2', port: 7946 };
  const answerAt = (now: number, counter: number): Endpoint | undefined => {
    swim.contactSeeds(now, [other]);
    take();
    swim.handle(now, other, 2n, counter, body('challenge'));
    return take()[0]?.to;
  };
  assert.deepEqual(answerAt(9000, 3), STRANGER);
  swim.handle(9500, STRANGER, 2n, 4, body('ping'));
  assert.deepEqual(answerAt(19_000, 5), STRANGER);
  assert.deepEqual(answerAt(20_000, 6), other);
});

test('a direct ack counts only from the process that was pinged', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  introduce(swim, take, 'other', 3n);
  take();
  swim.advance(1000);
  const ping = take().find((one) => one.message.kind === 'ping' && one.message.sequence > 0);
  assert.ok(ping !== undefined);
  const acked = () => [...swim.table.all()].filter((one) => one.lastAckAt !== undefined);
  const { sequence } = ping.message;
  const ack = (number: number): Buffer => body('ack', () => undefined, { sequence: number });
  swim.handle(1001, STRANGER, 2n, 3, ack(sequence));
  swim.handle(1001, STRANGER, 3n, 3, ack(sequence + 1));
  assert.deepEqual(acked(), []);
  swim.handle(1002, STRANGER, 3n, 4, ack(sequence));
  assert.deepEqual(
    acked().map((one) => one.name),
    ['other'],
  );
});

test('a helper sends an indirect ack if the target answers, and a nack otherwise', () => {
  const { swim, take } = core();
  introduce(swim, take, 'stranger', 2n);
  introduce(swim, take, 'other', 3n);
  take();
  const target = { bootId: 3n, endpoint: STRANGER };
  const ask = (counter: number, sequence: number): Buffer => {
    swim.handle(
      1,
      STRANGER,
      2n,
      counter,
      body('pingReq', (to) => to.target(target), { sequence }),
    );
    return take().find((one) => one.message.kind === 'ping')!.body;
  };
  const first = decodeMessage(ask(3, 70))!.sequence;
  swim.handle(
    2,
    STRANGER,
    3n,
    3,
    body('ack', () => undefined, { sequence: first }),
  );
  const indirect = take().find((one) => one.message.kind === 'ack')?.message;
  assert.deepEqual([indirect?.sequence, indirect?.isIndirect], [70, true]);
  ask(4, 71);
  swim.advance(1 + TIMING_PRESETS.lan.pingTimeoutMs);
  const nack = take().find((one) => one.message.kind === 'nack')?.message;
  assert.equal(nack?.sequence, 71);
});

test('bytes of the application travel in acks and messages, from validated members only', () => {
  const received: string[] = [];
  const { swim, take } = core(0, {
    applicationState: () => Buffer.from('ours'),
    applicationReceived: (bootId, bytes, isMessage) =>
      received.push(`${bootId} ${bytes} ${isMessage ? 'message' : 'state'}`),
  });
  const state = (writer: BodyWriter): unknown => writer.application(Buffer.from('theirs'));
  swim.handle(0, STRANGER, 5n, 1, body('application', state));
  assert.deepEqual(received, []);
  introduce(swim, take, 'n5', 5n);
  take();
  swim.handle(1, STRANGER, 5n, 10, body('ping', state));
  swim.handle(1, STRANGER, 5n, 11, body('application', state));
  assert.deepEqual(received, ['5 theirs state', '5 theirs message']);
  const ack = take().find(({ message }) => message.kind === 'ack');
  assert.equal(ack?.message.application?.toString(), 'ours');
  swim.sendApplication(5n, Buffer.from('hello'));
  swim.sendApplication(6n, Buffer.from('unknown'));
  const sent = take();
  assert.equal(sent.length, 1);
  assert.equal(sent[0]?.message.kind, 'application');
  assert.equal(sent[0]?.message.application?.toString(), 'hello');
});
