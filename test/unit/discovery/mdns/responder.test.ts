// What others on a link hear of a node: probes, announcements, answers, goodbyes, and how rarely.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pointerRecord, RecordType } from '../../../../src/discovery/mdns/dns-record.ts';
import { describe, MdnsWire, MQTT, type Said } from '../../../support/mdns-wire.ts';

const { A, AAAA, ANY, NSEC, PTR, SRV, TXT } = RecordType;
const SERVICE = '_mqtt._tcp.local';
const STARTED_MS = 8000;

function started(...facts: Parameters<MdnsWire['add']>): MdnsWire {
  const wire = new MdnsWire();
  wire.add(...facts);
  wire.run(STARTED_MS);
  return wire;
}

function answersIn(said: readonly Said[]): string[] {
  return said.flatMap(({ message }) => describe(message.answers));
}

test('a node asks three times whether its names are free, and announces them three times', () => {
  const wire = started('box1', '192.168.1.1');
  const own = wire.said.filter(({ message }) =>
    JSON.stringify([message.questions, message.answers]).includes('box1-shoal.local'),
  );
  assert.deepEqual(
    own.map(({ message }) => (message.isResponse ? 'announcement' : 'probe')),
    ['probe', 'probe', 'probe', 'announcement', 'announcement', 'announcement'],
  );
  const intervals = own.slice(1).map(({ at }, index) => at - own[index]!.at);
  assert.deepEqual(intervals, [250, 250, 250, 1000, 2000]);
  assert.deepEqual(describe(own[0]!.message.authorities), [
    'SRV box1._mqtt._tcp.local 1883 box1-shoal.local 120',
    'TXT box1._mqtt._tcp.local \0 4500',
    'A box1-shoal.local 192.168.1.1 120',
  ]);
  assert.deepEqual(describe(own[3]!.message.answers), [
    'SRV box1._mqtt._tcp.local 1883 box1-shoal.local 120',
    'TXT box1._mqtt._tcp.local \0 4500',
    'A box1-shoal.local 192.168.1.1 120',
    'PTR _mqtt._tcp.local box1._mqtt._tcp.local 4500',
    'PTR _services._dns-sd._udp.local _mqtt._tcp.local 4500',
  ]);
});

test('nothing is answered for a name before it is held', () => {
  const wire = new MdnsWire();
  wire.add('box1', '192.168.1.1');
  wire.ask(SERVICE, PTR, { questions: [{ name: SERVICE, type: PTR, wantsUnicast: false }] });
  assert.equal(wire.said.filter(({ message, at }) => message.isResponse && at < 750).length, 0);
});

test('a question for the service is answered with everything that a client needs next', () => {
  const wire = started('box1', '192.168.1.1');
  const [said, ...more] = wire.ask(SERVICE, PTR);
  assert.equal(more.length, 0);
  assert.deepEqual(describe(said!.message.answers), [
    'PTR _mqtt._tcp.local box1._mqtt._tcp.local 4500',
  ]);
  assert.deepEqual(describe(said!.message.additionals).slice(0, 3), [
    'SRV box1._mqtt._tcp.local 1883 box1-shoal.local 120',
    'TXT box1._mqtt._tcp.local \0 4500',
    'A box1-shoal.local 192.168.1.1 120',
  ]);
});

test('of a shared name the answer waits, so that not all nodes answer at once', () => {
  const wire = started('box1', '192.168.1.1');
  const asked = wire.now;
  const [shared] = wire.ask(SERVICE, PTR);
  assert.ok(shared!.at - asked >= 20 && shared!.at - asked <= 125);
  const askedAgain = wire.now;
  const [unique] = wire.ask('box1-shoal.local', A);
  assert.ok(unique!.at - askedAgain <= 10);
});

