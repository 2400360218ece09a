// Messages a second over a bridge, beside a pair of mosquittos in the same run: a publisher at one broker,
// a subscriber at the other, and a window between them so that nothing is lost. The brokers of a pair run
// on one core, the load on the other. Where a far side is the limit, its core is busy: so each bridge also
// runs to a sink (bridge-sink.c) that only reads, acknowledges and counts, on the core of the load.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { missingPrograms } from '../../support/programs.ts';
import { BUNDLE } from '../../support/shoal-process.ts';
import * as wire from '../../support/wire.ts';
import { freePort } from '../brokers.ts';
import { atLeast, judged } from '../goals.ts';
import { BROKER_CORE, cpuSeconds, GENERATOR_CORE } from '../load/clock.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  medians,
  percent,
  prefixed,
  type Row,
  type Run,
  type Table,
} from '../table.ts';

/** Times mosquitto's bridge. */
const GOAL = atLeast(5);
const WINDOW = 2000;
/** A batch is sent as soon as the window has room for this many. */
const BATCH_MIN = 100;
const PAYLOAD = 'x'.repeat(64);
const SETTLE_MS = 500;
const MEASURE_MS = 1500;
const CONNECT_TRIES = 100;
const SINK_SOURCE = join(import.meta.dirname, '../bridge-sink.c');

type Kind = 'mosquitto' | 'Shoal';
type FarKind = Kind | 'a sink';

const PAIRS: readonly (readonly [Kind, FarKind])[] = [
  ['mosquitto', 'mosquitto'],
  ['Shoal', 'mosquitto'],
  ['Shoal', 'Shoal'],
  ['mosquitto', 'a sink'],
  ['Shoal', 'a sink'],
];

export const bridgeTable: Table = {
  name: 'bridge',
  title: 'Bridges',
  minutes: { eachRun: 0.6, once: 0 },
  missing: () => missingPrograms('mosquitto', 'cc', 'taskset'),
  measure,
  markdown,
};

async function measure({ runs, words, say }: Run): Promise<Figures> {
  const bench = new Bench();
  const samples = new Map<string, Row[]>();
  try {
    for (let run = 0; run < runs; run++) {
      for (const [near, far] of PAIRS) {
        const name = `${near} to ${far}`;
        if (!words.every((word) => name.includes(word))) continue;
        say(`run ${run + 1} of ${runs}: ${name}`);
        const qos0 = prefixed('qos0', await bench.measure(near, far, 0));
        const qos1 = prefixed('qos1', await bench.measure(near, far, 1));
        samples.set(name, [...(samples.get(name) ?? []), { ...qos0, ...qos1 }]);
      }
    }
  } finally {
    bench.remove();
  }
  return Object.fromEntries([...samples].map(([name, rows]) => [name, medians(rows)]));
}

/** Counts what arrives at the far side of a bridge. */
interface Far {
  arrived: number;
  onArrival: () => void;
  close(): void;
}

/** The brokers of one measurement after another, and their files. */
class Bench {
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
  readonly #sink = join(this.#folder, 'sink');
  #children: ChildProcess[] = [];

  constructor() {
    execFileSync('cc', ['-O2', '-o', this.#sink, SINK_SOURCE]);
  }

  remove(): void {
    this.#endAll();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Measures the messages that arrive behind the bridge. */
  async measure(near: Kind, farKind: FarKind, qos: 0 | 1): Promise<Row> {
    const [nearPort, farPort] = [await freePort(), await freePort()];
    const packet = wire.publish(4, { topic: 'bench/t', payload: PAYLOAD, qos, id: 1 });
    const out = wire.publish(4, { topic: 'bench/t', payload: PAYLOAD, qos: 0, id: 0 });
    const far =
      farKind === 'a sink'
        ? this.#openSink(farPort)
        : await this.#openBroker(farKind, farPort, out.length);
    this.#start(near, nearPort, `${farPort}`, qos);
    const publisher = await open(nearPort, 'pub');
    publisher.on('data', () => undefined);
    // The bridge connects in its own time, and QoS 0 does not wait for it.
    while (far.arrived === 0) {
      publisher.write(packet);
      await delay(200);
    }
    await delay(SETTLE_MS);
    keepWindow(far, publisher, packet, qos);
    await delay(SETTLE_MS);
    const [startedAt, before, cpu] = [performance.now(), far.arrived, this.#cpu()];
    await delay(MEASURE_MS);
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = (far.arrived - before) / seconds;
    const [farBusy, nearBusy] = this.#cpu().map((after, i) => (after - cpu[i]!) / seconds);
    far.close();
    publisher.destroy();
    this.#endAll();
    return { rate, near: nearBusy ?? Number.NaN, far: farBusy ?? Number.NaN };
  }

  /** Processor seconds: of the far side, then of the near one. */
  #cpu(): number[] {
    return this.#children.map(({ pid = 0 }) => cpuSeconds(pid));
  }

  #endAll(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#children = [];
  }

  /** @param bridge port of the far side; empty for none */
  #start(kind: Kind, port: number, bridge: string, qos: number): void {
    const file = join(this.#folder, `${port}.conf`);
    if (kind === 'mosquitto') {
      const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 1000\n`;
      const part = `connection b\naddress 127.0.0.1:${bridge}\ntopic # out ${qos}\nbridge_protocol_version mqttv311\nnotifications false\n`;
      writeFileSync(file, text + (bridge === '' ? '' : part));
      this.#spawn(BROKER_CORE, 'mosquitto', ['-c', file]);
      return;
    }
    const part = `[[bridge]]\nname = "b"\naddress = "mqtt://127.0.0.1:${bridge}"\ntopics = ["# out ${qos}"]\nmax-inflight-messages = 1000\n`;
    const head = `anonymous = true\nlog-level = "error"\nmax-queued-messages = 0\nmax-inflight-messages = 1000\nreceive-maximum = 1000\n[[listener]]\nport = ${port}\nbind = "127.0.0.1"\n`;
    writeFileSync(file, head + (bridge === '' ? '' : part));
    this.#spawn(BROKER_CORE, process.execPath, [BUNDLE, `-config=${file}`]);
  }

  #spawn(
    core: number,
    command: string,
    flags: readonly string[],
    stdout: 'ignore' | 'pipe' = 'ignore',
  ): ChildProcess {
    const env = { ...process.env, SHOAL_HTTP: 'off', SHOAL_CONTROL: 'off' };
    const child = spawn('taskset', ['-c', String(core), command, ...flags], {
      stdio: ['ignore', stdout, 'ignore'],
      env,
    });
    this.#children.push(child);
    return child;
  }

  #openSink(port: number): Far {
    const { stdout } = this.#spawn(GENERATOR_CORE, this.#sink, [`${port}`], 'pipe');
    const far: Far = { arrived: 0, onArrival: () => undefined, close: () => undefined };
    stdout?.on('data', (chunk: Buffer) => {
      far.arrived = Number(chunk.toString().trimEnd().split('\n').at(-1));
      far.onArrival();
    });
    return far;
  }

