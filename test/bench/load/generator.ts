// The load generator's process, pinned to its own core. Takes one Load as JSON on its command line and
// prints one LoadResult as JSON.

import { churn, idle, reconnect, retained, sessions } from './lanes.ts';
import { latency, pauses } from './latency.ts';
import { throughput } from './throughput.ts';
import type { Load } from './types.ts';

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
const kinds = { throughput, latency, pauses, churn, reconnect, idle, sessions, retained };
const result = await kinds[load.kind](load);
process.stdout.write(`${JSON.stringify(result)}\n`);
if (load.kind === 'idle') setInterval(() => undefined, 60_000);
else process.exit(0);
