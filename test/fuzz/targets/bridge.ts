// Fuzz targets: what a far broker sends to a bridge, which is a client of it, and the rules of bridges.

import assert from 'node:assert/strict';
import { Bridge } from '../../../src/bridge/bridge.ts';
import { makeCounters } from '../../../src/bridge/counters.ts';
import type { TopicRule } from '../../../src/bridge/options.ts';
import { TopicMapper } from '../../../src/bridge/topic-mapper.ts';
import type { Client } from '../../../src/broker/client/client.ts';
import { addresses, topicRules } from '../../../src/config/bridge-types.ts';
import { STRING_BYTES_MAX } from '../../../src/mqtt/limits.ts';
import { isTopicFilter, isTopicName } from '../../../src/mqtt/topic.ts';
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

const farSide: FuzzTarget = {
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

const LONG_TOPIC = 'x'.repeat(STRING_BYTES_MAX);

/** Topics that the rule may match. */
function topicsOf({ pattern, localPrefix }: TopicRule): string[] {
  const filter = localPrefix + pattern;
  const filled = filter.replace(/\/#$|^#$/, '').replaceAll('+', 'level');
  const behind = filter.endsWith('#') ? `${filter.slice(0, -1)}deep/er` : filter;
  const long = filter.endsWith('#')
    ? LONG_TOPIC.replace('x'.repeat(filter.length - 1), filter.slice(0, -1))
    : '';
  return [filled, behind.replaceAll('+', ''), long, '$SYS/x', 'a'].filter(isTopicName);
}

function mapped(mapper: TopicMapper, topic: string): string | undefined {
  const bytes = Buffer.from(topic);
  if (bytes.length > STRING_BYTES_MAX) return undefined;
  return mapper.map(bytes, 0, bytes.length)?.bytes.toString();
}

const rules: FuzzTarget = {
  name: 'bridge-rules',
  what: 'lines of topic rules and addresses of a bridge',
  bytesMax: 200,
  words: [
    ' in ',
    ' out ',
    ' both ',
    '#',
    '+/',
    ' 1 ',
    '""',
    "''",
    'mqtt://',
    'wss://',
    '[::1]',
    ':1883',
    ',',
  ],
  covers: sources('/config/bridge-types', '/bridge/topic-mapper', '/mqtt/topic'),
  run: (input) => {
    for (const line of input.toString('utf8').split('\n')) {
      const far = addresses.parse(line);
      if (far !== undefined) assert.deepEqual(addresses.parse(addresses.format(far)), far);
      const found = topicRules.parse(line);
      if (found === undefined) continue;
      assert.deepEqual(topicRules.parse(topicRules.format(found)), found);
      const [out, back] = [TopicMapper.outgoing(found), TopicMapper.incoming(found)];
      for (const { filter } of [...out.subscriptions, ...back.subscriptions]) {
        assert.ok(isTopicFilter(filter), filter);
      }
      for (const topic of found.flatMap(topicsOf)) {
        const there = mapped(out, topic);
        if (there === undefined) continue;
        assert.ok(isTopicName(there) && Buffer.byteLength(there) <= STRING_BYTES_MAX, there);
        const [only, another] = found;
        if (another !== undefined || only?.direction !== 'both') continue;
        assert.equal(mapped(back, there), topic, 'the way back leads elsewhere');
      }
    }
  },
};

export const bridgeTargets: readonly FuzzTarget[] = [farSide, rules];
