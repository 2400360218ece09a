// Nodes, clients and perhaps a network of namespaces for one integration test. All of them end with the
// test; if it fails, the failure contains the output of the nodes.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { ControlClient } from '../../../src/cli/control-client.ts';
import { missingPrivilege, Network } from '../../support/network.ts';
import { loopbackFlags, ShoalProcess } from '../../support/shoal-process.ts';
import { WatchedProcess } from '../../support/watched-process.ts';
import { TestClient } from './test-client.ts';

const SCENARIO_MS_MAX = 240_000;
const RELAY = resolve(import.meta.dirname, '../../support/relay.ts');
/** The host for clients in a network. */
export const CLIENT_HOST = 'clients';

/** `host` is its place in the scenario's network; without one it runs on loopback. */
export class Node {
  readonly name: string;
  readonly process: ShoalProcess;
  readonly dial: () => Duplex;
  /** Where its API answers without a token; only of a node on loopback. */
  readonly control: string;

  constructor(name: string, process: ShoalProcess, dial: () => Duplex, control = '') {
    this.name = name;
    this.process = process;
    this.dial = dial;
    this.control = control;
  }

  /** Resolves when this node logs the state of the other, from line `from` of its output on. */
  async sees(
    state: 'online' | 'suspect' | 'offline' | 'left',
    other: Node | string,
    { from = 0, msMax }: { from?: number; msMax?: number } = {},
  ): Promise<void> {
    const name = typeof other === 'string' ? other : other.name;
    await this.process.waitFor(new RegExp(`cluster ${state} ${name}\\b`), msMax, from);
  }

  /** The current end of the output, for sees(). */
  mark(): { from: number } {
    return { from: this.process.lineCount };
  }
}

export class Scenario {
  readonly #nodes: Node[] = [];
  readonly #clients: TestClient[] = [];
  readonly #processes: WatchedProcess[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-it-'));
  #network: Network | undefined;

