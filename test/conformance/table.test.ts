// Checks that the catalogue, the tags in test names and docs/conformance.md agree.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCatalogue, readReasons, readTags } from './catalogue.ts';
import { readPage, render } from './table.ts';

const catalogue = readCatalogue();
const known = new Set(catalogue.map((statement) => statement.tag));

test('the catalogue lists every normative statement of both versions once', () => {
  assert.equal(known.size, catalogue.length, 'no number comes twice');
  assert.equal(catalogue.filter((s) => s.version === '3.1.1').length, 141);
  assert.equal(catalogue.filter((s) => s.version === '5.0').length, 251);
  for (const { tag, addressee, summary } of catalogue) {
    assert.ok(addressee && summary, `${tag} is complete`);
  }
});

test('every tag in a test name or in the reasons belongs to a statement of the catalogue', () => {
  const strangers = [...readTags().keys(), ...readReasons().keys()].filter(
    (tag) => !known.has(tag),
  );
  assert.deepEqual(strangers, []);
});

test('every statement about servers has a test or a reason', () => {
  const open = catalogue
    .filter((s) => s.addressee !== 'client' && s.tests.length === 0 && s.reason === '')
    .map((s) => s.tag);
  assert.deepEqual(open, []);
});

test('a statement with a test needs no reason', () => {
  const both = catalogue.filter((s) => s.tests.length > 0 && s.reason !== '').map((s) => s.tag);
  assert.deepEqual(both, []);
});

test('docs/conformance.md is current (npm run docs:conformance writes it)', () => {
  assert.ok(readPage().generated === render(), 'the table of the page is not the current one');
});
