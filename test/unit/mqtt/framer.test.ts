import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Framer } from '../../../src/mqtt/framer.ts';
import { seededRandom } from '../../support/random.ts';
import { packet } from '../../support/wire.ts';

function framesOf(framer: Framer): Buffer[] {
  const frames: Buffer[] = [];
  for (;;) {
    const found = framer.next();
    assert.ok(found === true || found === false, JSON.stringify(found));
    if (!found) return frames;
    frames.push(Buffer.from(framer.buffer.subarray(framer.start, framer.end)));
  }
}

test('packets come out whole however the stream is cut', () => {
  const random = seededRandom(7);
  for (let round = 0; round < 300; round++) {
    const packets = Array.from({ length: 8 }, () =>
      packet(0x30, Buffer.alloc(Math.floor(random() ** 4 * 40_000), round)),
    );
    const stream = Buffer.concat(packets);
    const framer = new Framer(100_000);
    const found: Buffer[] = [];
    for (let at = 0; at < stream.length; ) {
      const end = at + 1 + Math.floor(random() * (random() < 0.5 ? 3 : 9_000));
      framer.push(stream.subarray(at, end));
      found.push(...framesOf(framer));
      at = end;
    }
    assert.deepEqual(found, packets);
  }
});

function memoryBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Buffers are freed in the background; the second time waits for the first.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('a large packet takes memory as it comes, not more than about its size, byte by byte too', () => {
  const head = packet(0x30, Buffer.alloc(1_000_000)).subarray(0, 20);
  const before = memoryBytes();
  const framers = Array.from({ length: 20 }, () => new Framer(2_000_000));
  for (const framer of framers) {
    framer.push(head);
    assert.equal(framer.next(), false);
    framer.push(Buffer.from([7]));
  }
  const announced = memoryBytes() - before;
  assert.ok(announced < 1_000_000, `${announced} bytes for announcements`);
  const [framer] = framers;
  for (let i = 0; i < 300_000; i++) framer?.push(Buffer.from([7]));
  const held = memoryBytes() - before;
  assert.equal(framer?.holding, true);
  assert.ok(held < 3_000_000, `${held} bytes for 300,000`);
});

test('a packet over the limit is refused on its announcement, one at the limit passes', () => {
  const framer = new Framer(102);
  framer.push(Buffer.from([0x30, 101]));
  assert.deepEqual(framer.next(), {
    reasonCode: 0x95,
    text: 'the packet is larger than the Maximum Packet Size',
  });
  const exact = new Framer(102);
  exact.push(Buffer.concat([Buffer.from([0x30, 100]), Buffer.alloc(100)]));
  assert.equal(exact.next(), true);
});

for (const [name, bytes] of [
  ['five bytes long', [0x30, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ['longer than it need be', [0x30, 0x80, 0x00]],
] as const) {
  test(`a Remaining Length that is ${name} is malformed [MQTT5-1.5.5-1]`, () => {
    const framer = new Framer(1_000_000_000);
    framer.push(Buffer.from(bytes));
    const found = framer.next();
    assert.ok(typeof found === 'object');
    assert.equal(found.reasonCode, 0x81);
  });
}
