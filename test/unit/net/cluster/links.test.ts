import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { LINKS_MAX, listLinks } from '../../../../src/net/cluster/links.ts';

function ipv4(address: string, prefixBits: number, internal = false): NetworkInterfaceInfo {
  const cidr = `${address}/${prefixBits}`;
  return { address, netmask: '', family: 'IPv4', mac: '', internal, cidr };
}

function ipv6(address: string, scopeid = 0): NetworkInterfaceInfo {
  return {
    address,
    netmask: '',
    family: 'IPv6',
    mac: '',
    internal: false,
    cidr: `${address}/64`,
    scopeid,
  };
}

function broadcasts(...interfaces: NetworkInterfaceInfo[]) {
  return listLinks(undefined, () => ({ eth0: interfaces })).map(({ broadcast }) => broadcast);
}

test('each network has its broadcast address', () => {
  assert.deepEqual(broadcasts(ipv4('192.168.1.7', 24)), ['192.168.1.255']);
  assert.deepEqual(broadcasts(ipv4('10.1.2.3', 8)), ['10.255.255.255']);
  assert.deepEqual(broadcasts(ipv4('172.16.5.1', 20)), ['172.16.15.255']);
});

test('a network of two addresses and an IPv6 network have none', () => {
  assert.deepEqual(broadcasts(ipv4('10.0.0.0', 31)), [undefined]);
  assert.deepEqual(broadcasts(ipv4('10.0.0.1', 32)), [undefined]);
  assert.deepEqual(broadcasts(ipv6('fd00::1')), [undefined]);
});

test('loopback and link-local IPv6 addresses are left out', () => {
  const links = listLinks(undefined, () => ({
    lo: [ipv4('127.0.0.1', 8, true)],
    eth0: [ipv4('192.168.1.7', 24), ipv6('fe80::1', 3), ipv6('fd00::7')],
  }));
  assert.deepEqual(
    links.map(({ address }) => address),
    ['192.168.1.7', 'fd00::7'],
  );
});

test('Windows names an interface by its number', () => {
  const list = () => ({ Ethernet: [ipv6('fe80::1', 12), ipv6('fd00::7')] });
  assert.equal(listLinks(undefined, list, 'win32')[0]?.zone, '12');
  assert.equal(listLinks(undefined, list, 'linux')[0]?.zone, 'Ethernet');
});

test('with -bind the network of this address remains', () => {
  const list = () => ({ eth0: [ipv4('192.168.1.7', 24)], eth1: [ipv4('10.0.0.7', 24)] });
  assert.deepEqual(
    listLinks('10.0.0.7', list).map(({ address }) => address),
    ['10.0.0.7'],
  );
});

test('a machine with hundreds of networks, or that lists none, does no harm', () => {
  const many = Array.from({ length: 300 }, (_, index) => ipv4(`10.0.${index % 256}.1`, 24));
  assert.equal(listLinks(undefined, () => ({ eth0: many })).length, LINKS_MAX);
  const refuses = () => {
    throw new Error('EMFILE');
  };
  assert.deepEqual(listLinks(undefined, refuses), []);
});
