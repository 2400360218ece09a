import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Strangers } from '../../../../src/net/cluster/strangers.ts';
import { ENVELOPE_HEADER_BYTES, Opener, Sealer } from '../../../../src/shared/envelope.ts';
import { deriveKeyRing } from '../../../../src/shared/key-ring.ts';
import { BodyWriter } from '../../../../src/swim/codec.ts';

const TOKEN = 'the token of this test';
const FROM = { address: '192.168.1.101', port: 7946 };
const own = new Opener((await deriveKeyRing([TOKEN], 'shoal')).gossip, false);

/** A ping as a node with these settings sends it. */
async function pingOf(token: string, clusterName: string, encrypt = false): Promise<Buffer> {
  const { gossip } = await deriveKeyRing([token], clusterName);
  const head = { kind: 'ping', incarnation: 0, sequence: 1, tableHash: 0n } as const;
  const writer = new BodyWriter({ ...head, isIndirect: false, isLast: false }, 1000);
  const body = writer.nonce(1n).cluster(clusterName).finish();
  const buffer = Buffer.alloc(ENVELOPE_HEADER_BYTES + body.length + 16);
  body.copy(buffer, ENVELOPE_HEADER_BYTES);
  return new Sealer(gossip, 7n, encrypt).seal(buffer, ENVELOPE_HEADER_BYTES + body.length);
}

async function reasonOf(datagram: Buffer, clusterName = 'shoal') {
  const opener =
    clusterName === 'shoal'
      ? own
      : new Opener((await deriveKeyRing([TOKEN], clusterName)).gossip, false);
  const fault = opener.open(datagram);
  assert.ok(typeof fault === 'string', 'the datagram fails the check');
  const strangers = new Strangers();
  strangers.note(fault, datagram, FROM, 0);
  const [report] = await strangers.report(1000, [TOKEN], clusterName);
  assert.equal(report?.address, FROM.address);
  return { reason: report?.reason, clusterName: report?.clusterName };
}

test('a node with another token is known by it', async () => {
  assert.deepEqual(await reasonOf(await pingOf('a wrong token', 'shoal')), {
    reason: 'token',
    clusterName: 'shoal',
  });
});

test('a node with the same token and another cluster name is known by that name', async () => {
  const named = await reasonOf(await pingOf(TOKEN, 'plant'));
  assert.deepEqual(named, { reason: 'cluster', clusterName: 'plant' });
  const unnamed = await reasonOf(await pingOf(TOKEN, 'shoal', true), 'plant');
  assert.deepEqual(unnamed, { reason: 'cluster', clusterName: 'shoal' }, 'the default is tried');
});

test('a node with another -encrypt is known by it, and a forged one is not', async () => {
  const encrypted = await pingOf(TOKEN, 'shoal', true);
  assert.equal((await reasonOf(encrypted)).reason, 'encrypt');
  encrypted[encrypted.length - 1]! ^= 1;
  assert.equal((await reasonOf(encrypted)).reason, 'damaged');
});

test('another program on the port is known by its datagrams', async () => {
  assert.equal(
    (await reasonOf(Buffer.from('memberlist of another program, and more bytes'))).reason,
    'program',
  );
});

test('what came more than a minute ago is over, and the number of strangers is bounded', async () => {
  const strangers = new Strangers();
  for (let host = 0; host < 300; host++) {
    strangers.note('foreign', Buffer.alloc(50), { address: `10.0.1.${host}`, port: 1 }, host);
  }
  const reports = await strangers.report(300, [TOKEN], 'shoal');
  assert.equal(reports.length, 8, 'the newest ones');
  assert.deepEqual(await strangers.report(70_000, [TOKEN], 'shoal'), []);
});

test('the doctor of another box is no other program', async () => {
  const strangers = new Strangers();
  strangers.note('short', Buffer.of(0), FROM, 0);
  assert.deepEqual(await strangers.report(1000, [TOKEN], 'shoal'), []);
});
