// Bridges between the built bundle and real brokers: another Shoal, mosquitto, nats-server with JetStream,
// RabbitMQ (SHOAL_RABBITMQ=1, because it takes long to start). Processes are killed while messages cross.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IClientOptions } from 'mqtt';
import type { BridgeView } from '../../src/http/node-api.ts';
import { TestAuthority } from '../support/certificates.ts';
import { runCommand } from '../support/run-command.ts';
import type { WatchedProcess } from '../support/watched-process.ts';
import {
  allSeeEachOther,
  type Node,
  programScenario,
  type Scenario,
  scenario,
} from './support/scenario.ts';
import { TestClient } from './support/test-client.ts';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** The file of a node with one bridge. @param lines further keys of the bridge */
function bridgeFile(scene: Scenario, port: number, ...lines: string[]): string {
  const text = `[[bridge]]\nname = "hq"\naddress = "mqtt://127.0.0.1:${port}"\nreconnect-min = "100ms"\n`;
  return scene.file(`bridge-${Math.random()}.toml`, `${text}${lines.join('\n')}\n`);
}

async function openAt(port: number, options: IClientOptions = {}): Promise<TestClient> {
  const dial = () => connect({ host: '127.0.0.1', port });
  return TestClient.connect(dial, options);
}

/** A client whose session waits for it. */
const WATCHER = { clientId: 'watcher', clean: false, properties: { sessionExpiryInterval: 3600 } };

async function waitForPort(port: number): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const isOpen = await new Promise<boolean>((done) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('connect', () => socket.end(() => done(true)));
      socket.on('error', () => done(false));
    });
    if (isOpen) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`nothing listens on ${port}`);
}

