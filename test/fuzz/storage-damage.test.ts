// Data folders with random damage: files truncated at any byte, flipped bits, missing files and foreign
// contents. The broker always starts, reports the damage, has everything outside the damaged range, and
// has sound files again afterwards.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { MemoryDisk } from '../support/memory-disk.ts';
import { seededRandom } from '../support/random.ts';
import { StoredBroker } from '../support/stored-broker.ts';
import { session } from '../support/stored-records.ts';

const ROUNDS = Number(process.env.SHOAL_ROUNDS ?? 150);
const SEED = Number(process.env.SHOAL_FIRST_SEED ?? 1);
const MESSAGES = 60;

/** Holds the queue of an absent subscriber, and the log's length after each acknowledged message. */
interface Folder {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly lengths: readonly number[];
}

let plain: Folder;
let compacted: Folder;

async function makeFolder(compactAfter: number): Promise<Folder> {
  const stored = await StoredBroker.start();
  const { world, disk } = stored;
  const properties = { sessionExpiryInterval: 0xffffffff };
  const sub = world.connect('sub', { clean: false, properties });
  sub.send(Buffer.from([0x82, 7, 0, 1, 0, 0, 1, 0x23, 2]));
  await stored.safe();
  sub.lose();
  const pub = world.connect('pub', { clean: false, properties });
  const lengths: number[] = [];
  for (let i = 0; i < MESSAGES; i++) {
    if (i === compactAfter) await stored.journal.compact();
    const before = pub.inbox.length;
    pub.send(publishBytes(i, false));
    await stored.until(() => pub.inbox.length > before);
    lengths.push(logOf(disk.files())[1].length);
  }
  return { files: disk.files(), lengths };
}

/** QoS 1 for even numbers, QoS 2 for odd ones; the payload is the number. */
function publishBytes(i: number, dup: boolean): Buffer {
  const first = (i % 2 === 0 ? 0x32 : 0x34) | (dup ? 8 : 0);
  // Topic `t`, packet identifier, no properties.
  return Buffer.from([first, 7, 0, 1, 0x74, 0, 1 + i, 0, i]);
}

/** The newest log. */
function logOf(files: ReadonlyMap<string, Buffer>): [string, Buffer] {
  const found = [...files].filter(([name]) => name.endsWith('.log')).sort();
  return found.at(-1)!;
}

/** The payloads that are queued for the subscriber. */
function owed(stored: StoredBroker): number[] {
  const sessions = [...stored.world.broker.context.sessions.all()];
  const sub = sessions.find(({ clientId }) => clientId === 'sub');
  return sub?.outbound.deliveries().map(({ message }) => message.payload[0] ?? -1) ?? [];
}

const start = (files: ReadonlyMap<string, Buffer>): Promise<StoredBroker> =>
  StoredBroker.start({ disk: new MemoryDisk(new Map(files)) });

before(async () => {
  plain = await makeFolder(-1);
  compacted = await makeFolder(MESSAGES / 2);
});

test('a log truncated anywhere keeps everything before the cut, and is not reported as damaged', async () => {
  const { files, lengths } = plain;
  const [name, bytes] = logOf(files);
  const random = seededRandom(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const length = Math.floor(random() * (bytes.length + 1));
    const stored = await start(new Map([...files, [name, bytes.subarray(0, length)]]));
    const kept = lengths.filter((end) => end <= length).length;
    assert.deepEqual(
      owed(stored),
      Array.from({ length: kept }, (_, i) => i),
      `cut at ${length}`,
    );
    // The publisher repeats its unreleased QoS 2 messages: none is accepted twice.
    const properties = { sessionExpiryInterval: 0xffffffff };
    const pub = stored.world.connect('pub', { clean: false, properties });
    const all = Array.from({ length: MESSAGES }, (_, i) => i);
    for (const i of all.filter((one) => one % 2 === 1)) pub.send(publishBytes(i, true));
    await stored.safe();
    const again = await stored.cut();
    const wanted = all.filter((i) => i < kept || (i % 2 === 1 && length >= (lengths[0] ?? 0)));
    if (length >= (lengths[0] ?? 0)) {
      assert.deepEqual(
        owed(again).sort((a, b) => a - b),
        wanted,
      );
    }
    const lines = [...stored.lines, ...again.lines];
    assert.ok(!lines.some((line) => line.includes('damaged')), lines.join('\n'));
  }
});

test('a log of which only the length reached the disk is not reported as damaged', async () => {
  const files = new Map([...plain.files, ['shoal-00000002.log', Buffer.alloc(32)]]);
  const stored = await start(files);
  assert.equal(owed(stored).length, MESSAGES);
  assert.ok(!stored.lines.some((line) => line.includes('damaged')), stored.lines.join('\n'));
});

test('a flipped bit loses its block only, and the node starts', async () => {
  const { files, lengths } = plain;
  const [name, bytes] = logOf(files);
  const random = seededRandom(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const at = Math.floor(random() * bytes.length);
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << Math.floor(random() * 8);
    const stored = await start(new Map([...files, [name, flipped]]));
    const hit = lengths.findIndex((end) => at < end);
    const first = lengths[0] ?? 0;
    // Before the first message are the header and the sessions, without which nothing else counts.
    if (at >= first) {
      const left = Array.from({ length: MESSAGES }, (_, i) => i).filter((i) => i !== hit);
      assert.deepEqual(owed(stored), left, `bit at ${at}`);
    }
    if (hit < MESSAGES - 1) {
      assert.ok(
        stored.lines.some((line) => line.startsWith('data file damaged')),
        `bit at ${at}`,
      );
      await stored.until(() => stored.disk.list().includes(`damaged-${name}`), 'set aside');
      const again = await stored.cut();
      assert.deepEqual(owed(again), owed(stored));
      assert.ok(!again.lines.some((line) => line.startsWith('data file damaged')));
    }
  }
});

test('the node starts whatever the damage to any file', async () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const files = new Map<string, Buffer>();
    for (const [name, bytes] of compacted.files) {
      const copy = Buffer.from(bytes);
      const choice = random();
      const at = Math.floor(random() * copy.length);
      if (choice < 0.3) files.set(name, copy.subarray(0, at));
      else if (choice < 0.4) files.set(name, copy.fill(0, at));
      else if (choice < 0.5) files.set(name, copy.fill(at > 0 ? copy.subarray(0, at) : 1, at));
      else if (choice < 0.9) {
        for (let flips = random() * 20; flips > 0; flips--) {
          copy[Math.floor(random() * copy.length)]! ^= 1 << Math.floor(random() * 8);
        }
        files.set(name, copy);
      }
    }
    const stored = await start(files);
    const left = owed(stored);
    assert.deepEqual(left, [...new Set(left)], 'no message twice');
    stored.journal.saveSession(session('new'));
    await stored.safe();
    const again = await stored.cut();
    assert.deepEqual(owed(again), left);
    assert.ok(
      [...again.world.broker.context.sessions.all()].some(({ clientId }) => clientId === 'new'),
    );
  }
});

test('a file of a newer release is refused with its name', async () => {
  const { encodeHeader } = await import('../../src/storage/file-format.ts');
  const { crc32 } = await import('../../src/storage/crc32.ts');
  const header = encodeHeader({ kind: 'log', needsSnapshot: false, generation: 9, run: 1n });
  header.writeUInt16LE(2, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  const files = new Map([...plain.files, ['shoal-00000009.log', header]]);
  await assert.rejects(start(files), {
    name: 'StorageError',
    message:
      /shoal-00000009\.log was written by a newer release \(format 2; this release reads format 1\)/,
  });
});
