// Fuzz target: what a far broker sends to a bridge, which is a client of it.

import assert from 'node:assert/strict';
import { Bridge } from '../../../src/bridge/bridge.ts';
import { makeCounters } from '../../../src/bridge/counters.ts';
import { TopicMapper } from '../../../src/bridge/topic-mapper.ts';
import type { Client } from '../../../src/broker/client/client.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { bridgeOptions, giveSeed } from '../../support/bridge-world.ts';
import { World } from '../../support/mqtt-world.ts';
import { type FuzzTarget, sources } from '../engine/target.ts';

const SESSION = '$bridge/fuzz';

/** @returns what clients of this node have got */
function bridged(input: Buffer, chunkBytes: number): string {
  const near = new World();
  giveSeed(near);
  const options = bridgeOptions(['#  both 1']);
  const { subscriptions } = TopicMapper.outgoing(options.topics);
  near.broker.openLocalSession(
    {
      identity: { clientId: SESSION, username: undefined },
      subscriptions,
      limits: { queueMessagesMax: 10, queueBytesMax: 10_000, queueDrop: 'oldest' },
      rules: { qosMin: 0, onlyOfThisNode: false, retain: true },
    },
    near.now,
  );
  const witness = near.connect('witness');
  witness.subscribe('#');
  let isOpen = false;
  const bridge = new Bridge({
    options,
    log: silentLogger,
    random: () => 0.5,
    now: near.now,
    counters: makeCounters(),
    port: {
      now: near.now,
      isSessionKnown: false,
      connect: () => {
        isOpen = true;
        return {
          congested: false,
          write: () => undefined,
          close: () => {
            isOpen = false;
          },
          pauseReading: () => undefined,
          resumeReading: () => undefined,
        };
      },
      attach: (outbox, window, now) => near.broker.acceptLocal(outbox, SESSION, window, now),
      forgetReceived: () => near.broker.forgetReceived(SESSION),
      sendRetained: (client, now) => near.broker.sendRetained(client as Client, now),
      stateChanged: () => undefined,
      defer: () => undefined,
      deadlineChanged: () => undefined,
    },
  });
  bridge.start(near.now);
  bridge.farOpened(near.now);
  for (let at = 0; at < input.length && isOpen; at += chunkBytes) {
    near.beginTurn();
    bridge.farReceived(Buffer.from(input.subarray(at, at + chunkBytes)), near.now);
    bridge.runDeferred(near.now);
  }
  const topics = witness.inbox.map(({ topic, payload }) => `${topic} ${payload}`);
  assert.ok(
    topics.every((topic) => !topic.startsWith('$')),
    'a reserved topic came in',
  );
  return topics.join('\n');
}

export const bridgeTarget: FuzzTarget = {
  name: 'bridge',
  what: 'packets of a far broker to a bridge, whole and byte by byte',
  bytesMax: 500,
  words: ['a/b', '$SYS/x', Buffer.from([0x20, 3, 0, 0, 0]), Buffer.from([0x90, 4, 0, 1, 0, 1])],
  covers: sources('/bridge/', '/mqtt/'),
  run: (input) => {
    const whole = bridged(input, input.length + 1);
    assert.equal(bridged(input, 1), whole, 'byte by byte brings other messages');
  },
};
