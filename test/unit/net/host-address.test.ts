import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { findHostAddress } from '../../../src/net/host-address.ts';

const noRoute = async (): Promise<undefined> => undefined;

function card(address: string, internal = false): NetworkInterfaceInfo {
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  return { address, family, internal } as NetworkInterfaceInfo;
}

test('the address of this machine is that of its default route', async () => {
  const routed = async (family: string): Promise<string | undefined> =>
    family === 'udp4' ? '192.168.1.100' : undefined;
  const list = () => ({ eth0: [card('10.0.0.1')], wlan0: [card('192.168.1.100')] });
  assert.equal(await findHostAddress({ routed, list }), '192.168.1.100');
});

test('without a default route it is that of a network card, not of a container or a link', async () => {
  const list = () => ({
    lo: [card('127.0.0.1', true)],
    docker0: [card('172.17.0.1')],
    eth1: [card('169.254.7.7'), card('fe80::1')],
    eth0: [card('fd00::7'), card('10.0.0.7')],
  });
  assert.equal(await findHostAddress({ routed: noRoute, list }), '10.0.0.7');
  const onlyIpv6 = () => ({ eth0: [card('fe80::1'), card('fd00::7')] });
  assert.equal(await findHostAddress({ routed: noRoute, list: onlyIpv6 }), 'fd00::7');
  const onlyDocker = () => ({ docker0: [card('172.17.0.1')] });
  assert.equal(await findHostAddress({ routed: noRoute, list: onlyDocker }), '172.17.0.1');
});

test('a machine without a network, or without a free file descriptor, has its loopback address', async () => {
  const none = () => ({ lo: [card('127.0.0.1', true)] });
  assert.equal(await findHostAddress({ routed: noRoute, list: none }), '127.0.0.1');
  const failing = (): never => {
    throw new Error('uv_interface_addresses returned Unknown system error 24');
  };
  assert.equal(await findHostAddress({ routed: noRoute, list: failing }), '127.0.0.1');
});

test('this machine has an address, and asking for it sends nothing', async () => {
  assert.match(await findHostAddress(), /^[\da-f.:]+$/);
});
