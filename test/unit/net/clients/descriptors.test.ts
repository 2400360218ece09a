import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hasFreeDescriptor,
  readDescriptorLimit,
  shareOut,
} from '../../../../src/net/clients/descriptors.ts';

test('a sixteenth of the descriptors, 16 to 128, is kept free for everything but client sockets', () => {
  assert.deepEqual(shareOut(60, 22), { descriptors: 60, socketsMax: 22, reserve: 16 });
  assert.deepEqual(shareOut(1024, 24), { descriptors: 1024, socketsMax: 936, reserve: 64 });
  assert.equal(shareOut(1_048_576, 24).socketsMax, 1_048_576 - 24 - 128);
  assert.equal(shareOut(Number.POSITIVE_INFINITY, 24).socketsMax, Number.POSITIVE_INFINITY);
});

test('some clients are served, however low the limit is', () => {
  assert.equal(shareOut(20, 30).socketsMax, 4);
});

test('the limit of this process is read', () => {
  const { descriptors, socketsMax } = readDescriptorLimit();
  assert.ok(descriptors > 0);
  assert.ok(socketsMax > 0 && socketsMax <= descriptors);
  assert.equal(hasFreeDescriptor(), true);
});
