// The data folder as a user meets it: kept over a restart, used by one process at a time, refused if a
// newer release wrote it, and repaired with a warning if it is damaged.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import mqtt from 'mqtt';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal-data-'));
const running = new Set<ShoalProcess>();
after(async () => {
  for (const shoal of running) await shoal.kill();
  rmSync(base, { recursive: true });
});

function start(folder: string): ShoalProcess {
  const shoal = new ShoalProcess(loopbackFlags('box', `-data=${join(base, folder)}`));
  running.add(shoal);
  return shoal;
}

const lasting = (clientId: string) => ({ clientId, clean: false, reconnectPeriod: 0 }) as const;

/** Leaves an absent subscriber, a message that is queued for it, and a retained message. */
async function fill(shoal: ShoalProcess): Promise<void> {
  const url = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
  const sub = await mqtt.connectAsync(url, lasting('sub'));
  await sub.subscribeAsync('waits/#', { qos: 2 });
  await sub.endAsync();
  const pub = await mqtt.connectAsync(url, lasting('pub'));
  await pub.publishAsync('waits/1', 'one', { qos: 1 });
  await pub.publishAsync('waits/2', 'two', { qos: 2 });
  await pub.publishAsync('kept', 'value', { qos: 1, retain: true });
  await pub.endAsync();
}

/** What the subscriber is sent when it comes back, and what is retained. */
async function read(shoal: ShoalProcess): Promise<string[]> {
  const url = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
  const found: string[] = [];
  const sub = mqtt.connect(url, lasting('sub'));
  const all = new Promise<void>((done) => {
    sub.on('message', (topic, payload) => {
      found.push(`${topic} ${payload}`);
      if (found.length === 3) done();
    });
  });
  await sub.subscribeAsync('kept', { qos: 1 });
  await all;
  await sub.endAsync();
  return found.sort();
}

const ALL = ['kept value', 'waits/1 one', 'waits/2 two'];

test('sessions, queued and retained messages survive an orderly stop', async () => {
  const first = start('stop');
  await fill(first);
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  const second = start('stop');
  assert.deepEqual(await read(second), ALL);
  await second.stop();
});

test('a second process on the same folder is refused, and the first keeps running', async () => {
  const first = start('shared');
  await fill(first);
  const second = start('shared');
  assert.equal((await second.exited).code, 5);
  assert.match(second.output, /shared is in use by another running Shoal/);
  assert.deepEqual(await read(first), ALL);
  await first.kill();
  const third = start('shared');
  await third.mqttPort();
  await third.stop();
});

test('a file of a newer release is refused with its name', async () => {
  const first = start('newer');
  await first.mqttPort();
  await first.stop();
  const [name = ''] = readdirSync(join(base, 'newer')).filter((one) => one.endsWith('.log'));
  const file = join(base, 'newer', name);
  const { crc32 } = await import('../../src/storage/crc32.ts');
  const bytes = readFileSync(file);
  bytes.writeUInt16LE(7, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28);
  writeFileSync(file, bytes);
  const second = start('newer');
  assert.equal((await second.exited).code, 5);
  assert.match(second.output, new RegExp(`${name} was written by a newer release`));
});

test('a damaged file is set aside with a warning, and the rest survives', async () => {
  const first = start('damaged');
  await fill(first);
  await first.kill();
  const [name = ''] = readdirSync(join(base, 'damaged')).filter((one) => one.endsWith('.log'));
  const file = join(base, 'damaged', name);
  const bytes = readFileSync(file);
  // In the header of the file.
  bytes[20]! ^= 0xff;
  writeFileSync(file, bytes);
  const second = start('damaged');
  await second.waitFor(/data file damaged/);
  await second.waitFor(/damaged file set aside/);
  assert.deepEqual(await read(second), ALL);
  assert.ok(readdirSync(join(base, 'damaged')).includes(`damaged-${name}`));
  await second.stop();
});
