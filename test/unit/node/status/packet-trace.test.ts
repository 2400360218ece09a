// A trace sees the packets of a connection and changes none of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Administration } from '../../../../src/broker/administration.ts';
import type { ByteTap } from '../../../../src/broker/ports.ts';
import type { TracedPacket } from '../../../../src/http/node-api.ts';
import { PacketTrace } from '../../../../src/node/status/packet-trace.ts';

/** MQTT 3.1.1 allows a Remaining Length with more bytes than needed. */
const PADDED = Buffer.from([0x32, 0x87, 0x00, 0, 1, 0x74, 0, 9, 0x68, 0x69]);

test('a length with padding reaches the connection as it came', () => {
  const outbox: { tap?: ByteTap } = {};
  const administration = {
    connections: () => [{ client: 'c', version: 4, outbox }],
    watchConnects: () => () => undefined,
  } as unknown as Administration;
  const seen: TracedPacket[] = [];
  const options = { client: 'c', topic: undefined, payloadBytes: 64, seconds: 60 };
  const trace = new PacketTrace(
    administration,
    options,
    (packet) => seen.push(packet),
    () => undefined,
  );
  const chunk = Buffer.from(PADDED);
  outbox.tap?.received(chunk);
  trace.end();
  assert.deepEqual([seen[0]?.topic, seen[0]?.packetId, seen[0]?.payload], ['t', 9, 'hi']);
  assert.deepEqual(chunk, PADDED);
});
