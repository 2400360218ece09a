// Measures, on virtual time, what clients that connect with large wills do to a publisher with QoS 1 while
// the disk is slow: how long its PUBACKs take, how many CONNECTs the node accepts, and whether the journal
// gives up.
//   node --import tsx test/attack/slow-disk.ts [bytes of the disk in a second]

import type { Disk, WritableFile } from '../../src/storage/disk.ts';
import { Journal } from '../../src/storage/journal.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { World } from '../support/mqtt-world.ts';
import { SimulatedLoop } from '../support/simulated-loop.ts';
import * as wire from '../support/wire.ts';

const CONNECTS_PER_SECOND = 215;
const WILL_BYTES = 60_000;
/** A node closes connections that wait with more than this before their CONNECT is answered. */
const WAITING_MAX = 500;
const PUBLISH_EVERY_MS = 20;
const SECONDS = 40;
const SYNC_MS = 20;
const bytesPerSecond = Number(process.argv[2] ?? 3_000_000);

const loop = new SimulatedLoop(() => 1);

/** A disk in memory that writes no faster than the slow one. */
function slowed(disk: MemoryDisk): Disk {
  const later = (ms: number, done: (error: Error | null) => void) => (error: Error | null) => {
    loop.setTimeout(() => done(error), ms);
  };
  const slowFile = (file: WritableFile): WritableFile => ({
    write(buffers, position, done) {
      const bytes = buffers.reduce((sum, { length }) => sum + length, 0);
      file.write(buffers, position, later((bytes / bytesPerSecond) * 1000, done));
    },
    sync: (done) => file.sync(later(SYNC_MS, done)),
    close: (done) => file.close(done),
  });
  return {
    list: () => disk.list(),
    open: (name) => disk.open(name),
    cut: (name, length) => disk.cut(name, length),
    create: async (name) => slowFile(await disk.create(name)),
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncNames: () => disk.syncNames(),
  };
}

let gaveUp = 0;
const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (event: string) => {
    if (event.includes('too slow')) gaveUp += 1;
  },
};
const disk = new MemoryDisk();
disk.timers = loop;
const now = (): { wall: number; mono: number } => ({ wall: loop.now, mono: loop.now });
const opening = Journal.open({ folder: 'memory', disk: slowed(disk), log, now, timers: loop });
let journal: Journal | undefined;
void opening.then((opened) => {
  journal = opened.journal;
});
while (journal === undefined) await loop.turn();
const world = new World(
  { sessionsMax: 1e6, connectionsMax: 1e6 },
  { store: journal, now: loop.now },
);
journal.useCapture((writer) => world.broker.exportState(writer, loop.now));

const stored = { properties: { sessionExpiryInterval: 3600 } };
const watcher = world.open();
watcher.send(wire.connect({ clientId: 'watcher', ...stored }));
const publisher = world.open();
publisher.send(wire.connect({ clientId: 'publisher' }));
for (let i = 0; i < 1000 && watcher.inbox.length === 0; i++) await loop.turn();
watcher.send(wire.subscribe(5, 1, [{ filter: 'innocent', qos: 1 }]));
watcher.inbox.length = 0;

const sentAt = new Map<number, number>();
const latencies: number[] = [];
const waiting = new Set<ReturnType<World['open']>>();
let connects = 0;
let accepted = 0;
for (let ms = 0; ms < SECONDS * 1000; ms++) {
  world.now = loop.now;
  while (waiting.size < WAITING_MAX && connects < (ms * CONNECTS_PER_SECOND) / 1000) {
    connects += 1;
    const client = world.open();
    const will = { topic: 'w', payload: Buffer.alloc(WILL_BYTES) };
    client.send(wire.connect({ clientId: `will-${connects % 5000}`, will, ...stored }));
    waiting.add(client);
  }
  for (const client of waiting) {
    if (client.inbox.length === 0) continue;
    accepted += 1;
    waiting.delete(client);
    client.leave();
  }
  if (ms % PUBLISH_EVERY_MS === 0) {
    const id = ((ms / PUBLISH_EVERY_MS) % 60_000) + 1;
    sentAt.set(id, loop.now);
    publisher.send(wire.publish(5, { topic: 'innocent', payload: 'x', qos: 1, id }));
  }
  for (const { type, id } of publisher.inbox.splice(0)) {
    const at = sentAt.get(id);
    if (type === 'puback' && at !== undefined) latencies.push(loop.now - at);
    sentAt.delete(id);
  }
  for (const packet of watcher.inbox.splice(0)) {
    if (packet.type === 'publish') watcher.acknowledge(packet);
  }
  await loop.turn();
}
for (const at of sentAt.values()) latencies.push(loop.now - at);
latencies.sort((a, b) => a - b);
const at = (share: number): string =>
  `${Math.round(latencies[Math.floor(latencies.length * share)] ?? 0)} ms`;
process.stdout.write(
  `${CONNECTS_PER_SECOND} CONNECTs/s with wills of ${WILL_BYTES} bytes, disk ${bytesPerSecond} bytes/s: ` +
    `PUBACK p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(0.9999)}; ${sentAt.size} without PUBACK; ` +
    `${accepted} CONNECTs accepted in ${SECONDS} s; the journal gave up ${gaveUp} times\n`,
);
process.exit();