async function mosquitto(scene: Scenario, port: number): Promise<WatchedProcess> {
  const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n`;
  const started = scene.run(['mosquitto', '-c', scene.file(`m${port}.conf`, text)]);
  await waitForPort(port);
  return started;
}

/** Publishes with QoS 1 in turn at these nodes, as long as they live. @returns what was acknowledged */
async function publishAll(
  clients: readonly TestClient[],
  name: string,
  count: number,
): Promise<string[]> {
  const texts = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  for (const [n, text] of texts.entries()) {
    await clients[n % clients.length]!.publish(`up/${n % 5}`, text, { qos: 1 });
  }
  return texts;
}

/** The node that runs the bridge. */
async function runner(nodes: readonly Node[]): Promise<Node> {
  return Promise.race(
    nodes.map(async (node) => {
      await node.process.waitFor(/bridge connected/, 60_000);
      return node;
    }),
  );
}

programScenario(
  'a bridge of a cluster goes on at another node when its node is killed',
  ['mosquitto'],
  async (scene) => {
    const port = await freePort();
    await mosquitto(scene, port);
    const file = bridgeFile(scene, port, 'topics = ["up/# out 1"]', 'client-id = "site"');
    const nodes = await scene.localCluster(3, `-config=${file}`);
    const active = await runner(nodes);
    const others = nodes.filter((node) => node !== active);
    const watcher = await openAt(port);
    await watcher.subscribe('up/#', 1);
    const sources = await Promise.all(others.map((node) => scene.client(node)));
    const before = await publishAll(sources, 'before', 300);
    active.process.signal('SIGKILL');
    const after = await publishAll(sources, 'after', 300);
    const wanted = [...before, ...after];
    await watcher.until(() => hasAll(watcher, wanted), 'every message', 60_000);
    const twice = watcher.arrivals.length - wanted.length;
    assert.ok(twice <= before.length, `${twice} messages came twice`);
    await watcher.end();
  },
);

/** More with SHOAL_KILLS=50, for the figure of docs/bridge.md. */
const KILLS = Number(process.env.SHOAL_KILLS ?? 8);

scenario('kill -9 of either side loses nothing and repeats nothing', async (scene) => {
  const port = await freePort();
  const farFlags = [`-port=${port}`, '-data=far', '-max-queued-messages=0'];
  const keys = ['topics = ["up/# out 2"]', 'run-on = "each"'];
  const nearFlags = ['-data=near', `-config=${bridgeFile(scene, port, ...keys)}`];
  let far = await scene.startLocal('far', ...farFlags);
  let near = await scene.startLocal('near', ...nearFlags);
  const watcher = await openAt(port, WATCHER);
  await watcher.subscribe('up/#', 2);
  await watcher.end();
  const acknowledged: string[] = [];
  for (let round = 0; round < KILLS; round++) {
    const source = await scene.client(near);
    const sent = Array.from({ length: 200 }, async (_, n) => {
      await source.publish('up/t', `${round}-${n}`, { qos: 2 });
      acknowledged.push(`${round}-${n}`);
    });
    const enough = new Promise((done) => setTimeout(done, 200 * Math.random()));
    await Promise.race([Promise.allSettled(sent), enough]);
    const isFar = round % 3 === 2;
    const killed = isFar ? far : near;
    killed.process.signal('SIGKILL');
    await killed.process.exited;
    if (isFar) far = await scene.startLocal('far', ...farFlags);
    else near = await scene.startLocal('near', ...nearFlags);
    await source.end();
  }
  const reader = await openAt(port, WATCHER);
  await reader.until(() => hasAll(reader, acknowledged), 'every message', 60_000);
  const texts = reader.texts('up/t');
  assert.equal(new Set(texts).size, texts.length, 'no message comes twice');
  for (let round = 0; round < KILLS; round++) {
    const numbers = texts
      .filter((text) => text.startsWith(`${round}-`))
      .map((text) => Number(text.slice(2)));
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
      'in order',
    );
  }
  await reader.end();
});

/** Messages in both directions, before and after a kill -9 of the far side. */
async function crossBothWays(scene: Scenario, port: number, restart: () => Promise<void>) {
  const keys = ['protocol = "3.1.1"', 'topics = ["up/# out 1", "down/# in 1"]', 'run-on = "each"'];
  const near = await scene.startLocal('near', `-config=${bridgeFile(scene, port, ...keys)}`);
  await near.process.waitFor(/bridge connected/, 60_000);
  const device = await scene.client(near);
  await device.subscribe('down/#', 1);
  let office = await openAt(port, { protocolVersion: 4, clientId: 'office' });
  await office.subscribe('up/#', 1);
  await device.publish('up/t', 'one', { qos: 1 });
  await office.arrival('up/t', ({ text }) => text === 'one');
  await office.publish('down/t', 'two', { qos: 1 });
  await device.arrival('down/t', ({ text }) => text === 'two');
  await office.end();
  const mark = near.process.lineCount;
  await restart();
  await device.publish('up/t', 'three', { qos: 1 });
  await near.process.waitFor(/bridge connected/, 30_000, mark);
  office = await openAt(port, { protocolVersion: 4, clientId: 'office' });
  await office.subscribe('up/#', 1);
  await device.publish('up/t', 'four', { qos: 1 });
  await office.arrival('up/t', ({ text }) => text === 'four', 60_000);
  await office.publish('down/t', 'five', { qos: 1 });
  await device.arrival('down/t', ({ text }) => text === 'five', 60_000);
  await office.end();
}

programScenario('a bridge to nats-server with JetStream', ['nats-server'], async (scene) => {
  const [port, client] = [await freePort(), await freePort()];
  const config = scene.file(
    'nats.conf',
    `server_name: hq
listen: 127.0.0.1:${client}
jetstream { store_dir: "${scene.file('nats', '')}.d" }
mqtt { listen: "127.0.0.1:${port}" }
`,
  );
  let nats = scene.run(['nats-server', '-c', config]);
  await waitForPort(port);
  await crossBothWays(scene, port, async () => {
    nats.signal('SIGKILL');
    await nats.exited;
    nats = scene.run(['nats-server', '-c', config]);
    await waitForPort(port);
  });
});

scenario('a bridge whose session an administrator ends opens it again', async (scene) => {
  const port = await freePort();
  await scene.startLocal('far', `-port=${port}`);
  const keys = ['topics = ["up/# out 1"]', 'run-on = "each"'];
  const file = bridgeFile(scene, port, ...keys);
  const socketPath = `${scene.file('control', '')}.sock`;
  const near = await scene.startLocal('near', `-config=${file}`, `-control=${socketPath}`);
  await near.process.waitFor(/bridge connected/);
  const mark = near.process.lineCount;
  const path = `/api/v1/clients/${encodeURIComponent('$bridge/hq')}`;
  const status = await new Promise((done, failed) => {
    request({ socketPath, path, method: 'DELETE' }, (response) => done(response.statusCode))
      .on('error', failed)
      .end();
  });
  assert.equal(status, 200);
  await near.process.waitFor(/bridge connected/, 10_000, mark);
  const watcher = await openAt(port);
  await watcher.subscribe('up/#', 1);
  const device = await scene.client(near);
  await device.publish('up/t', 'x', { qos: 1 });
  await watcher.arrival('up/t');
  await watcher.end();
});

scenario('the bridges of all nodes are listed, and one connects anew on demand', async (scene) => {
  const port = await freePort();
  const flags = [`-port=${port}`, '-max-packet-size=100k'];
  const far = await scene.startLocal('far', ...flags);
  const keys = ['topics = ["up/# out 1"]', 'client-id = "site"'];
  const text = readFileSync(bridgeFile(scene, port, ...keys), 'utf8').replace('100ms', '1h');
  const file = scene.file('patient.toml', `${text}reconnect-max = "1h"\n`);
  const control = [1, 2].map((n) => `-control=${scene.file(`control${n}`, '')}.sock`);
  const first = await scene.startLocal('n1', `-config=${file}`, control[0]!);
  const seed = `-mbs=${await first.process.gossipAddress()}`;
  const second = await scene.startLocal('n2', `-config=${file}`, control[1]!, seed);
  await allSeeEachOther([first, second]);
  await first.process.waitFor(/bridge connected/, 60_000);
  const list = async (): Promise<BridgeView[]> => {
    const { out } = await runCommand(['bridges', '-json', control[1]!]);
    return JSON.parse(out) as BridgeView[];
  };
  const states = (bridges: readonly BridgeView[]) =>
    bridges.map(({ node, state }) => `${node} ${state}`).sort();
  const both = await list();
  assert.deepEqual(states(both), ['n1 connected', 'n2 standby']);
  assert.equal(both.find(({ node }) => node === 'n1')?.farSide?.packetBytesMax, 102_400);

  await far.process.kill();
  await first.process.waitFor(/bridge lost/);
  const device = await scene.client(first);
  await device.publish('up/t', 'x', { qos: 1 });
  const lost = (await list()).find(({ node }) => node === 'n1');
  assert.equal(lost?.state, 'waiting');
  assert.equal(lost?.reason, 'the far side ended the connection');
  assert.equal(lost?.queued, 1);
  const words = await runCommand(['bridges', control[0]!]);
  assert.match(words.out, /^hq on n1 +lost for .*the far side ended the connection; next attempt/m);

  await scene.startLocal('far', ...flags);
  const mark = first.process.lineCount;
  const done = await runCommand(['bridges', '-reconnect', 'hq', control[1]!]);
  assert.equal(done.out, 'hq connects anew on n1\n');
  await first.process.waitFor(/bridge connected/, 20_000, mark);
  const unknown = await runCommand(['bridges', '-reconnect', 'other', control[1]!]);
  assert.match(unknown.err, /No bridge named other runs here/);
});

scenario('SIGHUP adds, changes and removes bridges, and leaves others alone', async (scene) => {
  const [port, later] = [await freePort(), await freePort()];
  await scene.startLocal('far', `-port=${port}`);
  const bridge = (name: string, to: number, topic: string): string =>
    `[[bridge]]\nname = "${name}"\naddress = "mqtt://127.0.0.1:${to}"\ntopics = ["${topic} out 1"]\n` +
    'run-on = "each"\nreconnect-min = "100ms"\nreconnect-max = "100ms"\n';
  const stays = bridge('stays', port, 'stays');
  const waits = bridge('waits', later, 'waits');
  const path = scene.file('bridges.toml', `${stays}${waits}${bridge('goes', later, 'goes')}`);
  const near = await scene.startLocal('near', `-config=${path}`);
  await near.process.waitFor(/bridge connected.*bridge=stays/);
  const device = await scene.client(near);
  for (const topic of ['waits', 'goes']) await device.publish(topic, 'early', { qos: 1 });
  await device.subscribe('$SYS/broker/connection/+/state', 1);
  await device.arrival('$SYS/broker/connection/goes/state', ({ text }) => text === '0');

  const watcher = await openAt(port);
  await watcher.subscribe('#', 1);
  const before = near.process.output;
  const changed = bridge('waits', port, 'waits');
  writeFileSync(path, `${bridge('comes', port, 'comes')}${changed}# moved\n${stays}`);
  near.process.signal('SIGHUP');
  await near.process.waitFor(/bridge removed; what waited is dropped.*bridge=goes waiting=1/);
  await near.process.waitFor(/bridge connected.*bridge=comes/);
  await near.process.waitFor(/bridge changed.*bridge=waits/);
  await near.process.waitFor(/configuration reloaded/);
  await device.arrival('$SYS/broker/connection/goes/state', ({ text }) => text === '');
  await watcher.arrival('waits', ({ text }) => text === 'early');
  await device.publish('comes', 'x', { qos: 1 });
  await watcher.arrival('comes');
  const since = near.process.output.slice(before.length);
  assert.doesNotMatch(since, /bridge=stays/, 'what has not changed keeps its connection');
  await watcher.end();
});

