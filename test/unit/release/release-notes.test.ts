import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReleaseFacts, releaseNotes } from '../../../release/release-notes.ts';

const RELEASED =
  '# Changelog\n\nWords.\n\n## Unreleased\n\n## 1.2.0 - 2026-11-29\n\n- A.\n\n## 1.1.0\n\n- B.\n';
const CHANGED = RELEASED.replace('Unreleased\n', 'Unreleased\n\n### Added\n\n- C.\n');
const facts: ReleaseFacts = {
  ...{ version: '1.2.0', changelog: RELEASED, tags: ['v1.2.0'], isDraft: false },
};

test('a release has the entry of its version as its notes', () => {
  assert.equal(releaseNotes(facts), '- A.');
});

test('a draft has what is under Unreleased as its notes, and needs no tag', () => {
  const draft = { ...facts, tags: [], isDraft: true };
  assert.equal(releaseNotes({ ...draft, changelog: CHANGED }), '### Added\n\n- C.');
  assert.equal(releaseNotes(draft), '- A.');
});

test('what is no release is refused, with what to do', () => {
  const refusal = (change: Partial<ReleaseFacts>, message: RegExp): void => {
    assert.throws(() => releaseNotes({ ...facts, ...change }), { message });
  };
  refusal({ version: '1.2' }, /^package\.json: version 1\.2 is not like 1\.2\.3$/);
  refusal({ version: '1.3.0' }, /^CHANGELOG\.md has no entry "## 1\.3\.0"$/);
  refusal({ changelog: CHANGED }, /changes under "Unreleased": move them to "## 1\.2\.0"/);
  refusal({ tags: ['v1.1.0'] }, /no tag v1\.2\.0: git tag v1\.2\.0/);
});
