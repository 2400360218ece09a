// The longest turns of a node's event loop, in processor time, while it does a long job of its own: fetches what
// other nodes retain, delivers what they forward, writes a snapshot, judges all clients by a new ACL. A pair
// of clients that behave measures what they notice.
//   npm run build && node --import tsx test/attack/pauses.ts [--bundle=FILE] [words of a job's name]

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE, loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import * as wire from '../support/wire.ts';
import { AttackClient, openMany, type Target } from './attack-client.ts';
import { Innocents } from './innocents.ts';

const HOST = '127.0.0.1';
const METER = new URL('./turn-meter.mjs', import.meta.url).href;
const TOKEN = '-csk=Vj3kqT9wPz7nLx2RbYc8';
const FOR_LONG = { sessionExpiryInterval: 3600 };
const [option = ''] = process.argv.slice(2).filter((word) => word.startsWith('--bundle='));
const bundle = option.slice('--bundle='.length) || BUNDLE;
const words = process.argv.slice(2).filter((word) => word !== option);

/** A node whose turns are measured. */
class MeteredNode extends ShoalProcess {
  readonly #turns: string;
  readonly #name: string;

  constructor(folder: string, name: string, ...flags: string[]) {
    const turns = join(folder, `${name}-turns`);
    super(loopbackFlags(name, ...flags), {
      bundle,
      nodeFlags: [`--import=${METER}`],
      env: { TURN_METER: turns },
      via: ['nice', '-n', '-15'],
    });
    this.#turns = turns;
    this.#name = name;
  }

  async target(): Promise<Target> {
    return { host: HOST, port: await this.mqttPort() };
  }

