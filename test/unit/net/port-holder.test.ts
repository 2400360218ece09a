import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { describePortHolder } from '../../../src/net/port-holder.ts';

const skip = process.platform !== 'linux' && 'needs /proc';

test('the program that has a port is named with its process', { skip }, async (t) => {
  const tcp = createServer().listen(0, '127.0.0.1');
  const udp = dgram.createSocket('udp6').bind(0, '::1');
  t.after(() => {
    tcp.close();
    udp.close();
  });
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening')]);
  const { port } = tcp.address() as { port: number };
  const holder = new RegExp(`^\\S+ \\(pid ${process.pid}\\)$`);
  assert.match(describePortHolder('tcp', port), holder);
  assert.match(describePortHolder('udp', udp.address().port), holder);
});

test('a port without a holder is that of another program', () => {
  assert.equal(describePortHolder('tcp', 0), 'another program');
});
