import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LevelMap } from '../../../../src/broker/routing/level-map.ts';

test('children are found, replaced and removed, one or many', () => {
  const map = new LevelMap<number>();
  assert.equal(map.get('a'), undefined);
  map.set('a', 1);
  map.set('a', 2);
  assert.deepEqual([map.get('a'), map.get('b'), map.size], [2, undefined, 1]);
  map.set('b', 3);
  map.set('c', 4);
  assert.deepEqual(
    [...map.entries()],
    [
      ['a', 2],
      ['b', 3],
      ['c', 4],
    ],
  );
  map.delete('b');
  assert.deepEqual([map.get('a'), map.get('b'), map.size], [2, undefined, 2]);
});

test('after its last child is removed the map is empty and can be used again', () => {
  const map = new LevelMap<number>();
  map.set('a', 1);
  map.delete('b');
  assert.equal(map.size, 1);
  map.delete('a');
  assert.equal(map.size, 0);
  map.set('b', 2);
  assert.deepEqual([...map.values()], [2]);
});

test('a walk that pauses yields a child once, even if a second one is added meanwhile', () => {
  const map = new LevelMap<number>();
  map.set('a', 1);
  const walk = map.values();
  assert.equal(walk.next().value, 1);
  map.set('b', 2);
  assert.deepEqual([...walk], [2]);
});