  /** A broker with a subscriber. @param bytes of a packet that arrives there */
  async #openBroker(kind: Kind, port: number, bytes: number): Promise<Far> {
    this.#start(kind, port, '', 0);
    const subscriber = await open(port, 'sub');
    subscriber.write(wire.subscribe(4, 1, [{ filter: '#', qos: 0 }]));
    await new Promise((done) => subscriber.once('data', done));
    const far: Far = {
      arrived: 0,
      onArrival: () => undefined,
      close: () => subscriber.destroy(),
    };
    let received = 0;
    subscriber.on('data', (chunk) => {
      received += chunk.length;
      far.arrived = Math.floor(received / bytes);
      far.onArrival();
    });
    return far;
  }
}

/** Publishes whenever the window has room, until the publisher's socket is destroyed. */
function keepWindow(far: Far, publisher: Socket, packet: Buffer, qos: 0 | 1): void {
  let [sent, nextId] = [far.arrived, 1];
  far.onArrival = () => {
    const room = WINDOW - (sent - far.arrived);
    if (room < BATCH_MIN || publisher.destroyed) return;
    const batch = Buffer.alloc(room * packet.length);
    for (let n = 0; n < room; n++) {
      packet.copy(batch, n * packet.length);
      if (qos === 1) {
        nextId = (nextId % 60_000) + 1;
        batch.writeUInt16BE(nextId, n * packet.length + 2 + 2 + 7);
      }
    }
    sent += room;
    publisher.write(batch);
  };
  far.onArrival();
}

async function open(port: number, clientId: string): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const isOpen = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
    if (isOpen) {
      socket.write(wire.connect({ version: 4, clientId, clean: true }));
      await new Promise((done) => socket.once('data', done));
      return socket;
    }
    if (tries > CONNECT_TRIES) throw new Error(`nothing listens on ${port}`);
    await delay(50);
  }
}

function markdown(figures: Figures): string {
  const head = [
    'bridge',
    'QoS 0, messages/s',
    'times mosquitto',
    'goal',
    'CPU a message, us: near, far',
    'core busy: near, far',
  ];
  const rows = Object.entries(figures).map(([name, row]) => {
    const base = figures[`mosquitto to ${name.endsWith('a sink') ? 'a sink' : 'mosquitto'}`];
    const goal = name.startsWith('Shoal') ? GOAL : undefined;
    return [
      name,
      ...(['qos0', 'qos1'] as const).flatMap((qos) => [
        amount(figure(row, `${qos}.rate`)),
        amount(figure(row, `${qos}.rate`) / figure(base, `${qos}.rate`)),
        judged(goal, figure(row, `${qos}.rate`) / figure(base, `${qos}.rate`)),
        `${cpu(row, qos, 'near')}, ${cpu(row, qos, 'far')}`,
        `${percent(figure(row, `${qos}.near`))}, ${percent(figure(row, `${qos}.far`))}`,
      ]),
    ];
  });
  const qos1 = head.slice(1).map((title) => title.replace('QoS 0', 'QoS 1'));
  return markdownTable([...head, ...qos1], rows);
}

/** Of one side, in microseconds. */
function cpu(row: Row | undefined, qos: 'qos0' | 'qos1', side: 'near' | 'far'): string {
  return amount((figure(row, `${qos}.${side}`) / figure(row, `${qos}.rate`)) * 1e6);
}
