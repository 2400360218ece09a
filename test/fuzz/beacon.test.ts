// Random bytes, damaged beacons, and authentic beacons with random bodies. Nothing throws, and nothing that is
// not authentic is read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Beacon } from '../../src/discovery/beacon.ts';
import { BEACON_BODY_BYTES, decodeBeacon, encodeBeacon } from '../../src/discovery/beacon-codec.ts';
import {
  BEACON_BYTES,
  isBeacon,
  openBeacon,
  sealBeacon,
} from '../../src/net/cluster/beacon-seal.ts';
import { deriveKeyRing } from '../../src/shared/key-ring.ts';
import { seededRandom } from '../support/random.ts';

const RUNS = 20_000;
const SEED = Number(process.env.SHOAL_FUZZ_SEED ?? Math.floor(Math.random() * 1e9));
const { beacon: keys } = await deriveKeyRing(['token'], 'fuzz');

test(`no bytes are taken for a beacon (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const below = (limit: number): number => Math.floor(random() * limit);
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)));
  for (let run = 0; run < RUNS; run++) {
    const datagram = bytes(below(2) === 0 ? BEACON_BYTES : below(200));
    if (datagram.length > 2 && below(2) === 0) Buffer.from('534201', 'hex').copy(datagram);
    isBeacon(datagram);
    assert.ok(typeof openBeacon(keys, datagram) === 'string');
  }
});

test(`an authentic beacon with any body does no harm (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const below = (limit: number): number => Math.floor(random() * limit);
  let answers = 0;
  let contacts = 0;
  const beacon = new Beacon(
    { bootId: 1n, gossipPort: 7946, random },
    {
      call: () => undefined,
      answer: () => {
        answers += 1;
      },
      found: () => {
        contacts += 1;
      },
      memberOf: () => undefined,
      onlineBoots: () => [],
    },
    0,
  );
  beacon.setLinks(0, [{ address: '192.168.1.1', prefixBits: 24 }]);
  for (let run = 0; run < RUNS; run++) {
    const body = Buffer.from(Array.from({ length: BEACON_BODY_BYTES }, () => below(256)));
    body[0] = below(4);
    const opened = openBeacon(keys, sealBeacon(keys, body));
    assert.ok(typeof opened !== 'string');
    const message = decodeBeacon(opened);
    if (message === undefined) continue;
    assert.deepEqual(decodeBeacon(encodeBeacon(message)), message);
    const { address } = message.endpoint;
    beacon.handle(0, { address, port: 1 }, message);
  }
  assert.ok(answers <= 20, `${answers} answers within one moment`);
  assert.equal(contacts, 0);
});