test('each kind of listener has its service, a WebSocket its path, and a second listener its port', () => {
  const services = [
    MQTT,
    { ...MQTT, port: 1884 },
    { type: '_secure-mqtt._tcp' as const, port: 8883, path: undefined },
    { type: '_mqtt-ws._tcp' as const, port: 8083, path: '/mqtt' },
  ];
  const wire = started('box1', '192.168.1.1', { services });
  assert.deepEqual(answersIn(wire.ask('_services._dns-sd._udp.local', PTR)), [
    'PTR _services._dns-sd._udp.local _mqtt._tcp.local 4500',
    'PTR _services._dns-sd._udp.local _secure-mqtt._tcp.local 4500',
    'PTR _services._dns-sd._udp.local _mqtt-ws._tcp.local 4500',
  ]);
  assert.deepEqual(answersIn(wire.ask(SERVICE, PTR)), [
    'PTR _mqtt._tcp.local box1._mqtt._tcp.local 4500',
    'PTR _mqtt._tcp.local box1 1884._mqtt._tcp.local 4500',
  ]);
  assert.deepEqual(answersIn(wire.ask('box1._mqtt-ws._tcp.local', ANY)), [
    'SRV box1._mqtt-ws._tcp.local 8083 box1-shoal.local 120',
    'TXT box1._mqtt-ws._tcp.local \npath=/mqtt 4500',
  ]);
});

test('a type that a name does not have is answered with the types that it has', () => {
  const wire = started('box1', '192.168.1.1');
  const [said] = wire.ask('box1-shoal.local', AAAA);
  assert.deepEqual(
    said!.message.answers.map(({ type }) => type),
    [NSEC],
  );
  assert.equal(said!.message.answers[0]!.data.at(-1), 0x40, 'the bit of A');
});

test('names are found whatever the case of their letters is, and a node name may have dots', () => {
  const wire = started('Box.1', '192.168.1.1');
  assert.deepEqual(answersIn(wire.ask('box\\.1._MQTT._tcp.LOCAL', SRV)), [
    'SRV Box\\.1._mqtt._tcp.local 1883 box-1-shoal.local 120',
  ]);
});

test('what the asker knows is not answered, unless it is about to forget it', () => {
  const wire = started('box1', '192.168.1.1');
  const known = (ttl: number) => [pointerRecord(SERVICE, 'box1._mqtt._tcp.local', ttl)];
  assert.equal(wire.ask(SERVICE, PTR, { answers: known(2250) }).length, 0);
  assert.equal(wire.ask(SERVICE, PTR, { answers: known(2249) }).length, 1);
});

test('an asker that goes on to name what it knows has its answer later', () => {
  const wire = started('box1', '192.168.1.1');
  const asked = wire.now;
  const [said] = wire.ask(SERVICE, PTR, { isTruncated: true });
  assert.ok(said!.at - asked >= 400 && said!.at - asked <= 505);
});

test('however often it is asked for, a record goes to all at most once in a second', () => {
  const wire = started('box1', '192.168.1.1');
  const before = wire.said.length;
  for (let index = 0; index < 1000; index++) {
    wire.hear(
      { questions: [{ name: SERVICE, type: ANY, wantsUnicast: index % 2 === 0 }] },
      { address: `192.168.1.${index % 250}`, port: 5353 },
    );
    wire.run(10);
  }
  const toAll = wire.said.slice(before).filter(({ to }) => to === undefined);
  assert.ok(toAll.length <= 11, `${toAll.length} in ten seconds`);
});

test('a question that accepts unicast has it once all have heard the record', () => {
  const wire = started('box1', '192.168.1.1');
  const questions = [{ name: 'box1-shoal.local', type: A, wantsUnicast: true }];
  assert.equal(wire.ask('', A, { questions })[0]!.to?.address, '192.168.1.200');
  wire.run(60_000);
  assert.equal(wire.ask('', A, { questions })[0]!.to, undefined);
});

test('an ordinary resolver gets its question back, a short time to live and nothing more', () => {
  const wire = started('box1', '192.168.1.1');
  const [said, ...more] = wire.ask('box1-shoal.local', A, { id: 77 }, 40_000);
  assert.equal(more.length, 0);
  assert.deepEqual(said!.to, { address: '192.168.1.200', port: 40_000 });
  const { id, questions, answers, additionals } = said!.message;
  assert.deepEqual([id, questions.length, additionals.length], [77, 1, 0]);
  assert.deepEqual(describe(answers), ['A box1-shoal.local 192.168.1.1 10']);
  assert.equal(answers[0]!.isUnique, false);
});

