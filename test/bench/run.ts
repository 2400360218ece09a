// `npm run bench [-- tables or words of a row's name] [--all [--resume]] [--save] [--runs N]
// [--brokers a,b] [--docs]`: measures tables and prints them. `--all` measures every table and writes
// docs/performance.md; `--resume` skips the tables already measured with this bundle; `--save` writes the
// page for the named tables only; `--docs` writes it from the saved results without measuring.

import { parseArgs } from 'node:util';
import { availableBrokers, type BrokerName } from './brokers.ts';
import { bundleHash, readResults, renderPage, saveResult, type Table } from './table.ts';
import { TABLES } from './tables/all.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    docs: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    brokers: { type: 'string', default: availableBrokers().join(',') },
  },
});
const runs = Number(values.runs);
const brokers = values.brokers.split(',') as BrokerName[];
const words = positionals.filter((word) => !TABLES.some(({ name }) => name === word));
const isSaved = values.all || values.save;
if (isSaved && words.length > 0)
  throw new Error('only whole tables can be saved: leave out the words of a row');

if (!values.docs) await measureAll(chosenTables());
if (isSaved || values.docs) renderPage(TABLES);

function chosenTables(): Table[] {
  const named = TABLES.filter(({ name }) => positionals.includes(name));
  const chosen = values.all ? [...TABLES] : named.length > 0 ? named : TABLES.slice(0, 1);
  if (!values.resume) return chosen;
  const [results, bundle] = [readResults(), bundleHash()];
  return chosen.filter(({ name }) => results[name]?.bundle !== bundle);
}

async function measureAll(tables: readonly Table[]): Promise<void> {
  const minutesOf = ({ minutes }: Table): number => minutes.once + minutes.eachRun * runs;
  const total = tables.reduce((sum, table) => sum + minutesOf(table), 0);
  const list = tables.map((table) => `${table.name} ${minutesOf(table).toFixed(1)}`).join(', ');
  if (words.length === 0) console.error(`about ${Math.ceil(total)} minutes: ${list}`);
  for (const [index, table] of tables.entries()) {
    const say = (text: string): void =>
      console.error(`${clock()} ${index + 1}/${tables.length} ${table.name}: ${text}`);
    const missing = table.missing?.() ?? false;
    if (missing !== false) {
      say(`not measured: ${missing}`);
      continue;
    }
    try {
      await measureOne(table, say);
    } catch (error) {
      // The others are still worth their minutes.
      say(`failed: ${error instanceof Error ? error.stack : error}`);
      process.exitCode = 1;
    }
  }
}

async function measureOne(table: Table, say: (text: string) => void): Promise<void> {
  const startedAt = performance.now();
  const figures = await table.measure({ runs, brokers, words, say });
  say(`${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes`);
  if (isSaved) saveResult(table, runs, figures);
  console.log(`\n${table.title}\n\n${table.markdown(figures)}\n`);
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