  /** Creates the network, with an additional host for clients. */
  async network(
    hosts: Readonly<Record<string, readonly string[]>>,
    clientAddresses: readonly string[] = ['192.168.1.200'],
  ): Promise<Network> {
    const network = new Network({ ...hosts, [CLIENT_HOST]: clientAddresses });
    this.#network = network;
    const relay = this.run(
      [process.execPath, '--import=tsx', RELAY, this.#relayPath],
      network.via(CLIENT_HOST),
    );
    await relay.waitFor(/relay ready/);
    return network;
  }

  /** Starts a node on a host of the network with exactly these flags. */
  startOn(host: string, name: string, flags: readonly string[]): Node {
    const network = this.#network;
    if (network === undefined) throw new Error('no network');
    const shoal = new ShoalProcess(flags, { via: network.via(host), cwd: this.#folder });
    return this.#add(name, shoal, () => this.#dialThrough(`${network.address(host)} 1883`));
  }

  /** Starts a node on loopback with ports that the system chooses; it may fail to start. */
  launch(name: string, ...flags: string[]): Node {
    return this.launchOf(undefined, name, ...flags);
  }

  /** As launch(), of another bundle than that of this source. */
  launchOf(bundle: string | undefined, name: string, ...flags: string[]): Node {
    const token = flags.some((flag) => flag.startsWith('-csk-file')) ? [] : ['-csk=secret'];
    const control = join(this.#folder, `${this.#nodes.length}.sock`);
    const all = loopbackFlags(name, ...token, `-control=${control}`, ...flags);
    const shoal = new ShoalProcess(all, { cwd: this.#folder, ...(bundle && { bundle }) });
    const dial = (): Duplex => {
      const [, port] = /tcp 127\.0\.0\.1:(\d+)/.exec(shoal.output) ?? [];
      return connect({ host: '127.0.0.1', port: Number(port) });
    };
    return this.#add(name, shoal, dial, control);
  }

  /** Asks the API of a node over its control socket. @returns the parsed JSON of the response */
  ask({ control }: Node, method: string, path: string, body?: unknown): Promise<unknown> {
    return new ControlClient(control).ask({ method, path, body });
  }

  /** Ends with the scenario. */
  get folder(): string {
    return this.#folder;
  }

  /** A file in this scenario's folder. */
  file(name: string, content: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, content);
    return path;
  }

  async startLocal(name: string, ...flags: string[]): Promise<Node> {
    const node = this.launch(name, ...flags);
    await node.process.mqttPort();
    return node;
  }

  /** Starts nodes n1, n2, n3 ... on loopback and waits until all see each other. */
  async localCluster(count: number, ...flags: string[]): Promise<Node[]> {
    const first = await this.startLocal('n1', ...flags);
    const seed = `-mbs=${await first.process.gossipAddress()}`;
    const names = Array.from({ length: count - 1 }, (_, index) => `n${index + 2}`);
    const others = await Promise.all(names.map((name) => this.startLocal(name, seed, ...flags)));
    const nodes = [first, ...others];
    await allSeeEachOther(nodes);
    return nodes;
  }

  async client(node: Node, options: IClientOptions = {}): Promise<TestClient> {
    const client = await TestClient.connect(node.dial, options);
    this.#clients.push(client);
    return client;
  }

  /** Starts any program; it ends with the scenario. */
  run(commandLine: readonly string[], via: readonly string[] = []): WatchedProcess {
    const started = new WatchedProcess(commandLine, { via });
    this.#processes.push(started);
    return started;
  }

  get logs(): string {
    const parts = this.#nodes.map(({ name, process }) => `--- ${name}\n${process.output}`);
    return parts.join('');
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
    const ended = this.#allProcesses.map((one) => one.kill().catch(() => undefined));
    await Promise.all(ended);
    this.cleanUp();
  }

  /** Kills everything at once, when the test process itself ends. */
  cleanUp(): void {
    for (const one of this.#allProcesses) one.signal('SIGKILL');
    this.#network?.destroy();
    this.#network = undefined;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #allProcesses(): WatchedProcess[] {
    return [...this.#nodes.map((node) => node.process), ...this.#processes];
  }

  get #relayPath(): string {
    return join(this.#folder, 'relay');
  }

  #dialThrough(target: string): Duplex {
    const stream = connect(this.#relayPath);
    stream.write(`${target}\n`);
    return stream;
  }

  #add(name: string, process: ShoalProcess, dial: () => Duplex, control?: string): Node {
    const node = new Node(name, process, dial, control);
    this.#nodes.push(node);
    return node;
  }
}

/** Resolves when each node has all others online, and has opened MQTT, which comes after that. */
export async function allSeeEachOther(nodes: readonly Node[]): Promise<void> {
  const pairs = nodes.flatMap((node) =>
    nodes.filter((other) => other !== node).map((other) => node.sees('online', other)),
  );
  const open = nodes.map(({ process }) => process.waitFor(/Shoal v\S+ (tcp|tls|ws|wss) /));
  await Promise.all([...pairs, ...open]);
}

/** `context` is for subtests, which run concurrently. */
type Body = (scene: Scenario, context: TestContext) => Promise<void>;

/** Flags for startLocal() that start a loopback node on its former ports, as a box keeps them. */
export async function restartFlags({ process }: Node): Promise<string[]> {
  const gossip = await process.gossipAddress();
  const ports = [await process.mqttPort(), gossip.split(':').at(-1), await process.syncPort()];
  const [mqttPort, gossipPort, syncPort] = ports;
  return [`-port=${mqttPort}`, `-crp=${gossipPort}`, `-csp=${syncPort}`];
}

/** A test with nodes of its own. */
export function scenario(name: string, body: Body): void {
  test(name, { concurrency: true }, (context) => play(body, context));
}

/** Like scenario(), with a network. @param commands programs that it needs */
export function networkScenario(name: string, commands: readonly string[], body: Body): void {
  const skip = missingPrivilege(...commands);
  test(name, { concurrency: true, skip }, (context) => play(body, context));
}

/** Like scenario(), with other programs. @param commands that it needs; skipped where one is missing */
export function programScenario(name: string, commands: readonly string[], body: Body): void {
  const missing = commands.filter(
    (one) => spawnSync('sh', ['-c', `command -v ${one}`]).status !== 0,
  );
  const skip = missing.length > 0 && `not installed: ${missing.join(', ')}`;
  test(name, { concurrency: true, skip }, (context) => play(body, context));
}

const underWay = new Set<Scenario>();
process.once('SIGTERM', () => process.exit(1));
process.once('SIGINT', () => process.exit(1));
process.once('exit', () => {
  for (const scene of underWay) scene.cleanUp();
});

async function play(body: Body, context: TestContext): Promise<void> {
  const scene = new Scenario();
  underWay.add(scene);
  const limit = new Limit(SCENARIO_MS_MAX);
  try {
    await Promise.race([body(scene, context), limit.over]);
  } catch (error) {
    if (error instanceof Error) error.message += `\n${scene.logs}`;
    throw error;
  } finally {
    limit.clear();
    await scene.end();
    underWay.delete(scene);
  }
}

/** A time limit that also ends the nodes; the test runner's limit would leave them running. */
class Limit {
  readonly over: Promise<never>;
  #timer: NodeJS.Timeout | undefined;

  constructor(msMax: number) {
    this.over = new Promise((_done, fail) => {
      const error = new Error(`not done within ${msMax / 1000} s`);
      this.#timer = setTimeout(() => fail(error), msMax);
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