test('answers to single hosts have a rate, so that forged questions do not make a flood', () => {
  const wire = started('box1', '192.168.1.1');
  const before = wire.said.length;
  for (let index = 0; index < 5000; index++) {
    const questions = [{ name: SERVICE, type: PTR, wantsUnicast: false }];
    wire.hear({ questions }, { address: '192.168.1.66', port: 1000 + index });
  }
  assert.equal(wire.said.length - before, 10);
});

test('another host that has the name keeps it: the node takes another one', () => {
  const wire = new MdnsWire();
  wire.add('box1', '192.168.1.1');
  wire.run(STARTED_MS);
  const second = wire.add('box1', '192.168.1.2');
  wire.run(STARTED_MS);
  assert.ok(
    second.events.includes('in use box1._mqtt._tcp.local, now box1 (2)._mqtt._tcp.local'),
    second.events.join('\n'),
  );
  assert.deepEqual(wire.resolve('box1-shoal-2.local'), ['192.168.1.2']);
});

test('two nodes that start at once do not get the same names', () => {
  const wire = new MdnsWire();
  const events = ['192.168.1.1', '192.168.1.2'].map((address) => wire.add('box1', address).events);
  wire.run(20_000);
  const names = events.map((one) => one.findLast((line) => line.startsWith('announced')));
  assert.equal(new Set(names).size, 2, names.join('\n'));
});

test('a node that stops withdraws everything, and a listener that closes its own records', () => {
  const wire = new MdnsWire();
  const { responder } = wire.add('box1', '192.168.1.1', {
    services: [MQTT, { type: '_secure-mqtt._tcp', port: 8883, path: undefined }],
  });
  wire.run(STARTED_MS);
  const before = wire.said.length;
  responder.setFacts(wire.now, {
    services: [MQTT],
    addresses: ['192.168.1.1'],
    held: [],
  });
  const closed = answersIn(wire.said.slice(before));
  assert.ok(closed.includes('PTR _secure-mqtt._tcp.local box1._secure-mqtt._tcp.local 0'));
  assert.ok(closed.includes('PTR _services._dns-sd._udp.local _secure-mqtt._tcp.local 0'));
  wire.run(STARTED_MS);
  assert.deepEqual(answersIn(wire.ask('_services._dns-sd._udp.local', PTR)), [
    'PTR _services._dns-sd._udp.local _mqtt._tcp.local 4500',
  ]);
  const end = wire.said.length;
  responder.leave(wire.now);
  const gone = answersIn(wire.said.slice(end));
  assert.ok(gone.includes('A box1-shoal.local 192.168.1.1 0'));
  assert.ok(gone.includes('PTR _mqtt._tcp.local box1._mqtt._tcp.local 0'));
  assert.ok(gone.includes('A shoal.local 192.168.1.1 0'));
  assert.deepEqual(wire.ask(SERVICE, PTR), []);
});

test('a new address is announced under the old name', () => {
  const wire = new MdnsWire();
  const { responder } = wire.add('box1', '192.168.1.1');
  wire.run(STARTED_MS);
  const addresses = ['192.168.1.7', 'fd00::7'];
  responder.setFacts(wire.now, { services: [MQTT], addresses, held: [] });
  wire.run(10);
  assert.deepEqual(wire.resolve('box1-shoal.local'), ['192.168.1.7']);
  assert.deepEqual(wire.resolve('shoal.local'), ['192.168.1.7']);
});

test('a record that another host withdraws, and that is true, is announced again', () => {
  const wire = started('box1', '192.168.1.1');
  const before = wire.said.length;
  const goodbye = pointerRecord(SERVICE, 'box1._mqtt._tcp.local', 0);
  wire.hear({ isResponse: true, answers: [goodbye] }, { address: '192.168.1.66', port: 5353 });
  wire.run(1000);
  assert.deepEqual(answersIn(wire.said.slice(before)), [
    'PTR _mqtt._tcp.local box1._mqtt._tcp.local 4500',
  ]);
});

test('a TXT record names nothing but the node, and the path of a WebSocket', () => {
  const wire = started('box1', '192.168.1.1');
  const texts = wire.said
    .flatMap(({ message }) => [...message.answers, ...message.additionals])
    .filter(({ type }) => type === TXT)
    .map(({ data }) => data.toString());
  assert.deepEqual([...new Set(texts)].sort(), ['\0', '\tnode=box1']);
});
