// Data folders with random damage: files cut at any byte, bytes that flipped, files that are gone or
// are something else. The broker always starts, tells it, has everything that stood outside the
// damage, and is whole again after it.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { MemoryDisk } from '../support/memory-disk.ts';
import { seededRandom } from '../support/random.ts';
import { StoredBroker } from '../support/stored-broker.ts';
import { session } from '../support/stored-records.ts';

const ROUNDS = Number(process.env.SHOAL_ROUNDS ?? 150);
const SEED = Number(process.env.SHOAL_FIRST_SEED ?? 1);
const MESSAGES = 60;

/** A subscriber who is away, and the length of the log after each message that was acknowledged. */
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

/** QoS 1 where the number is even, QoS 2 where it is odd; the payload is the number. */
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

/** What the subscriber is owed. */
function owed(stored: StoredBroker): number[] {
  const sessions = [...stored.world.broker.sessions()];
  const sub = sessions.find(({ clientId }) => clientId === 'sub');
  return sub?.deliveries().map(({ message }) => message.payload[0] ?? -1) ?? [];
}

const start = (files: ReadonlyMap<string, Buffer>): Promise<StoredBroker> =>
  StoredBroker.start({ disk: new MemoryDisk(new Map(files)) });

before(async () => {
  plain = await makeFolder(-1);
  compacted = await makeFolder(MESSAGES / 2);
});

test('a log that was cut anywhere has all that stood before the cut, and is not called damaged', async () => {
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
    // The publisher repeats its QoS 2 messages, released by nobody yet: none is taken twice.
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

test('a log of which only the length is on the disk is not called damaged', async () => {
  const files = new Map([...plain.files, ['shoal-00000002.log', Buffer.alloc(32)]]);
  const stored = await start(files);
  assert.equal(owed(stored).length, MESSAGES);
  assert.ok(!stored.lines.some((line) => line.includes('damaged')), stored.lines.join('\n'));
});

test('a flipped bit costs its block, never the start', async () => {
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
    // Blocks before the first message: the header, or the sessions on which all else hangs.
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

test('any damage to any file is survived', async () => {
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
    assert.deepEqual(left, [...new Set(left)], 'nothing twice');
    stored.journal.saveSession(session('new'));
    await stored.safe();
    const again = await stored.cut();
    assert.deepEqual(owed(again), left);
    assert.ok([...again.world.broker.sessions()].some(({ clientId }) => clientId === 'new'));
  }
});

test('a file of a newer release is refused, by name', async () => {
  const { encodeHeader } = await import('../../src/storage/file-format.ts');
  const { crc32 } = await import('../../src/storage/crc32.ts');
  const header = encodeHeader({ kind: 'log', needsSnapshot: false, generation: 9, run: 1n });
  header.writeUInt16LE(2, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  const files = new Map([...plain.files, ['shoal-00000009.log', header]]);
  await assert.rejects(start(files), {
    name: 'StorageError',
    message: /shoal-00000009\.log was written by a newer release \(format 2, this one knows 1\)/,
  });
});