/** Each node of three has a bridge to one mosquitto, in both directions. @returns copies by node, and there */
async function copiesOfEach(scene: Scenario, protocol: string): Promise<number[][]> {
  const port = await freePort();
  await mosquitto(scene, port);
  const keys = [`protocol = "${protocol}"`, 'topics = ["up/# both 1"]', 'run-on = "each"'];
  const nodes = await scene.localCluster(3, `-config=${bridgeFile(scene, port, ...keys)}`);
  await Promise.all(nodes.map((node) => node.process.waitFor(/bridge connected/, 20_000)));
  const office = await openAt(port);
  const clients = [...(await Promise.all(nodes.map((node) => scene.client(node)))), office];
  await Promise.all(clients.map((client) => client.subscribe('up/#', 1)));
  const wanted: string[] = [];
  for (const [index, client] of clients.entries()) {
    for (let n = 0; n < 10; n++) wanted.push(`${index}-${n}`);
    for (const text of wanted.slice(-10)) await client.publish('up/t', text, { qos: 1 });
  }
  const last = wanted.map((_, index) => `end-${index}`).slice(0, clients.length);
  for (const client of clients) {
    await client.until(() => hasAll(client, wanted), 'every message', 30_000);
  }
  // What is still under way arrives before these.
  for (const [index, client] of clients.entries()) {
    await client.publish('up/t', last[index]!, { qos: 1 });
  }
  for (const client of clients) {
    await client.until(() => hasAll(client, last), 'the last messages', 30_000);
  }
  const copies = clients.map((client) =>
    wanted.map((text) => client.texts('up/t').filter((one) => one === text).length),
  );
  await office.end();
  return copies;
}

