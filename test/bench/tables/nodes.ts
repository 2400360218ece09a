// What a message costs the node that sends it to 1, 2, 4 and 8 others, by unicast and by multicast, measured
// alternately. Each node is in a namespace on one bridge, so that root is needed. The sender has one core
// alone; the others share one with the generator. The rate is low enough for all of them, and each message
// has a datagram of its own.

import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { missingPrivilege, Network } from '../../support/network.ts';
import { ShoalProcess } from '../../support/shoal-process.ts';
import type { LoadPlan } from '../cluster/plan.ts';
import { BROKER_CORE, LOAD_CORE, runLoad } from '../cluster/run-load.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  medians,
  prefixed,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

const PEERS = [1, 2, 4, 8];
const MODES = ['unicast', 'multicast'] as const;
const SECONDS = 2;
const RATE = 1000;
const PAYLOAD_BYTES = 1024;
const READY_MS_MAX = 60_000;

export const nodesTable: Table = {
  name: 'nodes',
  title: 'From one node to many',
  missing: missingPrivilege,
  minutes: { eachRun: 0.6, once: 0.7 },
  measure,
  markdown,
};

async function measure({ runs, words, say }: Run): Promise<Figures> {
  const figures: Figures = {};
  for (const peers of PEERS) {
    const name = `${peers}`;
    if (!words.every((word) => name.includes(word))) continue;
    say(`${peers} peers`);
    figures[name] = await to(peers, runs);
  }
  return figures;
}

async function to(peers: number, runs: number): Promise<Row> {
  const sites: Site[] = [];
  try {
    for (const mode of MODES) sites.push(new Site(mode, peers));
    for (const site of sites) await site.ready();
    const rows: Row[] = [];
    for (let run = 0; run < runs; run++) {
      let row: Row = {};
      for (const site of sites) row = { ...row, ...(await site.run()) };
      rows.push(row);
    }
    return medians(rows);
  } finally {
    for (const site of sites) await site.end();
  }
}

const addressOf = (index: number): string => `192.168.1.${101 + index}`;

/** A sender, and nodes that its messages go to. */
class Site {
  readonly #mode: (typeof MODES)[number];
  readonly #peers: number;
  readonly #network: Network;
  readonly #nodes: readonly ShoalProcess[];

  constructor(mode: (typeof MODES)[number], peers: number) {
    this.#mode = mode;
    this.#peers = peers;
    const indices = Array.from({ length: peers + 1 }, (_, index) => index);
    this.#network = new Network(
      Object.fromEntries(indices.map((index) => [`box${index}`, [addressOf(index)]])),
    );
    const token = randomBytes(16).toString('hex');
    this.#nodes = indices.map((index) => {
      const core = index === 0 ? BROKER_CORE : LOAD_CORE;
      const via = [...this.#network.via(`box${index}`), 'taskset', '-c', String(core)];
      const flags = [`-nid=box${index}`, `-csk=${token}`, `-mbs=${addressOf(0)}`, `-sync=${mode}`];
      return new ShoalProcess(flags, { via, cwd: tmpdir() });
    });
  }

  /** Resolves when messages of the sender reach all others in the way that is measured. */
  async ready(): Promise<void> {
    const [sender] = this.#nodes as [ShoalProcess];
    const isMulticast = this.#mode === 'multicast' && this.#peers > 1;
    for (const node of this.#nodes) await node.mqttPort();
    for (let index = 1; index <= this.#peers; index++) {
      await sender.waitFor(new RegExp(`cluster online box${index}\\b`), READY_MS_MAX);
      if (!isMulticast) continue;
      await sender.waitFor(
        new RegExp(`multicast reaches a peer.* peer=box${index}\\b`),
        READY_MS_MAX,
      );
    }
  }

  /** One subscriber on the last node: the others have none, so that they add nothing to the load. */
  async run(): Promise<Row> {
    const [sender] = this.#nodes as [ShoalProcess];
    const plan: LoadPlan = {
      version: 4,
      qos: 0,
      payloadBytes: PAYLOAD_BYTES,
      publishers: [{ port: 1883, topic: 'bench/0' }],
      subscribers: [{ host: addressOf(this.#peers), port: 1883, filter: 'bench/0' }],
      copies: 1,
      pace: { rate: RATE },
      warmupSeconds: 1,
      seconds: SECONDS,
    };
    const via = this.#network.via('box0');
    const { cpuSeconds, sent, lost, latencyUs } = await runLoad(plan, [sender.pid], via);
    const figures = { cpuUs: (cpuSeconds[0]! / sent) * 1e6, p50: latencyUs.p50, lost };
    return prefixed(this.#mode, figures);
  }

  async end(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    this.#network.destroy();
  }
}

function markdown(figures: Figures): string {
  const head = [
    'other nodes',
    'CPU of the sender a message, us: unicast',
    'multicast',
    'p50 to the last node, us: unicast, multicast',
    'lost',
  ];
  const rows = Object.entries(figures).map(([peers, row]) => {
    const of = (key: string): string => amount(figure(row, key));
    return [
      peers,
      of('unicast.cpuUs'),
      of('multicast.cpuUs'),
      `${of('unicast.p50')}, ${of('multicast.p50')}`,
      `${of('unicast.lost')}, ${of('multicast.lost')}`,
    ];
  });
  return markdownTable(head, rows);
}
