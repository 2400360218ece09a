import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrameHeader, FrameReader, Opcode } from '../../../src/net/websocket-frames.ts';

const FIN = 0x80;

/** A frame as a client sends it, masked unless told otherwise. */
function frame(
  first: number,
  payload: Buffer | string = '',
  mask: Buffer | null = Buffer.from('a1b2'),
) {
  const body = Buffer.from(payload);
  const { length } = body;
  const lengthBytes =
    length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : undefined;
  const head = Buffer.from([first, ...(lengthBytes ?? [127, 0, 0, 0, 0, 0, 0, 0, 0])]);
  if (lengthBytes === undefined) head.writeBigUInt64BE(BigInt(length), 2);
  if (mask === null) return Buffer.concat([head, body]);
  head[1] = (head[1] ?? 0) | 0x80;
  for (let i = 0; i < length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return Buffer.concat([head, mask, body]);
}

/** What a reader makes of the bytes when they come in pieces of this size. */
function read(bytes: Buffer, pieceBytes = bytes.length) {
  const seen = { data: '', controls: [] as string[], fault: undefined as number | undefined };
  const reader = new FrameReader({
    handleData: (piece) => (seen.data += piece.toString('latin1')),
    handleControl: (opcode, payload) => seen.controls.push(`${opcode} ${payload}`),
    handleFault: (code) => (seen.fault = code),
  });
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    reader.push(Buffer.from(bytes.subarray(at, at + pieceBytes)));
  }
  return seen;
}

test('the bytes of binary messages come out in order, however they are cut', () => {
  const long = 'x'.repeat(300) + 'y'.repeat(70_000);
  const bytes = Buffer.concat([
    frame(FIN | Opcode.binary, 'one '),
    frame(Opcode.binary, 'two '),
    frame(FIN | Opcode.ping, 'in between'),
    frame(Opcode.continuation, ''),
    frame(FIN | Opcode.continuation, 'three '),
    frame(FIN | Opcode.binary, 'z'.repeat(126)),
    frame(FIN | Opcode.binary, long),
    frame(FIN | Opcode.pong, ''),
  ]);
  for (const pieceBytes of [1, 2, 3, 7, 64, 1000, bytes.length]) {
    const { data, controls, fault } = read(bytes, pieceBytes);
    assert.equal(data, `one two three ${'z'.repeat(126)}${long}`);
    assert.deepEqual(controls, ['9 in between', '10 ']);
    assert.equal(fault, undefined);
  }
});

test('data is handed on before its frame has ended', () => {
  const whole = frame(FIN | Opcode.binary, 'x'.repeat(1000));
  assert.equal(read(whole.subarray(0, 100)).data.length, 100 - 8);
});

test('what breaks RFC 6455 is told with 1002, a text frame with 1003', () => {
  const faults: [string, number, Buffer][] = [
    ['not masked', 1002, frame(FIN | Opcode.binary, 'x', null)],
    ['a reserved bit', 1002, frame(FIN | 0x40 | Opcode.binary, 'x')],
    ['an unknown data opcode', 1002, frame(FIN | 3, 'x')],
    ['an unknown control opcode', 1002, frame(FIN | 11, 'x')],
    ['a fragmented ping', 1002, frame(Opcode.ping, 'x')],
    ['a long ping', 1002, frame(FIN | Opcode.ping, 'x'.repeat(126))],
    ['a continuation of nothing', 1002, frame(FIN | Opcode.continuation, 'x')],
    [
      'a message within a message',
      1002,
      Buffer.concat([frame(Opcode.binary), frame(Opcode.binary)]),
    ],
    ['an impossible length', 1002, Buffer.from(`82ff${'f'.repeat(16)}00000000`, 'hex')],
    ['text', 1003, frame(FIN | Opcode.text, 'x')],
  ];
  for (const [name, code, bytes] of faults) {
    const after = frame(FIN | Opcode.binary, 'later');
    for (const pieceBytes of [1, 1000]) {
      const { data, fault } = read(Buffer.concat([bytes, after]), pieceBytes);
      assert.equal(fault, code, name);
      assert.equal(data, '', `${name}: nothing is read after it`);
    }
  }
});

test('any bytes at all end in data, controls or one fault', () => {
  let state = Number(process.env.SEED ?? 11);
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  };
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(Array.from({ length: 1 + (next() % 40) }, () => next() & 255));
    // Most begin like a frame that is right, so that more than the first check is met.
    if (round % 4 !== 0) bytes[0] = FIN | (next() % 2 === 0 ? Opcode.binary : Opcode.ping);
    if (bytes.length > 1 && round % 4 > 1) bytes[1] = 0x80 | (next() % 10);
    const whole = read(bytes);
    assert.deepEqual(read(bytes, 1), whole, `round ${round}`);
    assert.ok(whole.data.length <= bytes.length);
  }
});

test('headers of a server are as short as the length allows, and without a mask', () => {
  for (const [length, hex] of [
    [0, '8200'],
    [125, '827d'],
    [126, '827e007e'],
    [65_535, '827effff'],
    [65_536, '827f0000000000010000'],
    [5_000_000_000, '827f000000012a05f200'],
  ] as const) {
    assert.equal(encodeFrameHeader(Opcode.binary, length).toString('hex'), hex);
  }
});
