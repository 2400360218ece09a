// shoal.local: on a link it leads to exactly one live node of the site.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressRecord, RecordType } from '../../../../src/discovery/mdns/dns-record.ts';
import { describe, MdnsWire, MQTT, type WireHost } from '../../../support/mdns-wire.ts';

const SETTLED_MS = 10_000;
const ADDRESS = '192.168.1.10';

/** Three boxes of one cluster; the first holds the name. */
function site(): { wire: MdnsWire; hosts: WireHost[] } {
  const wire = new MdnsWire();
  const names = ['box1', 'box2', 'box3'];
  const hosts = [wire.add('box1', '192.168.1.1')];
  wire.run(SETTLED_MS);
  hosts.push(wire.add('box2', '192.168.1.2'), wire.add('box3', '192.168.1.3'));
  wire.join(...names);
  wire.run(SETTLED_MS);
  return { wire, hosts };
}

function holders(hosts: readonly WireHost[]): string[] {
  return hosts.filter(({ responder }) => responder.isSiteHeld).map(({ address }) => address);
}

function hold(host: WireHost, now: number, ...held: string[]): void {
  host.responder.setFacts(now, { services: [MQTT], addresses: [host.address], held });
}

test('the first node holds the name, and those that come later leave it there', () => {
  const { wire, hosts } = site();
  assert.deepEqual(wire.resolve('shoal.local'), ['192.168.1.1']);
  assert.deepEqual(holders(hosts), ['192.168.1.1']);
  assert.deepEqual(
    hosts.map(({ responder }) => responder.siteName),
    ['shoal.local', 'shoal.local', 'shoal.local'],
  );
});

test('nodes that start at the same moment have one holder', () => {
  const wire = new MdnsWire();
  const hosts = [1, 2, 3, 4, 5].map((number) => wire.add(`box${number}`, `192.168.1.${number}`));
  wire.join('box1', 'box2', 'box3', 'box4', 'box5');
  wire.run(SETTLED_MS);
  assert.equal(holders(hosts).length, 1);
  assert.equal(wire.resolve('shoal.local').length, 1);
});

test('when the holder is lost another one answers within a second and a half', () => {
  const { wire, hosts } = site();
  wire.kill(hosts[0]!);
  wire.join('box2', 'box3');
  wire.run(1500);
  const [second] = wire.resolve('shoal.local');
  assert.ok(second === '192.168.1.2' || second === '192.168.1.3', second);
  assert.deepEqual(holders(hosts.slice(1)), [second]);
});

test('a node that was killed disappears from lists, and one that lives stays there', () => {
  const { wire, hosts } = site();
  wire.kill(hosts[1]!);
  const before = wire.said.length;
  wire.join('box1', 'box3');
  wire.run(1000);
  const said = wire.said.slice(before).flatMap(({ message }) => describe(message.answers));
  assert.ok(said.includes('PTR _mqtt._tcp.local box2._mqtt._tcp.local 0'), said.join('\n'));
  // The others take box3 for lost, and it hears that.
  const mistaken = wire.said.length;
  wire.join('box1');
  wire.run(2000);
  const corrected = wire.said.slice(mistaken).flatMap(({ message }) => describe(message.answers));
  assert.ok(corrected.includes('PTR _mqtt._tcp.local box3._mqtt._tcp.local 4500'));
});

test('when the holder stops another one answers at once', () => {
  const { wire, hosts } = site();
  hosts[0]!.responder.leave(wire.now);
  wire.kill(hosts[0]!);
  wire.run(1500);
  assert.equal(holders(hosts.slice(1)).length, 1);
});

test('a holder that vanished without its members noticing is replaced within two minutes', () => {
  const { wire, hosts } = site();
  wire.kill(hosts[0]!);
  wire.run(125_000);
  assert.equal(holders(hosts.slice(1)).length, 1);
});

test('after a partition one of the two holders gives the name up', () => {
  const { wire, hosts } = site();
  wire.unplug(hosts[1]!);
  hosts[1]!.responder.setOnline(wire.now, new Set());
  wire.run(SETTLED_MS);
  assert.deepEqual(holders(hosts), ['192.168.1.1', '192.168.1.2']);
  wire.plugIn(hosts[1]!);
  wire.join('box1', 'box2', 'box3');
  wire.resolve('shoal.local');
  wire.run(SETTLED_MS);
  assert.equal(holders(hosts).length, 1);
  assert.equal(wire.resolve('shoal.local').length, 1);
});

