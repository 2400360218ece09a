import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TopicTable } from '../../../../src/broker/routing/topic-table.ts';

const MIB = 1_048_576;

/** @param memoryBytesMax -memory-limit */
function newTableOf(topicBytesMax: number, memoryBytesMax = Number.POSITIVE_INFINITY): TopicTable {
  return new TopicTable({ topicLevelsMax: 4, topicBytesMax, memoryBytesMax });
}

const newTable = (): TopicTable => newTableOf(20);

function find(table: TopicTable, name: string) {
  const bytes = Buffer.from(`xx${name}yy`);
  return table.find(bytes, 2, bytes.length - 2);
}

test('equal bytes find the same topic, different bytes another', () => {
  const table = newTable();
  const first = find(table, 'a/b');
  const second = find(table, 'a/c');
  assert.equal(first?.name, 'a/b');
  assert.equal(second?.name, 'a/c');
  assert.equal(find(table, 'a/b'), first);
  assert.equal(table.intern('a/c'), second);
});

test('a topic does not keep the buffer in memory in which it arrived', () => {
  const table = newTable();
  const bytes = Buffer.from('abc');
  const topic = table.find(bytes, 0, 3);
  bytes.fill(0x7a);
  assert.equal(topic?.bytes.toString(), 'abc');
  assert.equal(find(table, 'abc'), topic);
});

test('a topic keeps no memory of what was allocated around it', () => {
  const table = newTable();
  const kept = new Set<ArrayBufferLike>();
  for (let i = 0; i < 100; i++) {
    kept.add(find(table, `topic/${i}`)!.bytes.buffer);
    // Takes a part of the memory that small buffers share.
    Buffer.from('y'.repeat(4000));
  }
  const bytes = [...kept].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  assert.ok(bytes <= 8192, `${bytes} bytes for 100 topics`);
});

test('names with a wildcard, U+0000, too many levels, too many bytes or no byte are refused', () => {
  const table = newTable();
  for (const bad of ['', 'a/+', '#', 'a\0', 'a/b/c/d/e', 'x'.repeat(21)]) {
    assert.equal(find(table, bad), undefined, JSON.stringify(bad));
  }
  const surrogate = Buffer.from([0xed, 0xa0, 0x80]);
  assert.equal(table.find(surrogate, 0, 3), undefined);
});

test('topics in use stay in the table, however many others arrive', () => {
  const table = newTable();
  for (let i = 0; i < 300_000; i++) {
    assert.equal(find(table, `t/${i}`)?.name, `t/${i}`);
    if (i % 1000 === 0) assert.equal(find(table, 'often')?.name, 'often');
  }
});

test('the memory of topics is bounded, whatever their length, and less where -memory-limit is small', () => {
  for (const [bytes, limitMib, boundMib] of [
    [20, Number.POSITIVE_INFINITY, 64],
    [200, Number.POSITIVE_INFINITY, 64],
    [60_000, Number.POSITIVE_INFINITY, 64],
    [200, 64, 8],
  ] as const) {
    const table = newTableOf(65_535, limitMib * MIB);
    let most = 0;
    for (let i = 0; i < Math.min(150_000, (200 * MIB) / bytes); i++) {
      table.intern(`${i}/`.padEnd(bytes, 'x'));
      most = Math.max(most, table.bytes);
    }
    assert.ok(most <= boundMib * MIB, `${most} bytes for topics of ${bytes}`);
    // It is used, too.
    assert.ok(most > 0.8 * boundMib * MIB, `${most} bytes for topics of ${bytes}`);
  }
});

test('topics chosen for one hash replace each other instead of forming a long chain', () => {
  const table = newTableOf(100);
  const topics = topicsOfOneHash(6);
  assert.equal(new Set(topics).size, 64);
  const first = find(table, topics[0]!);
  assert.equal(find(table, topics[0]!), first);
  for (const topic of topics) assert.equal(find(table, topic)?.name, topic);
  assert.notEqual(find(table, topics[0]!), first);
});

/** 2^blocks topics: each block is one of two that lead FNV-1a from one state to the same next one. */
function topicsOfOneHash(blocks: number): string[] {
  let topics = [''];
  let state = 0x811c9dc5;
  for (let block = 0; block < blocks; block++) {
    const seen = new Map<number, string>();
    for (let i = 0; ; i++) {
      const text = i.toString(36).padStart(6, '0');
      let next = state;
      for (const byte of Buffer.from(text)) next = Math.imul(next ^ byte, 0x01000193);
      const twin = seen.get(next);
      if (twin === undefined) {
        seen.set(next, text);
        continue;
      }
      topics = topics.flatMap((topic) => [topic + twin, topic + text]);
      state = next;
      break;
    }
  }
  return topics;
}

test('a topic of the greatest length and depth is allowed, and one beyond either is not', () => {
  const table = newTable();
  for (const [name, isAllowed] of [
    ['x'.repeat(20), true],
    ['x'.repeat(21), false],
    ['a/b/c/d', true],
    ['a/b/c/d/e', false],
    ['a/+', false],
    ['é'.repeat(10), true],
    ['é'.repeat(11), false],
  ] as const) {
    assert.equal(table.allows(name), isAllowed, name);
    assert.equal(find(table, name) !== undefined, isAllowed, `${name} in bytes`);
  }
});
