// What the bridge core does with the answers of servers that are not ours: scripted, byte by byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bridge } from '../../../src/bridge/bridge.ts';
import { makeCounters } from '../../../src/bridge/counters.ts';
import type { BridgeOptions } from '../../../src/bridge/options.ts';
import type { BridgePort } from '../../../src/bridge/ports.ts';
import { TopicMapper } from '../../../src/bridge/topic-mapper.ts';
import type { Logger } from '../../../src/shared/logger.ts';
import { bridgeOptions } from '../../support/bridge-world.ts';
import { World } from '../../support/mqtt-world.ts';

const SESSION = '$bridge/test';
const CONNACK_5 = [0x20, 3, 0, 0, 0];
const CONNACK_4 = [0x20, 2, 0, 0];

class Script {
  readonly near = new World();
  readonly bridge: Bridge;
  readonly lines: string[] = [];
  /** Packets of the bridge, as hexadecimal. */
  sent: string[] = [];
  isOpen = false;
  #isDeferred = false;

  constructor(topics: readonly string[], own: Partial<BridgeOptions> = {}) {
    const options = bridgeOptions(topics, own);
    const { near } = this;
    near.broker.openLocalSession(
      {
        identity: { clientId: SESSION, username: undefined },
        subscriptions: TopicMapper.outgoing(options.topics).subscriptions,
        limits: { queueMessagesMax: 100, queueBytesMax: 1e6, queueDrop: 'oldest' },
        rules: { qosMin: 0, onlyOfThisNode: false, retain: true },
      },
      near.now,
    );
    const note = (event: string, fields = {}): void => {
      this.lines.push(`${event} ${JSON.stringify(fields)}`);
    };
    const log: Logger = { debug: note, info: note, warn: note, error: note };
    const port: BridgePort = {
      get now() {
        return near.broker.now;
      },
      isSessionKnown: true,
      connect: () => {
        this.isOpen = true;
        return {
          congested: false,
          write: (buffer, start, end) => this.sent.push(buffer.toString('hex', start, end)),
          close: () => {
            this.isOpen = false;
          },
          pauseReading: () => undefined,
          resumeReading: () => undefined,
        };
      },
      attach: (outbox, window, now) => near.broker.acceptLocal(outbox, SESSION, window, now),
      forgetReceived: () => undefined,
      sendRetained: () => undefined,
      stateChanged: () => undefined,
      defer: () => {
        this.#isDeferred = true;
      },
      deadlineChanged: () => undefined,
    };
    this.bridge = new Bridge({
      options,
      port,
      log,
      random: () => 0.5,
      now: near.now,
      counters: makeCounters(),
    });
    this.bridge.start(near.now);
    this.open();
  }

  open(): void {
    this.bridge.farOpened(this.near.now);
  }

