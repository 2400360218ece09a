// What is on the heap of this process, by constructor, from a snapshot of V8. For programs that look for what grows.
// Invariant: garbage is collected first, so that only what something refers to counts.

import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface HeapClass {
  readonly count: number;
  /** Of the objects themselves, without what they refer to. */
  readonly bytes: number;
}

interface Snapshot {
  readonly snapshot: { readonly meta: { node_fields: string[]; node_types: [string[]] } };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** What strings, code and numbers are called, whose names in a snapshot are their contents. */
const KINDS_BY_TYPE = new Set(['string', 'concatenated string', 'sliced string', 'code', 'number']);

/** Collects garbage. Needs no flag of Node. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 4; i++) collect();
}

/** Bytes in use after a collection, buffers outside of the heap included. */
export function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Objects on the heap by constructor. Takes seconds, and a file of the heap's size meanwhile. */
export function heapClasses(): Map<string, HeapClass> {
  collectGarbage();
  const path = writeHeapSnapshot(join(tmpdir(), `shoal-${process.pid}.heapsnapshot`));
  const { snapshot, nodes, strings } = JSON.parse(readFileSync(path, 'utf8')) as Snapshot;
  rmSync(path);
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field));
  const classes = new Map<string, HeapClass>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[0][nodes[at + type!]!]!;
    const key = KINDS_BY_TYPE.has(kind) ? `(${kind})` : strings[nodes[at + name!]!]!;
    const { count, bytes } = classes.get(key) ?? { count: 0, bytes: 0 };
    classes.set(key, { count: count + 1, bytes: bytes + nodes[at + size!]! });
  }
  return classes;
}

/** What has grown most from one summary to another, the largest growth first. */
export function grown(
  before: ReadonlyMap<string, HeapClass>,
  after: ReadonlyMap<string, HeapClass>,
  most: number,
): { readonly name: string; readonly count: number; readonly bytes: number }[] {
  return [...after]
    .map(([name, { count, bytes }]) => {
      const earlier = before.get(name) ?? { count: 0, bytes: 0 };
      return { name, count: count - earlier.count, bytes: bytes - earlier.bytes };
    })
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, most);
}
