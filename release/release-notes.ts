// What a release says of itself: its version, and its entry in CHANGELOG.md. Pure: texts in, texts out.
// Invariant: a version without an entry, or changes that no version has yet, are no release.

const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
const UNRELEASED = 'Unreleased';

export interface ReleaseFacts {
  readonly version: string;
  readonly changelog: string;
  /** Tags of the commit that is built. */
  readonly tags: readonly string[];
  /** A build to try: the entry is what is under "Unreleased", and the commit needs no tag. */
  readonly isDraft: boolean;
}

/**
 * @returns the entry of the version, without its heading
 * @throws Error that says what to mend
 */
export function releaseNotes({ version, changelog, tags, isDraft }: ReleaseFacts): string {
  if (!VERSION.test(version)) throw new Error(`package.json: version ${version} is not like 1.2.3`);
  const unreleased = entryOf(changelog, UNRELEASED);
  if (isDraft) return unreleased || entryOf(changelog, version);
  if (unreleased !== '') {
    throw new Error(
      `CHANGELOG.md has changes under "${UNRELEASED}": move them to "## ${version}", or build a --draft`,
    );
  }
  const entry = entryOf(changelog, version);
  if (entry === '') throw new Error(`CHANGELOG.md has no entry "## ${version}"`);
  if (!tags.includes(`v${version}`)) {
    throw new Error(`this commit has no tag v${version}: git tag v${version}, or build a --draft`);
  }
  return entry;
}

/** @param title of the section; a date may follow it */
function entryOf(changelog: string, title: string): string {
  const section = changelog
    .split(/^## /m)
    .find((part) => part.split(/[\s\n]/, 1)[0]?.replace(/[[\]]/g, '') === title);
  return section === undefined ? '' : section.slice(section.indexOf('\n') + 1).trim();
}
