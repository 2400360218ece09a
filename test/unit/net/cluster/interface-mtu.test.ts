import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import {
  datagramBytesTo,
  type InterfaceSource,
} from '../../../../src/net/cluster/interface-mtu.ts';

/** What Linux reports for a buffer of 4 MB. */
const BUFFER_BYTES = 8 * 1024 * 1024;
/** Of Linux, where no one has raised the limit. */
const SMALL_BUFFER_BYTES = 425_984;

const MTU: Record<string, number> = {
  lo: 65_536,
  eth0: 1500,
  jumbo0: 9000,
  fddi0: 4352,
  tun0: 1280,
};

function info(cidr: string): NetworkInterfaceInfo {
  return { address: cidr.split('/')[0]!, cidr } as NetworkInterfaceInfo;
}

const box: InterfaceSource = {
  interfaces: () => ({
    lo: [info('127.0.0.1/8'), info('::1/128')],
    eth0: [info('192.168.1.10/24'), info('fe80::1/64')],
    jumbo0: [info('10.9.0.1/16'), info('fd00:9::1/64')],
    fddi0: [info('10.4.0.1/16')],
    tun0: [info('10.12.0.1/16')],
  }),
  mtuOf: (name) => MTU[name],
};

for (const [address, bytes, why] of [
  ['192.168.1.20', 1400, 'Ethernet'],
  ['10.9.3.3', 8952, 'jumbo frames'],
  ['fd00:9::20', 8952, 'jumbo frames over IPv6'],
  ['10.4.0.2', 4200, 'between the two'],
  ['10.12.0.2', 1200, 'a tunnel'],
  ['127.0.0.1', 65_000, 'loopback'],
  ['192.168.1.10', 65_000, 'an own address is reached over loopback'],
  ['8.8.8.8', 1400, 'behind a router'],
  ['fd00:77::1', 1400, 'behind a router, IPv6'],
] as const) {
  test(`${why}: ${bytes} bytes to ${address}`, () => {
    assert.equal(datagramBytesTo(address, BUFFER_BYTES, box), bytes);
  });
}

test('several datagrams fit into a small receive buffer', () => {
  assert.equal(datagramBytesTo('127.0.0.1', SMALL_BUFFER_BYTES, box), 32_000);
  assert.equal(datagramBytesTo('10.9.3.3', SMALL_BUFFER_BYTES, box), 8952);
  // The kernel keeps a record with each datagram.
  assert.equal(datagramBytesTo('127.0.0.1', 8 * 65_000, box), 32_000);
});

test('on a system that shows neither MTU nor interfaces, datagrams have the size of Ethernet', () => {
  assert.equal(datagramBytesTo('10.9.3.3', BUFFER_BYTES, { ...box, mtuOf: () => undefined }), 1400);
  const interfaces = (): never => {
    throw new Error('EMFILE');
  };
  assert.equal(datagramBytesTo('10.9.3.3', BUFFER_BYTES, { ...box, interfaces }), 1400);
});
