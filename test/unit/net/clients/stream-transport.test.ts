// A stream of the program as a transport.

import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import { StreamTransport } from '../../../../src/net/clients/stream-transport.ts';

test('the other end may change what it gets: the broker repeats the bytes that it keeps', () => {
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      chunk.fill(0);
      done();
    },
  });
  const transport = new StreamTransport(stream);
  const kept = Buffer.from('packet');
  transport.write(kept);
  assert.equal(kept.toString(), 'packet');
  transport.destroy();
});

test('the core gets bytes that it may change, so that the other end can write a packet twice', () => {
  const stream = new PassThrough();
  const transport = new StreamTransport(stream);
  const received: Buffer[] = [];
  transport.on('data', (chunk: Buffer) => received.push(chunk));
  const packet = Buffer.from('packet');
  stream.emit('data', packet);
  received[0]?.fill(0);
  assert.equal(received.length, 1);
  assert.equal(packet.toString(), 'packet');
  transport.destroy();
});
