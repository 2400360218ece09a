import assert from 'node:assert/strict';
import { test } from 'node:test';
import { covers, intersect, levelsOf } from '../../../src/mqtt/filter-algebra.ts';
import { isTopicFilter, levelsMatch, topicMatches } from '../../../src/mqtt/topic.ts';

/** Every filter of up to three levels, and topics deep enough to distinguish any two of them. */
const filters = sequences(['a', '$b', '', '+', '#'], 3).filter((filter) => isTopicFilter(filter));
const topics = sequences(['a', '$b', '', 'c'], 4);

/** The topics that each filter matches, by the broker's own matching. */
const matched = new Map(
  filters.map((filter) => [filter, new Set(topics.filter((topic) => topicMatches(filter, topic)))]),
);

function sequences(words: readonly string[], lengthMax: number): string[] {
  let longest = words.map((word) => [word]);
  const all = [...longest];
  for (let length = 2; length <= lengthMax; length++) {
    longest = longest.flatMap((sequence) => words.map((word) => [...sequence, word]));
    all.push(...longest);
  }
  return all.map((sequence) => sequence.join('/'));
}

test('a filter matches the topics that the broker delivers for it', () => {
  for (const filter of filters) {
    for (const topic of topics) {
      const here = levelsMatch(levelsOf(filter), topic.split('/'));
      assert.equal(here, matched.get(filter)?.has(topic), `${filter} and ${topic}`);
    }
  }
});

test('the intersection of two filters matches exactly the topics that both match', () => {
  for (const a of filters) {
    for (const b of filters) {
      const common = intersect(levelsOf(a), levelsOf(b));
      for (const topic of topics) {
        const both = matched.get(a)?.has(topic) === true && matched.get(b)?.has(topic) === true;
        const here = common !== undefined && levelsMatch(common, topic.split('/'));
        if (here !== both) assert.fail(`${a} and ${b} have ${common?.join('/')}, not ${topic}`);
      }
    }
  }
});

test('one filter covers another exactly if it matches all topics of the other', () => {
  for (const outer of filters) {
    for (const inner of filters) {
      const wanted = [...(matched.get(inner) ?? [])].every((topic) =>
        matched.get(outer)?.has(topic),
      );
      assert.equal(covers(levelsOf(outer), levelsOf(inner)), wanted, `${outer} over ${inner}`);
    }
  }
});
