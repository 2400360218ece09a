// A set of Topic Filters matches what its filters match; filters that were joined match no less.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FilterSet } from '../../../src/mqtt/filter-set.ts';
import {
  FILTERS_TO_JOIN_MAX,
  JOINED_BYTES_MAX,
  JOINED_FILTER_BYTES_MAX,
  JOINED_FILTERS_MAX,
  JOINED_LEVELS_MAX,
  joinFilters,
} from '../../../src/mqtt/joined-filters.ts';
import { isTopicFilter, topicMatches } from '../../../src/mqtt/topic.ts';
import { seededRandom } from '../../support/random.ts';

function words(random: () => number, vocabulary: readonly string[]): string {
  const length = 1 + Math.floor(random() * 5);
  const levels = Array.from(
    { length },
    () => vocabulary[Math.floor(random() * vocabulary.length)]!,
  );
  return levels.join('/');
}

function filter(random: () => number, names: readonly string[]): string {
  const text = words(random, [...names, '+']);
  return random() < 0.2 ? `${text}/#` : text;
}

test('a set matches a topic exactly if one of its filters does', () => {
  const random = seededRandom(1);
  const names = ['a', 'b', '', '$x'];
  for (let round = 0; round < 500; round++) {
    const filters = Array.from({ length: 1 + Math.floor(random() * 6) }, () =>
      filter(random, names),
    );
    const set = new FilterSet(filters);
    for (let i = 0; i < 40; i++) {
      const topic = words(random, names);
      const expected = filters.some((one) => topicMatches(one, topic));
      assert.equal(set.matches(topic.split('/')), expected, `${topic} in ${filters.join(' ')}`);
    }
  }
});

test('joined filters are bounded and match every topic that one of the filters matches', () => {
  const random = seededRandom(2);
  for (let round = 0; round < 120; round++) {
    const variety = 2 ** Math.floor(random() * 10);
    const names = Array.from({ length: variety }, (_, i) => `${'n'.repeat(random() * 30)}${i}`);
    const count = Math.floor(random() * 700);
    const filters = Array.from({ length: count }, () => filter(random, names));
    const joined = joinFilters(filters);
    assert.ok(joined.length <= JOINED_FILTERS_MAX);
    const bytes = joined.reduce((sum, one) => sum + Buffer.byteLength(one) + 1, 0);
    assert.ok(bytes <= JOINED_BYTES_MAX);
    for (const one of joined) assert.ok(isTopicFilter(one), one);
    const [before, after] = [new FilterSet(filters), new FilterSet(joined)];
    for (let i = 0; i < 60; i++) {
      const source = filters[Math.floor(random() * count)] ?? 'x';
      const topic = source.replaceAll('+', 'plus').replace('#', 'hash/deep');
      for (const levels of [topic.split('/'), words(random, names).split('/')]) {
        if (before.matches(levels)) assert.ok(after.matches(levels), `${levels.join('/')} is lost`);
      }
    }
  }
});

test('a filter that another covers is left out, and topics that begin with $ are', () => {
  const joined = joinFilters(['a/b', 'a/+', 'a/#', 'c/+/d', 'c/x/d', '$SYS/#', 'e']);
  assert.deepEqual(joined, ['a/#', 'c/+/d', 'e']);
});

test('too many filters are all cut after the same number of levels', () => {
  const devices = Array.from({ length: 300 }, (_, i) => `site/dev${i}/cmd`);
  assert.deepEqual(joinFilters([...devices, 'other/x/y']), ['other/#', 'site/#']);
  const few = devices.slice(0, 100);
  assert.deepEqual(joinFilters(few), [...few].sort());
});

test('more filters than can be joined in a short time, and filters without a common level, are everything', () => {
  const many = Array.from({ length: FILTERS_TO_JOIN_MAX + 1 }, (_, i) => `a/${i}`);
  assert.deepEqual(joinFilters(many), ['#']);
  const apart = Array.from({ length: 300 }, (_, i) => `t${i}`);
  assert.deepEqual(joinFilters(apart), ['#']);
  assert.deepEqual(joinFilters([]), []);
});

test('a long filter is cut, and one that is long at its first level is everything', () => {
  const long = `a/${'x'.repeat(JOINED_FILTER_BYTES_MAX)}/b`;
  assert.deepEqual(joinFilters([long]), ['a/#']);
  assert.deepEqual(joinFilters(['x'.repeat(300)]), ['#']);
});

test('a filter of very many levels is cut before it is joined', () => {
  const levels = '/l'.repeat(30_000);
  const filters = Array.from({ length: 150 }, (_, i) => `${i}${levels}`);
  const startedAt = performance.now();
  for (const one of joinFilters(filters)) {
    assert.ok(one.split('/').length <= JOINED_LEVELS_MAX + 1, one);
  }
  // Cutting them one level at a time takes minutes.
  assert.ok(performance.now() - startedAt < 5000);
});