  receive(...bytes: number[]): void {
    this.bridge.farReceived(Buffer.from(bytes), this.near.now);
    if (this.#isDeferred) this.bridge.runDeferred(this.near.now);
  }

  /** Packets since the last call. */
  take(): string[] {
    const { sent } = this;
    this.sent = [];
    return sent;
  }

  /** The pause is over, and the transport is open again. */
  again(): void {
    this.near.advance(100_000);
    this.bridge.advance(this.near.now);
    this.open();
  }

  get queue(): number {
    const { queued, inflight } = this.near.broker.localSessionState(SESSION)!;
    return queued + inflight;
  }
}

test('a full far side gets the message again later; a refused one is counted and let go', () => {
  const script = new Script(['# out 1']);
  script.receive(...CONNACK_5);
  script.near.connect('device').publish('t', 'x', { qos: 1 });
  script.receive(0x40, 3, 0, 1, 0x97);
  assert.equal(script.isOpen, false);
  assert.equal(script.queue, 1);
  assert.match(script.lines.at(-1)!, /bridge lost.*its quota is exceeded/);
  script.again();
  script.take();
  script.receive(...CONNACK_5);
  const [publish = ''] = script.take();
  assert.match(publish, /^3a/, 'with DUP');
  script.receive(0x40, 3, 0, 1, 0x87);
  assert.equal(script.queue, 0);
  assert.equal(script.bridge.status.counters.refusedFar, 1);
  assert.match(script.lines.at(-1)!, /the far side refuses a message.*not authorized/);
});

test('QoS 2 crosses with QoS 1 where the far side has no more', () => {
  const script = new Script(['# out 2']);
  script.receive(0x20, 5, 0, 0, 2, 0x24, 1);
  script.take();
  script.near.connect('device').publish('t', 'x', { qos: 2 });
  assert.match(script.take().join(), /^32/);
  script.receive(0x40, 2, 0, 1);
  assert.equal(script.queue, 0);
  assert.deepEqual(script.take(), [], 'the far side sees no QoS 2 exchange');
});

test('where the far side closes on the bridge bit, the next CONNECT has none', () => {
  const script = new Script(['# both 1'], { version: 4 });
  assert.match(script.take()[0]!, /^10..00044d51545484/);
  script.bridge.farClosed('closed', script.near.now);
  script.again();
  assert.match(script.take()[0]!, /^10..00044d51545404/);
  script.receive(...CONNACK_4);
  // Without the bit the server sends our own message back.
  script.near.connect('device').publish('t', 'x', { qos: 0 });
  const watcher = script.near.connect('watcher');
  watcher.subscribe('#');
  const back = [0x30, 4, 0, 1, 0x74, 0x78];
  script.receive(...back);
  assert.deepEqual(watcher.payloads(), []);
  script.receive(...back);
  assert.deepEqual(watcher.payloads(), ['x'], 'the second one is from someone else');
  assert.equal(script.bridge.status.counters.looped, 1);
});

test('a refused CONNECT has its reason in words', () => {
  const reasons: [number[], RegExp][] = [
    [[0x20, 3, 0, 0x87, 0], /not authorized/],
    [[0x20, 3, 0, 0x86, 0], /wrong user name or password/],
    [[0x20, 3, 0, 0x9c, 0], /use another server \(0x9c\)/],
    [[0x20, 3, 0, 0xfe, 0], /reason code 0xfe/],
    [[0x20, 2, 0, 1], /does not speak this version of MQTT \(set protocol\)/],
  ];
  for (const [bytes, pattern] of reasons) {
    const script = new Script(['# out 1']);
    script.receive(...bytes);
    assert.match(script.lines.at(-1)!, pattern);
    assert.equal(script.bridge.status.state, 'waiting');
    assert.match(script.bridge.status.lastError!, pattern);
  }
});

test('nonsense of the far side ends the connection, never the process', () => {
  const nonsense = [
    [0x30, 1, 0],
    [0x32, 5, 0, 1, 0x74, 0, 0],
    [0x36, 5, 0, 1, 0x74, 0, 1],
    [0x40, 1, 0],
    [0x10, 0],
    [0xff, 0xff, 0xff, 0xff, 0xff],
    [0x30, 7, 0, 0, 3, 0x23, 0, 9, 1],
  ];
  for (const bytes of nonsense) {
    const script = new Script(['# both 2']);
    script.receive(...CONNACK_5);
    script.receive(...bytes);
    assert.equal(script.bridge.status.state, 'waiting', Buffer.from(bytes).toString('hex'));
    assert.match(script.lines.join(), /protocol error of the far side/);
  }
});

test('a packet beyond the announced maximum ends the connection before its bytes arrive [MQTT5-3.1.2-24]', () => {
  const script = new Script(['# both 2'], { packetBytesMax: 1000 });
  script.receive(...CONNACK_5);
  script.receive(0x30, 0xff, 0xff, 0xff, 0x7f);
  assert.equal(script.bridge.status.state, 'waiting');
  assert.match(script.lines.join(), /larger than the Maximum Packet Size/);
});

test('with MQTT 3.1.1 a packet that is too large is skipped as it arrives, acknowledged and counted', () => {
  const publish = (qos: number, id: number, topic: string, payload: string): Buffer => {
    const identifier = qos === 0 ? [] : [id >> 8, id & 0xff];
    const head = [topic.length >> 8, topic.length & 0xff, ...Buffer.from(topic), ...identifier];
    const body = Buffer.concat([Buffer.from(head), Buffer.from(payload)]);
    const length = [(body.length & 0x7f) | 0x80, (body.length >> 7) & 0x7f];
    return Buffer.concat([Buffer.from([0x30 | (qos << 1), ...length]), body]);
  };
  const large = 'x'.repeat(3000);
  const stream = Buffer.concat([
    publish(1, 7, 'up/large', large),
    publish(1, 8, 'up/small', 'a'),
    publish(2, 9, 'up/large', large),
    publish(0, 0, 'up/large', large),
    publish(1, 10, 'up/small', 'b'),
  ]);
  for (const piece of [1, 2, 3, 5, 100, 1500, stream.length]) {
    const script = new Script(['up/# in 2'], { version: 4, packetBytesMax: 200 });
    script.receive(0x20, 2, 0, 0);
    script.take();
    for (let at = 0; at < stream.length; at += piece) {
      script.receive(...stream.subarray(at, at + piece));
    }
    assert.deepEqual(script.take(), ['40020007', '40020008', '50020009', '4002000a']);
    const { received, refusedHere } = script.bridge.status.counters;
    assert.deepEqual([received, refusedHere], [5, 3], `in pieces of ${piece}`);
    assert.match(script.lines.join(), /larger than max-packet-size","topic":"up\/large/);
  }
});

test('a head that can be of no PUBLISH ends the connection, however large its packet is', () => {
  const heads = [
    [0x36, 0xff, 0x7f, 0, 1, 0x74, 0, 1],
    [0x32, 0xff, 0x7f, 0, 1, 0x74, 0, 0],
    [0x32, 0xff, 0x01, 0xff, 0xff, 0x74],
    [0x40, 0xff, 0x7f, 0, 1],
  ];
  for (const bytes of heads) {
    const script = new Script(['# in 2'], { version: 4, packetBytesMax: 128 });
    script.receive(0x20, 2, 0, 0);
    script.receive(...bytes);
    assert.equal(script.bridge.status.state, 'waiting', Buffer.from(bytes).toString('hex'));
  }
});

test('a refused subscription has a line, and the rest of the bridge works', () => {
  const script = new Script(['a in 1', '# out 1']);
  script.receive(...CONNACK_5);
  script.receive(0x90, 4, 0xff, 0xfe, 0, 0x87);
  assert.match(script.lines.at(-1)!, /subscription refused.*"topic":"a".*not authorized/);
  assert.equal(script.bridge.status.state, 'connected');
});
