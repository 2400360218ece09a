import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findHostAddress } from '../../../src/net/host-address.ts';
import { OwnAddresses } from '../../../src/node/own-addresses.ts';

const ALL = { address: '::', port: 1883 };
const listeners = [
  { protocol: 'tcp', local: ALL },
  { protocol: 'wss', local: { address: '0.0.0.0', port: 9001 } },
  { protocol: 'tls', local: { address: '127.0.0.1', port: 8883 } },
] as const;

test('clients reach a listener for all addresses where the other nodes see this one', () => {
  const addresses = new OwnAddresses(listeners, () => ({ address: 'fd00::7', port: 7946 }));
  assert.deepEqual(addresses.clientUrls, [
    'mqtt://[fd00::7]:1883',
    'wss://[fd00::7]:9001/mqtt',
    'mqtts://127.0.0.1:8883',
  ]);
  addresses.close();
});

test('while no other machine sees this node it has the address that the system names', async () => {
  const host = await findHostAddress();
  for (const seen of [undefined, ALL, { address: '127.0.0.1', port: 7946 }]) {
    const addresses = new OwnAddresses([], () => seen);
    // Asked for before this, and so answered before it.
    await findHostAddress();
    assert.equal(addresses.reachable(ALL).address, host);
    addresses.close();
  }
});
