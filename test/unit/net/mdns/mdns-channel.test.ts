// Which listeners are announced on an interface, and with which addresses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostLink } from '../../../../src/net/cluster/links.ts';
import { factsOf, type OfferedService } from '../../../../src/net/mdns/mdns-channel.ts';

function linksWith(...addresses: string[]): HostLink[] {
  return addresses.map((address) => ({
    interfaceName: 'eth0',
    zone: 'eth0',
    address,
    prefixBits: address.includes(':') ? 64 : 24,
    isIpv6: address.includes(':'),
    broadcast: address.includes(':') ? undefined : '192.168.1.255',
  }));
}

function mqttOn(bind: string | undefined, port = 1883): OfferedService {
  return { type: '_mqtt._tcp', port, path: undefined, bind };
}

test('a listener is announced where it is bound, with the addresses that it accepts on', () => {
  const all = ['192.168.1.7', '192.168.1.8', 'fd00::7'];
  const links = linksWith(...all);
  assert.deepEqual(factsOf(links, [mqttOn('::')], []).addresses, all);
  assert.deepEqual(factsOf(links, [mqttOn('0.0.0.0')], []).addresses, all.slice(0, 2));
  assert.deepEqual(factsOf(links, [mqttOn('192.168.1.8')], []).addresses, ['192.168.1.8']);
  const elsewhere = factsOf(links, [mqttOn('10.0.0.1'), mqttOn('192.168.1.7', 1884)], []);
  assert.deepEqual(
    elsewhere.services.map(({ port }) => port),
    [1884],
  );
  assert.deepEqual(factsOf(links, [mqttOn('10.0.0.1')], []).addresses, []);
});

test('the address of the clients is that of the site, and not one of this box', () => {
  const facts = factsOf(linksWith('192.168.1.7', '192.168.1.10'), [mqttOn('::')], ['192.168.1.10']);
  assert.deepEqual(facts.addresses, ['192.168.1.7']);
  assert.deepEqual(facts.held, ['192.168.1.10']);
  const without = factsOf(linksWith('192.168.1.7'), [mqttOn('::')], ['192.168.1.10']);
  assert.deepEqual(without.held, []);
});

test('of several nodes that hold one address each, one has the right to the name of the site', () => {
  const clients = ['10.0.0.10', '192.168.1.10', '192.168.1.11', 'fd00::10'];
  const heldBy = (...addresses: string[]): readonly string[] =>
    factsOf(linksWith('192.168.1.7', 'fd00::7', ...addresses), [mqttOn('::')], clients).held;
  assert.deepEqual(heldBy('192.168.1.10', 'fd00::10'), ['192.168.1.10', 'fd00::10']);
  assert.deepEqual(heldBy('192.168.1.11', 'fd00::10'), []);
});
