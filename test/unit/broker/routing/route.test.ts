import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from '../../../../src/broker/broker.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

const CONNECT = Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 0]);
/** To `#` and `+/#`, which match the same topics. */
const SUBSCRIBE = Buffer.from([0x82, 12, 0, 1, 0, 1, 0x23, 0, 0, 3, 0x2b, 0x2f, 0x23, 0]);

test('overlapping subscriptions get one copy, however many routes are cached', () => {
  const options = { sysIntervalSeconds: 0 };
  const broker = new Broker({ options, random: Math.random, now: 0, log: silentLogger });
  let packets = 0;
  const connect = () => {
    const client = broker.accept(
      {
        congested: false,
        write: () => {
          packets += 1;
        },
        close: () => undefined,
        pauseReading: () => undefined,
        resumeReading: () => undefined,
      },
      { remoteAddress: '' },
      0,
    );
    client.receive(CONNECT, 0);
    return client;
  };
  const subscribers = 400;
  for (let i = 0; i < subscribers; i++) connect().receive(SUBSCRIBE, 0);
  const publisher = connect();
  packets = 0;
  const topics = 700;
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < topics; i++) {
      const topic = `t/${i}`;
      publisher.receive(
        Buffer.from([0x30, topic.length + 2, 0, topic.length, ...Buffer.from(topic)]),
        0,
      );
    }
  }
  assert.equal(packets, 2 * topics * subscribers);
});
