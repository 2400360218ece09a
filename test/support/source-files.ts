// The project's files as text, for the tests that check how the project is built: which files there
// are, what they import, and in which circles they do. Reads files only; knows no rule.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export interface Import {
  /** A path from the project's root, or the name of a package. */
  readonly target: string;
  readonly isRelative: boolean;
  /** `import type`: erased before the program runs. */
  readonly isType: boolean;
  /** `import()`: runs when the call is reached. */
  readonly isLate: boolean;
}

/** Paths from the project's root; empty if there is no such folder. */
export function filesUnder(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}

export function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

export function importsOf(file: string): Import[] {
  const found = read(file).matchAll(
    /^(?:import|export)(\s+type)?\b[^;]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm,
  );
  return [...found].map(([, type, from, bare, dynamic]) => {
    const name = from ?? bare ?? dynamic ?? '';
    const isRelative = name.startsWith('.');
    const target = isRelative ? normalize(join(dirname(file), name)) : name;
    return { target, isRelative, isType: type !== undefined, isLate: dynamic !== undefined };
  });
}

/** The code alone: comments and texts are blank. */
export function withoutCommentsAndTexts(code: string): string {
  return code.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    ' ',
  );
}

/** What can be reached from `starts` by imports that `counts` accepts, `starts` included. */
export function reachableFrom(
  starts: readonly string[],
  counts: (found: Import) => boolean = () => true,
): Set<string> {
  const reached = new Set<string>();
  const waiting = [...starts];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const found of importsOf(file)) {
      if (found.isRelative && counts(found)) waiting.push(found.target);
    }
  }
  return reached;
}

/**
 * Groups of files that import each other in a circle, each with at least two files (Tarjan's
 * strongly connected components).
 *
 * @param withTypes counts `import type` as well
 */
export function importCycles(files: readonly string[], withTypes: boolean): string[][] {
  const known = new Set(files);
  const order = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): number => {
    const number = order.size;
    order.set(file, number);
    let low = number;
    stack.push(file);
    for (const { target, isType } of importsOf(file)) {
      if (!known.has(target) || (isType && !withTypes)) continue;
      if (!order.has(target)) low = Math.min(low, visit(target));
      else if (stack.includes(target)) low = Math.min(low, order.get(target) ?? low);
    }
    if (low === number) {
      const cycle = stack.splice(stack.indexOf(file));
      if (cycle.length > 1) cycles.push(cycle.sort());
    }
    return low;
  };
  for (const file of files) if (!order.has(file)) visit(file);
  return cycles;
}
