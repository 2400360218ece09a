// A reporter for Node's test runner that reports to the parent process, test/run.ts, instead of printing.
// Knows nothing of the tests; the runner's other reporter prints them. Plain JavaScript, because Node 20
// loads a reporter before it loads tsx.

export default async function* report(events) {
  for await (const event of events) {
    const progress = progressOf(event);
    if (progress !== undefined) process.send?.(progress);
  }
  // A reporter must yield text; this one has none.
  yield '';
}

/** @returns {import('../run.ts').Progress | undefined} */
function progressOf({ type, data: { name = '', file = '', skip = false } }) {
  // The runner wraps the tests of a file in a test with the file's own name.
  const isFile = name !== '' && file.endsWith(name);
  if (type === 'test:dequeue' && isFile) return { kind: 'begun', file };
  if (type === 'test:complete' && isFile) return { kind: 'done', file };
  if (type === 'test:fail') return { kind: 'failed', file, test: name };
  if (type === 'test:pass' && skip !== false) return { kind: 'skipped', file, test: name };
  return undefined;
}
