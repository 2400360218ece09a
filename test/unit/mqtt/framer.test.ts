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

test('packets come out whole wherever the stream is cut', () => {
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

test('only the packet that is cut is copied: those behind it stay in their chunk', () => {
  const [cut, second, third] = [1, 2, 3].map((byte) => packet(0x30, Buffer.alloc(1000, byte)));
  const framer = new Framer(100_000);
  framer.push(cut!.subarray(0, 400));
  assert.equal(framer.next(), false);
  const chunk = Buffer.concat([cut!.subarray(400), second!, third!, cut!.subarray(0, 1)]);
  framer.push(chunk);
  assert.equal(framer.next(), true);
  assert.notEqual(framer.buffer, chunk);
  assert.deepEqual(framer.buffer, cut);
  assert.equal(framer.isDrained, false, 'the chunk has more');
  assert.ok(framer.heldBytes >= chunk.length, 'the chunk counts while it is needed');
  for (let i = 0; i < 2; i++) {
    assert.equal(framer.next(), true);
    assert.equal(framer.buffer, chunk);
  }
  assert.equal(framer.next(), false);
  assert.equal(framer.isHolding, true);
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

test('a large packet takes memory as it arrives, about its own size at most, even byte by byte', () => {
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
  assert.equal(framer?.isHolding, true);
  assert.ok(held < 3_000_000, `${held} bytes for 300,000`);
});

test('a packet over the limit is refused as soon as its length arrives, one at the limit is accepted', () => {
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

test('a Remaining Length of five bytes is malformed [MQTT5-1.5.5-1]', () => {
  const framer = new Framer(1_000_000_000);
  framer.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]));
  const found = framer.next();
  assert.ok(typeof found === 'object');
  assert.equal(found.reasonCode, 0x81);
});

test('a padded Remaining Length is rewritten, and refused where the caller does not allow it', () => {
  const padded = Buffer.from([0x30, 0x83, 0x80, 0x00, 0, 1, 0x74]);
  const framer = new Framer(100);
  framer.push(Buffer.from(padded));
  assert.equal(framer.next(), true);
  assert.equal(framer.hasSeenPadding, true);
  const { buffer, start, bodyStart, end } = framer;
  assert.deepEqual([...buffer.subarray(start, end)], [0x30, 3, 0, 1, 0x74]);
  assert.equal(bodyStart, start + 2);
  framer.allowsPadding = false;
  framer.push(padded);
  assert.deepEqual(framer.next(), {
    reasonCode: 0x81,
    text: 'the Remaining Length is not a Variable Byte Integer',
  });
});

/** Runs `work` and counts the bytes that buffers copy meanwhile. */
function bytesCopied(work: () => void): number {
  const { prototype } = Buffer;
  const { copy } = prototype;
  const { concat, from } = Buffer;
  let bytes = 0;
  prototype.copy = function (...args: Parameters<typeof copy>) {
    const copied = copy.apply(this, args);
    bytes += copied;
    return copied;
  };
  const counted = <B extends Buffer>(buffer: B): B => {
    bytes += buffer.length;
    return buffer;
  };
  Buffer.concat = (...args) => counted(concat(...args));
  Buffer.from = ((...args: Parameters<typeof from>) => counted(from(...args))) as typeof from;
  try {
    work();
  } finally {
    prototype.copy = copy;
    Object.assign(Buffer, { concat, from });
  }
  return bytes;
}

for (const segmentBytes of [1, 1_400, 65_536]) {
  test(`a packet of 1 MB in segments of ${segmentBytes} bytes is copied about twice`, () => {
    const payload = Buffer.alloc(1_000_000, 7);
    const packetBytes = packet(0x30, payload);
    const framer = new Framer(2_000_000);
    let found: boolean | object = false;
    const copied = bytesCopied(() => {
      for (let at = 0; at < packetBytes.length; at += segmentBytes) {
        framer.push(packetBytes.subarray(at, at + segmentBytes));
        found = framer.next();
        assert.equal(typeof found, 'boolean');
      }
    });
    assert.equal(found, true);
    assert.ok(framer.buffer.subarray(framer.start, framer.end).equals(packetBytes));
    assert.ok(copied < packetBytes.length * 2.1, `${copied} bytes were copied`);
  });
}

test('a stream gives the same packets whole and byte by byte', () => {
  const random = seededRandom(11);
  const packets = Array.from({ length: 40 }, (_, index) =>
    packet(0x30, Buffer.alloc(Math.floor(random() ** 3 * 3_000), index)),
  );
  const stream = Buffer.concat(packets);
  const whole = new Framer(10_000);
  whole.push(Buffer.from(stream));
  const bytewise = new Framer(10_000);
  const found: Buffer[] = [];
  for (let at = 0; at < stream.length; at++) {
    bytewise.push(stream.subarray(at, at + 1));
    found.push(...framesOf(bytewise));
  }
  assert.deepEqual(framesOf(whole), packets);
  assert.deepEqual(found, packets);
});
