// Clients that send damaged, truncated, mixed-up or random bytes, in pieces of any size: nothing
// throws, whatever comes back is well-formed, other clients notice nothing, and nothing stays behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestClient, World } from '../support/mqtt-world.ts';
import { seededRandom } from '../support/random.ts';
import * as wire from '../support/wire.ts';

const ROUNDS = Number(process.env.SHOAL_FUZZ_ROUNDS ?? 4_000);
const SEED = Number(process.env.SHOAL_FUZZ_SEED ?? 20_261_120);

const will: wire.WillFields = { topic: 'will', payload: 'gone', qos: 1, retain: true };
const properties = { userProperty: [['k', 'v']] as [string, string][], contentType: 'text' };

/** One packet of every kind that a client sends, in all versions. */
function corpus(version: wire.Version): Buffer[] {
  const modern = version === 5;
  const packets = [
    wire.connect({ version, clientId: 'fuzz', will, username: 'u', password: 'p' }),
    wire.publish(version, { topic: 'a/b', payload: 'x' }),
    wire.publish(version, { topic: 'a/b', payload: 'x', qos: 1, id: 7, retain: true }),
    wire.publish(version, { topic: 'a/b', payload: 'x', qos: 2, id: 8 }),
    wire.ack('puback', 1),
    wire.ack('pubrec', 2),
    wire.ack('pubrel', 8),
    wire.ack('pubcomp', 2),
    wire.subscribe(version, 3, ['a/+', '$share/g/a/#', '#']),
    wire.unsubscribe(version, 4, ['a/+', 'b']),
    wire.PINGREQ,
    wire.disconnect(),
  ];
  if (!modern) return packets;
  return [
    ...packets,
    wire.publish(version, { topic: 'a', payload: 'x', qos: 1, id: 9, properties }),
    wire.publish(version, { topic: 'a', properties: { topicAlias: 3, messageExpiryInterval: 9 } }),
    wire.publish(version, { topic: '', properties: { topicAlias: 3 } }),
    wire.subscribe(version, 5, ['x/#'], { subscriptionIdentifier: 77 }),
    wire.auth(0x18, { authenticationMethod: 'x' }),
    wire.disconnect(4, { sessionExpiryInterval: 9 }),
  ];
}

type Random = () => number;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

function damage(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  switch (below(random, 6)) {
    case 0:
      return copy;
    case 1:
      copy[below(random, copy.length)] = below(random, 256);
      return copy;
    case 2: {
      const at = below(random, copy.length);
      copy[at] = copy[at]! ^ (1 << below(random, 8));
      return copy;
    }
    case 3:
      return copy.subarray(0, below(random, copy.length + 1));
    case 4: {
      const at = below(random, copy.length);
      return Buffer.concat([
        copy.subarray(0, at),
        Buffer.from([below(random, 256)]),
        copy.subarray(at),
      ]);
    }
    default:
      return Buffer.from(Array.from({ length: below(random, 40) }, () => below(random, 256)));
  }
}

function sendInPieces(client: TestClient, bytes: Buffer, random: Random): void {
  let at = 0;
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + 1 + below(random, random() < 0.5 ? 4 : 200));
    client.send(bytes.subarray(at, end));
    at = end;
  }
}

/** A damaged CONNECT may speak any version, so what comes back is not looked at. */
function sendBlindly(world: World, bytes: Buffer): void {
  const ignore = (): void => undefined;
  const outbox = {
    congested: false,
    write: ignore,
    close: ignore,
    pauseReading: ignore,
    resumeReading: ignore,
  };
  const client = world.broker.accept(outbox, { remoteAddress: '' }, world.now);
  client.receive(bytes, world.now);
  client.disconnected(world.now);
}

test('hostile bytes end at most their own connection', () => {
  const random = seededRandom(SEED);
  const world = new World({ sessionsMax: 500 });
  const witness = world.connect('witness');
  witness.subscribe([{ filter: 'witness', qos: 1 }]);
  const speaker = world.connect('speaker');
  for (let round = 0; round < ROUNDS; round++) {
    const version = ([3, 4, 5] as const)[below(random, 3)]!;
    const packets = corpus(version);
    const clientId = `fuzz-${below(random, 50)}`;
    const connect = wire.connect({ version, clientId, clean: random() < 0.5 });
    if (random() < 0.1) sendBlindly(world, damage(connect, random));
    const client = world.open(version);
    sendInPieces(client, connect, random);
    for (let i = below(random, 12); i > 0; i--) {
      sendInPieces(client, damage(packets[below(random, packets.length)]!, random), random);
    }
    if (random() < 0.1) world.advance(below(random, 20_000));
    client.lose();
    speaker.publish('witness', String(round), { qos: 1 });
    assert.deepEqual(witness.payloads(), [String(round)], `seed ${SEED}, round ${round}`);
  }
  assert.ok(world.broker.sessionCount <= 51 + 1 + ROUNDS / 10, 'sessions stay bounded');
  assert.equal(world.broker.stats.clientsConnected, 2);
});

test('a length that announces more than the limit is refused before anything is kept', () => {
  const world = new World({ packetBytesMax: 1000 });
  const client = world.connect('big');
  client.send(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
  client.expectEnded(0x95);
});
