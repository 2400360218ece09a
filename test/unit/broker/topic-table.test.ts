import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicTable } from '../../../src/broker/topic-table.ts';

const newTable = (): TopicTable => new TopicTable({ topicLevelsMax: 4, topicBytesMax: 20 });

function find(table: TopicTable, name: string) {
  const bytes = Buffer.from(`xx${name}yy`);
  return table.find(bytes, 2, bytes.length - 2);
}

test('the same bytes find the same topic, other bytes another', () => {
  const table = newTable();
  const first = find(table, 'a/b');
  const second = find(table, 'a/c');
  assert.equal(first?.name, 'a/b');
  assert.equal(second?.name, 'a/c');
  assert.equal(find(table, 'a/b'), first);
  assert.equal(table.intern('a/c'), second);
});

test('a found topic does not hang on the buffer that it came in', () => {
  const table = newTable();
  const bytes = Buffer.from('abc');
  const topic = table.find(bytes, 0, 3);
  bytes.fill(0x7a);
  assert.equal(topic?.bytes.toString(), 'abc');
  assert.equal(find(table, 'abc'), topic);
});

test('no topic has a wildcard, U+0000, too many levels, too many bytes or none', () => {
  const table = newTable();
  for (const bad of ['', 'a/+', '#', 'a\0', 'a/b/c/d/e', 'x'.repeat(21)]) {
    assert.equal(find(table, bad), undefined, JSON.stringify(bad));
  }
  const surrogate = Buffer.from([0xed, 0xa0, 0x80]);
  assert.equal(table.find(surrogate, 0, 3), undefined);
});

test('topics in use stay however many others pass by', () => {
  const table = newTable();
  for (let i = 0; i < 300_000; i++) {
    assert.equal(find(table, `t/${i}`)?.name, `t/${i}`);
    if (i % 1000 === 0) assert.equal(find(table, 'often')?.name, 'often');
  }
});
