import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../src/cli/exit-codes.ts';
import { formatOf, type PrintFlags } from '../../../src/cli/mqtt/message-format.ts';
import { encodeMessageProperties } from '../../../src/mqtt/message-properties.ts';
import { decodePublish } from '../../../src/mqtt/publish-decoder.ts';
import { PublishView } from '../../../src/mqtt/publish-view.ts';

const AT = new Date(Date.UTC(2026, 10, 20, 14, 52, 10, 113));

/** A retained QoS 1 PUBLISH of MQTT 5 with the payload `{"t":21.4}`, Response Topic r/1 and Correlation Data c. */
function message(): PublishView {
  const properties = encodeMessageProperties({
    responseTopic: 'r/1',
    correlationData: Buffer.from('c'),
  });
  const body = Buffer.concat([
    Buffer.from([0, 7]),
    Buffer.from('home/t7'),
    Buffer.from([0, 12]),
    Buffer.from([properties.length]),
    properties,
    Buffer.from('{"t":21.4}'),
  ]);
  const packet = Buffer.concat([Buffer.from([0x33, body.length]), body]);
  const view = new PublishView();
  assert.equal(decodePublish(view, packet, 0, 2, packet.length, 5), undefined);
  return view;
}

function print(flags: PrintFlags): string {
  return formatOf(flags)(message(), AT).toString();
}

test('a message is printed as its payload, with its topic, or as JSON', () => {
  assert.equal(print({}), '{"t":21.4}\n');
  assert.equal(print({ verbose: true }), 'home/t7 {"t":21.4}\n');
  assert.equal(print({ verbose: true, eol: false }), 'home/t7 {"t":21.4}');
  assert.deepEqual(JSON.parse(print({ json: true })), {
    tst: '2026-11-20T14:52:10.113Z',
    topic: 'home/t7',
    qos: 1,
    retain: 1,
    payloadlen: 10,
    mid: 12,
    payload: '{"t":21.4}',
  });
});

test('a format has the letters of mosquitto_sub -F', () => {
  assert.equal(
    print({ format: '%t|%q|%r|%m|%l|%p|%R|%D|%%' }),
    'home/t7|1|1|12|10|{"t":21.4}|r/1|c|%\n',
  );
  assert.equal(print({ format: '%I\\t%U\\n' }), '2026-11-20T14:52:10.113Z\t1795186330.113\n\n');
  assert.equal(print({ format: '%x %X' }).slice(0, 12), '7b2274223a32');
  assert.deepEqual(JSON.parse(print({ format: '%J' })).payload, { t: 21.4 });
  assert.throws(() => print({ format: '%w' }), UsageError);
});
