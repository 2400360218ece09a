import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameCounter } from '../../../../src/net/clients/frame-counter.ts';

const MASK = Buffer.alloc(4);

function frame(payloadBytes: number, isMasked: boolean): Buffer {
  const bit = isMasked ? 0x80 : 0;
  const header = Buffer.alloc(10);
  header[0] = 0x82;
  let headerBytes = 2;
  if (payloadBytes < 126) {
    header[1] = bit | payloadBytes;
  } else if (payloadBytes < 65_536) {
    header[1] = bit | 126;
    headerBytes += header.writeUInt16BE(payloadBytes, 2) - 2;
  } else {
    header[1] = bit | 127;
    headerBytes = header.writeBigUInt64BE(BigInt(payloadBytes), 2);
  }
  // A payload of bytes that look like headers.
  const payload = Buffer.alloc(payloadBytes, 0x80);
  return Buffer.concat([
    header.subarray(0, headerBytes),
    isMasked ? MASK : MASK.subarray(4),
    payload,
  ]);
}

test('frames are counted alike wherever their bytes are cut, with and without masks', () => {
  const sizes = [0, 0, 1, 125, 126, 65_535, 0, 65_536, 2];
  for (const isMasked of [true, false]) {
    const bytes = Buffer.concat(sizes.map((size) => frame(size, isMasked)));
    for (const chunkBytes of [1, 2, 3, 7, 1000, bytes.length]) {
      const counter = new FrameCounter();
      let frames = 0;
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        frames += counter.count(bytes.subarray(at, at + chunkBytes));
      }
      assert.equal(frames, sizes.length, `chunks of ${chunkBytes} bytes`);
    }
  }
});
