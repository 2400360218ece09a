import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isReservedTopic,
  isReservedTopicBytes,
  isTopicFilter,
  isTopicName,
  parseSharedFilter,
  topicMatches,
} from '../../../src/mqtt/topic.ts';

test("filters match as in the specification's examples [MQTT5-4.7.1-1, 4.7.1-2, 4.7.2-1]", () => {
  const matching = [
    ['sport/tennis/player1/#', 'sport/tennis/player1'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon'],
    ['sport/#', 'sport'],
    ['#', 'a/b'],
    ['sport/+', 'sport/'],
    ['+/+', '/finance'],
    ['/+', '/finance'],
    ['$SYS/#', '$SYS/'],
    ['$SYS/monitor/+', '$SYS/monitor/clients'],
    ['a//b', 'a//b'],
  ] as const;
  const other = [
    ['sport/+', 'sport'],
    ['+', '/finance'],
    ['sport/tennis/+', 'sport/tennis/player1/ranking'],
    ['#', '$SYS/x'],
    ['+/monitor/clients', '$SYS/monitor/clients'],
    ['a/b', 'a/B'],
    ['a/b', 'a/b/c'],
    ['a/b/c', 'a/b'],
  ] as const;
  for (const [filter, topic] of matching)
    assert.ok(topicMatches(filter, topic), `${filter} ${topic}`);
  for (const [filter, topic] of other)
    assert.ok(!topicMatches(filter, topic), `${filter} ${topic}`);
});

test('a wildcard is alone in its level, and # is in the last one', () => {
  for (const good of ['#', '+', 'a/+/b', '+/#', '/', 'a//', '$x/#']) {
    assert.ok(isTopicFilter(good), good);
  }
  for (const bad of ['', 'a#', 'a/#/b', '#/a', 'a+', 'a/+b', '##']) {
    assert.ok(!isTopicFilter(bad), bad);
  }
  assert.ok(isTopicName('a b/ü'));
  for (const bad of ['', 'a/+', '#']) assert.ok(!isTopicName(bad), bad);
});

test('a shared filter has a group and a filter [MQTT5-4.8.2-1, 4.8.2-2]', () => {
  assert.deepEqual(parseSharedFilter('$share/g/a/#'), { group: 'g', filter: 'a/#' });
  assert.deepEqual(parseSharedFilter('$share/g//a'), { group: 'g', filter: '/a' });
  for (const bad of ['$share/g', '$share//a', '$share/+/a', '$share/g/', '$share/g/a#']) {
    assert.equal(parseSharedFilter(bad), undefined, bad);
  }
});

test('a topic is reserved exactly if its first character is $ [MQTT5-4.7.2-1]', () => {
  for (const [topic, expected] of [
    ['$SYS/broker', true],
    ['$', true],
    ['a/$b', false],
    ['', false],
    ['+/x', false],
  ] as const) {
    assert.equal(isReservedTopic(topic), expected, topic);
    assert.equal(isReservedTopicBytes(Buffer.from(topic)), expected, topic);
  }
});
