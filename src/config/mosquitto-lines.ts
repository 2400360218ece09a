// Reads a mosquitto.conf, and the files that its include_dir names, into directives with file and
// line. Must not know any other directive. Sources: mosquitto.conf(5) of mosquitto 2.0 and 2.1, and
// conf.c of 2.1 for the order of the files.

import { join } from 'node:path';
import { describeSystemError } from '../shared/describe-system-error.ts';
import { ConfigError } from './load.ts';

export interface Directive {
  readonly file: string;
  /** Counted from 1; 0 for a note on the whole file. */
  readonly line: number;
  readonly name: string;
  readonly value: string;
}

export interface MosquittoFiles {
  /** @throws as fs.readFileSync does */
  readFile(path: string): string;
  /** The names of the files in a folder. @throws as fs.readdirSync does */
  listFolder(path: string): readonly string[];
}

/**
 * @param file the name of the main file, for messages
 * @throws ConfigError if a folder or file of include_dir can't be read
 */
export function readDirectives(file: string, source: string, files: MosquittoFiles): Directive[] {
  return directivesOf(file, source).flatMap((directive) =>
    directive.name === 'include_dir' ? included(directive, files) : [directive],
  );
}

/** mosquitto follows include_dir in the main file only. */
function included(directive: Directive, files: MosquittoFiles): Directive[] {
  const folder = directive.value;
  const read = <T>(path: string, reader: (path: string) => T): T => {
    try {
      return reader(path);
    } catch (error) {
      const place = `${directive.file}:${directive.line}: include_dir`;
      throw new ConfigError([`${place}: ${path}: ${describeSystemError(error, 'read')}`]);
    }
  };
  return read(folder, files.listFolder)
    .filter((name) => name.endsWith('.conf') && name.length > '.conf'.length)
    .sort(byName)
    .map((name) => join(folder, name))
    .flatMap((path) => directivesOf(path, read(path, files.readFile)));
}

/** Alphabetical; of two names that differ in case only, upper case comes first. */
function byName(a: string, b: string): number {
  const [upperA, upperB] = [a.toUpperCase(), b.toUpperCase()];
  if (upperA !== upperB) return upperA < upperB ? -1 : 1;
  return a < b ? -1 : 1;
}

function directivesOf(file: string, source: string): Directive[] {
  return source.split(/\r?\n/).flatMap((text, index) => {
    const [, name = '', value = ''] = /^\s*([^\s#]\S*)\s*(.*?)\s*$/s.exec(text) ?? [];
    return name === '' ? [] : [{ file, line: index + 1, name, value }];
  });
}
