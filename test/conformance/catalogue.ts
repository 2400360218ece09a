// The catalogue of normative statements, each with the tests that carry its tag, or the reason for the
// absence of a test. Knows nothing of the broker. Sources: catalogue/*.txt and the names of all
// tests under test/.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const HERE = import.meta.dirname;
const TEST_ROOT = join(HERE, '..');
const TEST_NAME = /\b(?:test|it|eachVersion)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs;
const TAG = /\[(MQTT[35]-\d+(?:\.\d+)*-\d+)\]/g;

export interface Statement {
  /** As in a test's name: MQTT5-3.3.1-2. */
  tag: string;
  version: '3.1.1' | '5.0';
  addressee: 'server' | 'client' | 'both';
  summary: string;
  /** Test files with its tag, relative to test/. */
  tests: string[];
  reason: string;
}

const ADDRESSEES = { S: 'server', C: 'client', B: 'both' } as const;
const FILES = { '3.1.1': 'mqtt-3.1.1.txt', '5.0': 'mqtt-5.0.txt' } as const;

function lines(file: string): string[][] {
  return readFileSync(join(HERE, 'catalogue', file), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' | '));
}

/** Each tag with the files whose test names contain it. */
export function readTags(): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const entry of readdirSync(TEST_ROOT, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.test.ts')) continue;
    const path = join(entry.parentPath, entry.name);
    for (const [, , name = ''] of readFileSync(path, 'utf8').matchAll(TEST_NAME)) {
      for (const [, tag = ''] of name.matchAll(TAG)) {
        const files = found.get(tag) ?? new Set();
        found.set(tag, files.add(relative(TEST_ROOT, path).replaceAll('\\', '/')));
      }
    }
  }
  return new Map([...found].map(([tag, files]) => [tag, [...files].sort()]));
}

/** Reasons by tag; one line may name several. */
export function readReasons(): Map<string, string> {
  return new Map(
    lines('reasons.txt').flatMap(([tags = '', reason = '']) =>
      tags.split(' ').map((tag) => [tag, reason] as const),
    ),
  );
}

export function readCatalogue(): Statement[] {
  const tags = readTags();
  const reasons = readReasons();
  return (['3.1.1', '5.0'] as const).flatMap((version) =>
    lines(FILES[version]).map(([number = '', who = '', summary = '']) => {
      const tag = `MQTT${version[0]}-${number}`;
      return {
        tag,
        version,
        addressee: ADDRESSEES[who as keyof typeof ADDRESSEES],
        summary,
        tests: tags.get(tag) ?? [],
        reason: reasons.get(tag) ?? '',
      };
    }),
  );
}