  forgetTurns(): void {
    rmSync(this.#turns, { force: true });
  }

  report(job: string): void {
    const text = existsSync(this.#turns) ? readFileSync(this.#turns, 'utf8') : '';
    const turns = text.split('\n').slice(0, -1).map(Number);
    const longest = Math.max(0, ...turns);
    const all = turns.slice(0, 20).join(' ');
    process.stdout.write(`${job}: ${this.#name} longest turn ${longest} ms; by second ${all}\n`);
  }
}

/** Retains so many messages at `r/...`, with an innocent size. */
async function retain(target: Target, count: number): Promise<void> {
  const publisher = await AttackClient.open(target);
  for (let i = 0; i < count; i += 1000) {
    const packets = Array.from({ length: 1000 }, (_, k) =>
      wire.publish(5, { topic: `r/${(i + k) % 317}/${i + k}`, payload: `${i}`, retain: true }),
    );
    await publisher.ask(Buffer.concat([...packets, wire.PINGREQ]));
  }
  publisher.destroy();
}

async function subscribers(target: Target, count: number, filter: string): Promise<void> {
  await openMany(count, async () => {
    const client = await AttackClient.open(target);
    await client.ask(wire.subscribe(5, 1, [{ filter, qos: 0 }]));
    return client;
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function measured(job: string, node: MeteredNode, ms: number): Promise<void> {
  const pair = await Innocents.connect(await node.target());
  const { p50, p99, max } = await pair.measure(ms);
  pair.close();
  node.report(job);
  const figures = [p50, p99, max].map((value) => value.toFixed(1)).join(', ');
  process.stdout.write(`${job}: messages of a pair p50, p99, max ${figures} ms\n`);
}

type Job = (
  folder: string,
  start: (name: string, ...flags: string[]) => MeteredNode,
) => Promise<void>;

const jobs: Readonly<Record<string, Job>> = {
  'a late node fetches 100,000 retained messages for 2,000 subscribers': async (_folder, start) => {
    const flags = ['-retained-messages=200000', TOKEN];
    const first = start('first', ...flags);
    await retain(await first.target(), 100_000);
    const late = start('late', ...flags, `-mbs=${await first.gossipAddress()}`);
    await subscribers(await late.target(), 2000, 'r/+/1');
    await subscribers(await late.target(), 20, 'r/#');
    first.forgetTurns();
    await measured('fetching', late, 8000);
    first.report('answering');
  },
  'another node forwards a flood to 2,000 subscribers': async (_folder, start) => {
    const first = start('first', TOKEN);
    const second = start('second', TOKEN, `-mbs=${await first.gossipAddress()}`);
    const target = await second.target();
    await subscribers(target, 2000, 'flood');
    const publisher = await AttackClient.open(await first.target());
    const packet = wire.publish(5, { topic: 'flood', payload: 'x' });
    const chunk = Buffer.concat(Array(500).fill(packet));
    second.forgetTurns();
    publisher.flood(() => chunk);
    await measured('forwarded flood', second, 8000);
  },
  'a snapshot of 100,000 retained and 100,000 queued messages': async (folder, start) => {
    const queues = ['-max-queued-messages=100000', '-max-queued-bytes=100000000'];
    const data = `-data=${join(folder, 'data')}`;
    const node = start('stored', data, '-retained-messages=200000', ...queues);
    const target = await node.target();
    await retain(target, 100_000);
    const fields = { clientId: 'absent', clean: false, properties: FOR_LONG };
    const absent = await AttackClient.open(target, fields);
    await absent.ask(wire.subscribe(5, 1, [{ filter: 'fill', qos: 1 }]));
    absent.destroy();
    const publisher = await AttackClient.open(target);
    const packet = wire.publish(5, { topic: 'fill', payload: Buffer.alloc(300), qos: 1 });
    for (let i = 0; i < 100; i++) {
      await publisher.ask(Buffer.concat(Array(1000).fill(packet)));
      if (/snapshot written/.test(node.output)) break;
    }
    node.forgetTurns();
    publisher.flood(() => Buffer.concat(Array(100).fill(packet)));
    await measured('snapshot', node, 8000);
    const count = node.output.split('snapshot written').length - 1;
    process.stdout.write(`snapshot: ${count} written\n`);
  },
  'an ACL of 10,000 lines is read anew with 5,000 clients': async (folder, start) => {
    const file = join(folder, 'acl');
    const lines = (last: string): string =>
      [
        'topic readwrite #',
        ...Array.from({ length: 10_000 }, (_, i) => `topic read a/${i}/b`),
        last,
      ].join('\n');
    writeFileSync(file, lines(''), { mode: 0o600 });
    const node = start('judging', `-acl=${file}`, '-anonymous=true', '-max-connections=30000');
    const target = await node.target();
    await openMany(5000, async () => {
      const client = await AttackClient.open(target);
      await client.ask(wire.subscribe(5, 1, ['a/1/b', 'b/#', 'c/+']));
      return client;
    });
    const flooder = await AttackClient.open(target);
    const filters = Array.from({ length: 100 }, (_, i) => `f/${i}`);
    const change = Buffer.concat([wire.subscribe(5, 1, filters), wire.unsubscribe(5, 1, filters)]);
    flooder.flood(() => change);
    await pause(2000);
    node.report('flood of SUBSCRIBE alone');
    node.forgetTurns();
    let round = 0;
    const timer = setInterval(() => {
      round += 1;
      writeFileSync(file, lines(`topic deny c/${round}`), { mode: 0o600 });
      node.signal('SIGHUP');
    }, 2000);
    await measured('access review', node, 8000);
    clearInterval(timer);
    process.stdout.write(
      `access review: ${node.output
        .split('\n')
        .filter((l) => /reload|access/.test(l))
        .slice(-3)
        .join('\n')}\n`,
    );
  },
};

async function run(name: string, job: Job): Promise<void> {
  process.stdout.write(`${name}\n`);
  const folder = mkdtempSync(join(tmpdir(), 'pauses-'));
  const nodes: MeteredNode[] = [];
  try {
    await job(folder, (node, ...flags) => {
      const started = new MeteredNode(folder, node, ...flags);
      nodes.push(started);
      return started;
    });
  } finally {
    for (const node of nodes) await node.kill();
    rmSync(folder, { recursive: true });
  }
}

setPriority(-19);
for (const [name, job] of Object.entries(jobs)) {
  if (words.every((word) => name.includes(word))) await run(name, job);
}
process.exit();