test('the node that holds the address of the clients takes the name, and it leads to that address', () => {
  const { wire, hosts } = site();
  hold(hosts[1]!, wire.now, ADDRESS);
  wire.run(100);
  assert.deepEqual(wire.resolve('shoal.local'), [ADDRESS]);
  wire.run(SETTLED_MS);
  assert.deepEqual(holders(hosts), ['192.168.1.2']);
  assert.deepEqual(wire.resolve('box2-shoal.local'), ['192.168.1.2']);
});

test('when that address moves the name follows it', () => {
  const { wire, hosts } = site();
  hold(hosts[1]!, wire.now, ADDRESS);
  wire.run(SETTLED_MS);
  hold(hosts[1]!, wire.now);
  hold(hosts[2]!, wire.now, ADDRESS);
  wire.run(3000);
  assert.deepEqual(holders(hosts), ['192.168.1.3']);
  assert.deepEqual(wire.resolve('shoal.local'), [ADDRESS]);
  hold(hosts[2]!, wire.now);
  wire.run(SETTLED_MS);
  assert.equal(holders(hosts).length, 1);
  assert.notDeepEqual(wire.resolve('shoal.local'), [ADDRESS]);
});

test('two holders of the address, as after a partition, end with one holder of the name', () => {
  const { wire, hosts } = site();
  hold(hosts[1]!, wire.now, ADDRESS);
  wire.run(SETTLED_MS);
  hold(hosts[2]!, wire.now, ADDRESS);
  wire.run(5000);
  hold(hosts[1]!, wire.now);
  wire.run(SETTLED_MS);
  assert.deepEqual(holders(hosts), ['192.168.1.3']);
});

test('a host that is no member keeps the name, and the site takes another one', () => {
  const wire = new MdnsWire();
  wire.add('other', '192.168.1.99');
  wire.run(SETTLED_MS);
  const hosts = [wire.add('box1', '192.168.1.1'), wire.add('box2', '192.168.1.2')];
  wire.join('box1', 'box2');
  wire.run(SETTLED_MS);
  assert.ok(hosts[0]!.events.includes('in use shoal.local, now shoal-2.local'));
  assert.deepEqual(wire.resolve('shoal.local'), ['192.168.1.99']);
  assert.equal(wire.resolve('shoal-2.local').length, 1);
  assert.deepEqual(
    hosts.map(({ responder }) => responder.siteName),
    ['shoal-2.local', 'shoal-2.local'],
  );
});

test('boxes that become one cluster later have one name again', () => {
  const wire = new MdnsWire();
  const hosts = [wire.add('box1', '192.168.1.1')];
  wire.run(SETTLED_MS);
  hosts.push(wire.add('box2', '192.168.1.2'));
  wire.run(SETTLED_MS);
  assert.deepEqual(wire.resolve('shoal-2.local'), ['192.168.1.2']);
  wire.join('box1', 'box2');
  wire.run(SETTLED_MS);
  assert.deepEqual(holders(hosts), ['192.168.1.1']);
  assert.deepEqual(wire.resolve('shoal-2.local'), []);
  assert.equal(hosts[1]!.responder.siteName, 'shoal.local');
});

test('a box whose own host name is that of the site is in no conflict with its node', () => {
  const wire = new MdnsWire();
  const { events } = wire.add('box1', '192.168.1.1');
  const avahi = { address: '192.168.1.1', port: 5353 };
  const answers = [addressRecord('shoal.local', '192.168.1.1', 120)];
  for (let step = 0; step < 20; step++) {
    wire.hear({ isResponse: true, answers }, avahi);
    wire.run(500);
  }
  assert.ok(events.includes('holds shoal.local'), events.join('\n'));
});

test('a host that objects without end makes a node slow, not loud', () => {
  const wire = new MdnsWire();
  wire.add('box1', '192.168.1.1');
  const from = { address: '192.168.1.66', port: 5353 };
  for (let step = 0; step < 6000; step++) {
    const asked = new Set(wire.said.slice(-10).flatMap(({ message }) => message.questions));
    const names = [...asked].map(({ name }) => name).filter((name) => name.startsWith('shoal'));
    const answers = names.map((name) => addressRecord(name, '192.168.1.66', 120));
    if (answers.length > 0) wire.hear({ isResponse: true, answers }, from);
    wire.run(10);
  }
  const probes = wire.said.filter(({ message }) => !message.isResponse);
  assert.ok(probes.length < 120, `${probes.length} probes in a minute`);
  assert.equal(wire.ask('shoal.local', RecordType.A).length, 0);
});
