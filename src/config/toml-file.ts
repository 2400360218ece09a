// Reads a TOML file into settings by option name, each with its file:line. An unknown key is a
// problem, with the nearest known one as a suggestion. Knows nothing of what the values mean.

import { parse, TomlError } from 'smol-toml';
import { nearest } from './suggest.ts';

export interface TomlSetting {
  readonly text: string;
  /** file:line */
  readonly place: string;
}

export interface TomlFile {
  readonly settings: ReadonlyMap<string, TomlSetting>;
  readonly problems: readonly string[];
}

export function readTomlFile(
  path: string,
  knownKeys: readonly string[],
  readFile: (path: string) => string,
): TomlFile {
  const settings = new Map<string, TomlSetting>();
  const problems: string[] = [];
  try {
    const source = readFile(path);
    for (const [key, value] of Object.entries(parse(source))) {
      const place = `${path}:${lineOf(source, key)}`;
      const text = textOf(value);
      if (!knownKeys.includes(key)) {
        const near = nearest(key, knownKeys);
        const hint = near === undefined ? '' : `; did you mean '${near}'?`;
        problems.push(`${place}: unknown key '${key}'${hint}`);
      } else if (text === undefined) {
        problems.push(`${place}: '${key}' has to be a text, a number, true or false, or a list`);
      } else {
        settings.set(key, { text, place });
      }
    }
  } catch (error) {
    problems.push(explain(path, error));
  }
  return { settings, problems };
}

function explain(path: string, error: unknown): string {
  if (error instanceof TomlError) {
    // The message goes on with an excerpt of the file over several lines.
    const [first = ''] = error.message.split('\n');
    return `${path}:${error.line}: ${first.replace(/^Invalid TOML document: /, '')}`;
  }
  return `can't read ${path}: ${error instanceof Error ? error.message : String(error)}`;
}

/** A list is written as its items between commas, as on the command line. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const items = value.map(textOf);
    return items.includes(undefined) ? undefined : items.join(',');
  }
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value);
  }
  return undefined;
}

/** The parser doesn't tell where a key stands; keys are plain words, so a search finds it. */
function lineOf(source: string, key: string): number {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`^\\s*\\[*\\s*["']?${escaped}["']?\\s*[=.\\]]`);
  return source.split('\n').findIndex((line) => pattern.test(line)) + 1;
}
