import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { test } from 'node:test';
import { addressToBytes, bytesToAddress, normalAddress } from '../../../src/shared/ip-address.ts';
import { seededRandom } from '../../support/random.ts';

test('IPv6 is written as the system writes it', () => {
  const random = seededRandom(1);
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.alloc(16);
    // Many zero groups, so that every way of shortening occurs.
    for (let group = 0; group < 8; group++) {
      if (random() < 0.5) bytes.writeUInt16BE(Math.floor(random() * 0x10000), group * 2);
    }
    bytes[0] = 0x20;
    const text = bytesToAddress(bytes);
    assert.equal(text, new SocketAddress({ address: text, family: 'ipv6' }).address);
    assert.deepEqual(addressToBytes(text), bytes);
  }
});

test('every address has a single text', () => {
  assert.equal(normalAddress('FD00:0:0::0012'), 'fd00::12');
  assert.equal(normalAddress('::ffff:10.1.2.3'), '10.1.2.3');
  assert.equal(normalAddress('0:0:0:0:0:0:0:1'), '::1');
  assert.equal(normalAddress('10.1.2.3'), '10.1.2.3');
});

test('text that is no address has no bytes', () => {
  for (const text of ['', 'box', '1.2.3', '1.2.3.256', '1.2.3.4.5', ':', ':::', '1::2::3', 'g::']) {
    assert.equal(addressToBytes(text), undefined, text);
  }
  for (const text of ['1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::1:2:3:4:5:6:7:8', 'fe80::1%eth0']) {
    assert.equal(addressToBytes(text), undefined, text);
  }
});
