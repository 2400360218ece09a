// Measures one load with the generator in C on several brokers, which take turns. A broker lives for all runs
// of a load, alone on its core.

import { type BrokerName, type RunningBroker, type StartOptions, startBroker } from '../brokers.ts';
import { medians, prefixed, type Row } from '../table.ts';
import type { CompiledGenerator, GeneratorOptions } from './compiled.ts';

export type GeneratorLoad = Omit<GeneratorOptions, 'publish' | 'subscribe' | 'pids'>;

const WARMUP_SECONDS = 0.4;
const SECONDS = 0.8;

export const PAIRS = { publishers: 50, subscribers: 50, pairs: 1 } as const;

/** 50 connections at a time. Node compiles what a connection needs only after some thousands of them. */
export const CHURN = { churn: 1, publishers: 50, warmup: 1.2 } as const;

/** A system under test; a second address is where the subscribers connect. */
export interface System {
  readonly name: string;
  readonly publish: string;
  readonly subscribe?: string;
  readonly pids: readonly number[];
}

export const addressOf = ({ host = '127.0.0.1', port }: { host?: string; port: number }): string =>
  `${host}:${port}`;

/** @returns the medians of each system's figures, with the system's name before them */
export async function takeTurns(
  generator: CompiledGenerator,
  load: GeneratorLoad,
  systems: readonly System[],
  runs: number,
): Promise<Row> {
  const rows: Row[] = [];
  for (let run = 0; run < runs; run++) {
    let row: Row = {};
    for (const { name, ...where } of systems) {
      const timing = { warmup: WARMUP_SECONDS, seconds: SECONDS };
      const result = await generator.run({ ...timing, ...load, ...where });
      row = { ...row, ...prefixed(name, { ...result }) };
    }
    rows.push(row);
  }
  return medians(rows);
}

export async function besideEachOther(
  generator: CompiledGenerator,
  load: GeneratorLoad,
  brokers: readonly BrokerName[],
  runs: number,
  options: StartOptions = {},
): Promise<Row> {
  const running: RunningBroker[] = [];
  try {
    const { transport = 'tcp' } = load;
    for (const name of brokers) running.push(await startBroker(name, { ...options, transport }));
    const systems = running.map((broker) => ({
      name: broker.name,
      publish: addressOf(broker),
      pids: [broker.pid],
    }));
    return await takeTurns(generator, load, systems, runs);
  } finally {
    for (const broker of running) await broker.stop();
  }
}
