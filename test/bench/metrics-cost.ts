// What metrics cost on the hot path: processor time for each message of a node without HTTP and $SYS,
// beside one that has both, is scraped as by Prometheus and read as by a dashboard. Rounds of the two
// alternate on one core, so that what the machine does otherwise reaches both.
//   npm run build && node --import tsx test/bench/metrics-cost.ts [rounds] [seconds]

import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { freePort, type RunningBroker, startBroker } from './cluster/brokers.ts';
import { BROKER_CORE, runLoad } from './cluster/run-load.ts';

const SHOAL = fileURLToPath(new URL('../../dist/shoal.js', import.meta.url));
const SCRAPE_EVERY_MS = 1000;
const rounds = Number(process.argv[2] ?? 7);
const seconds = Number(process.argv[3] ?? 4);

interface Variant {
  readonly name: string;
  readonly flags: readonly string[];
  /** Of its HTTP server, where something asks it. */
  readonly httpPort?: number;
  /** Microseconds of processor time for each message, round by round. */
  readonly micros: number[];
}

interface Load {
  readonly name: string;
  readonly pace: { readonly window: number } | { readonly rate: number };
}

/** All that the core can do, and a fixed rate that leaves it time. */
const LOADS: readonly Load[] = [
  { name: 'QoS 0 pairs 10:10, 64 B, window 100', pace: { window: 100 } },
  { name: 'QoS 0 pairs 10:10, 64 B, 2,000 messages a second', pace: { rate: 2000 } },
];

async function variants(): Promise<Variant[]> {
  const [scraped, idle] = [await freePort(), await freePort()];
  const bare = ['-http=off', '-control=off', '-sys-interval=0'];
  return [
    { name: 'no HTTP, no $SYS', flags: bare, micros: [] },
    { name: 'the same again', flags: bare, micros: [] },
    { name: 'the defaults', flags: [`-http=127.0.0.1:${idle}`, '-control=off'], micros: [] },
    {
      name: 'the defaults, scraped each second, and a dashboard open',
      flags: [`-http=127.0.0.1:${scraped}`, '-control=off'],
      httpPort: scraped,
      micros: [],
    },
  ];
}

function start({ flags }: Variant, port: number): Promise<RunningBroker> {
  const args = [SHOAL, `-port=${port}`, '-bind=127.0.0.1', '-log-level=error'];
  return startBroker(process.execPath, [...args, ...flags], { port, core: BROKER_CORE });
}

/** @returns ends it, with the number of scrapes */
function observe(httpPort: number): () => number {
  let scrapes = 0;
  const headers = { host: `127.0.0.1:${httpPort}` };
  const at = { host: '127.0.0.1', port: httpPort, headers };
  const stream = get({ ...at, path: '/api/v1/observations' }, (response) => response.resume());
  stream.on('error', () => undefined);
  const timer = setInterval(() => {
    get({ ...at, path: '/metrics' }, (response) => {
      if (response.statusCode === 200) scrapes += 1;
      response.resume();
    });
  }, SCRAPE_EVERY_MS);
  return () => {
    clearInterval(timer);
    stream.destroy();
    return scrapes;
  };
}

async function round(variant: Variant, { pace }: Load): Promise<void> {
  const port = await freePort();
  const broker = await start(variant, port);
  const end = variant.httpPort === undefined ? undefined : observe(variant.httpPort);
  try {
    const ends = { version: 4, qos: 0, payloadBytes: 64, copies: 1 } as const;
    const topics = Array.from({ length: 10 }, (_, i) => `bench/${i}`);
    const { cpuSeconds, received } = await runLoad(
      {
        ...ends,
        publishers: topics.map((topic) => ({ port, topic })),
        subscribers: topics.map((filter) => ({ port, filter })),
        pace,
        warmupSeconds: 2,
        seconds,
      },
      [broker.pid],
    );
    variant.micros.push((1e6 * (cpuSeconds[0] ?? Number.NaN)) / received);
    if (end?.() === 0) throw new Error('no scrape was answered');
  } finally {
    end?.();
    await broker.stop();
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Each round beside the first variant's round next to it. */
function ratios(variant: Variant, base: Variant): string {
  const each = variant.micros.map((micros, index) => micros / (base.micros[index] ?? Number.NaN));
  return [0.5, 0.25, 0.75].map((share) => quantile(each, share).toFixed(3)).join(', ');
}

for (const load of LOADS) {
  const all = await variants();
  for (let n = 0; n < rounds; n++) {
    // Forwards and backwards in turn: none is always the first after a pause.
    for (const variant of n % 2 === 0 ? all : all.toReversed()) await round(variant, load);
  }
  console.log(`\n${load.name}: CPU a message; ratio to the first row: median, quartiles`);
  const [base] = all;
  for (const variant of all) {
    const micros = quantile(variant.micros, 0.5).toFixed(3);
    console.log(`${variant.name.padEnd(58)} ${micros} us   ${base && ratios(variant, base)}`);
  }
}