programScenario(
  'three nodes with a bridge each to one broker, both ways: every message once',
  ['mosquitto'],
  async (scene) => {
    const copies = await copiesOfEach(scene, '5');
    assert.deepEqual(new Set(copies.flat()), new Set([1]));
  },
);

programScenario(
  'three nodes with a bridge each of MQTT 3.1.1 close no circle, and messages come twice at most',
  ['mosquitto'],
  async (scene) => {
    const copies = await copiesOfEach(scene, '3.1.1');
    assert.ok(Math.max(...copies.flat()) <= 2, JSON.stringify(copies));
    assert.deepEqual(new Set(copies.at(-1)), new Set([1]), 'once at the far side');
  },
);

/** Starts slowly and leaves a daemon behind that must be ended: only on demand. */
if (process.env.SHOAL_RABBITMQ !== undefined) {
  scenario('a bridge to RabbitMQ with the MQTT plugin', async (scene) => {
    const [port, epmd, dist] = [await freePort(), await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), 'shoal-rabbit-'));
    const config = join(folder, 'rabbitmq.conf');
    writeFileSync(config, `listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:${port}\n`);
    writeFileSync(join(folder, 'plugins'), '[rabbitmq_mqtt].\n');
    chmodSync(folder, 0o777);
    const settings = {
      HOME: folder,
      RABBITMQ_NODENAME: `shoal${port}@localhost`,
      RABBITMQ_MNESIA_BASE: join(folder, 'db'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_CONFIG_FILE: config,
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
      RABBITMQ_DIST_PORT: `${dist}`,
      ERL_EPMD_PORT: `${epmd}`,
      ERL_EPMD_ADDRESS: '127.0.0.1',
    };
    const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const asUser = ['runuser', '-u', 'rabbitmq', '--', 'env', ...assignments];
    const start = async (): Promise<void> => {
      scene.run([...asUser, '/usr/lib/rabbitmq/bin/rabbitmq-server']);
      await waitForPort(port);
    };
    const kill = (): void => {
      process.kill(Number(readFileSync(settings.RABBITMQ_PID_FILE, 'utf8')), 'SIGKILL');
    };
    try {
      await start();
      await crossBothWays(scene, port, async () => {
        kill();
        await start();
      });
    } finally {
      kill();
      // It refuses until it has noticed that the broker is gone.
      for (let answer = ''; !answer.includes('Killed'); ) {
        const asked = scene.run([...asUser, 'epmd', '-kill']);
        await asked.exited;
        answer = asked.output;
      }
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

programScenario(
  'a bridge over TLS with certificates of both sides, and over WebSocket',
  ['openssl'],
  async (scene) => {
    const folder = mkdtempSync(join(tmpdir(), 'shoal-bridge-'));
    const authority = new TestAuthority(folder);
    const server = authority.issue('server', '/CN=far', 'IP:127.0.0.1');
    const own = authority.issue('site', '/CN=site');
    const far = await scene.startLocal(
      'far',
      '-tls=0',
      '-ws=0',
      '-wss=0',
      `-cert=${server.cert}`,
      `-key=${server.key}`,
      `-ca=${authority.ca}`,
      '-require-certificate=required',
    );
    const ports = {
      mqtts: await far.process.mqttPort('tls'),
      ws: await far.process.mqttPort('ws'),
      wss: await far.process.mqttPort('wss'),
    };
    const tls = [`ca = "${authority.ca}"`, `cert = "${own.cert}"`, `key = "${own.key}"`];
    const watcher = await scene.client(far);
    await watcher.subscribe('up/#', 1);
    for (const [protocol, port] of Object.entries(ports)) {
      const path = protocol === 'mqtts' ? '' : '/mqtt';
      const text = `[[bridge]]\nname = "${protocol}"\naddress = "${protocol}://127.0.0.1:${port}${path}"\n`;
      const keys = [...tls, `topics = ["${protocol} out 1 '' up/"]`, 'run-on = "each"'];
      const file = scene.file(`${protocol}.toml`, `${text}${keys.join('\n')}\n`);
      const near = await scene.startLocal(`near-${protocol}`, `-config=${file}`);
      await near.process.waitFor(/bridge connected/);
      const device = await scene.client(near);
      await device.publish(protocol, 'x'.repeat(100_000), { qos: 1 });
      const { text: arrived } = await watcher.arrival(`up/${protocol}`);
      assert.equal(arrived.length, 100_000);
    }
    const stranger = [`topics = ["# out 1"]`, 'run-on = "each"'];
    const address = `address = "mqtts://127.0.0.1:${ports.mqtts}"`;
    const file = scene.file(
      'x.toml',
      `[[bridge]]\nname = "x"\n${address}\n${stranger.join('\n')}\n`,
    );
    const near = await scene.startLocal('near-x', `-config=${file}`);
    await near.process.waitFor(
      /does not reach the far side.*the authority of its certificate is not known: set ca/,
    );
    rmSync(folder, { recursive: true, force: true });
  },
);

function hasAll(watcher: TestClient, wanted: readonly string[]): boolean {
  const seen = new Set(watcher.arrivals.map(({ text }) => text));
  return wanted.every((text) => seen.has(text));
}
