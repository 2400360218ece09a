// The young generation of the heap stays small, whatever the program keeps: in a process of its own, as the flags of V8
// hold for a whole process.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const COLLECTOR = join(import.meta.dirname, '../../../src/cli/collector.ts');
/** Without the flag it is 16 to 80 MB, depending on the release of Node. */
const YOUNG_MEGABYTES_MAX = 12;

test('the young generation does not grow with what the program keeps', () => {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { tuneCollector } from ${JSON.stringify(COLLECTOR)};
    tuneCollector();
    const kept = [];
    for (let i = 0; i < 1_000_000; i++) kept.push({ i });
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    console.log(kept.length, young.space_size / 2 ** 20);`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const [kept, megabytes] = stdout.trim().split(' ').map(Number);
  assert.equal(kept, 1_000_000, stderr);
  assert.ok(megabytes! <= YOUNG_MEGABYTES_MAX, `${megabytes} MB`);
});
