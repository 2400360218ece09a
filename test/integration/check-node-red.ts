// Runs docs/deploy/node-red in the real Node-RED: installs Node-RED, this package and the node from npm into
// a folder of its own, deploys a flow, and drives the broker with a client. By hand, because Node-RED has
// 300 packages: `npx tsx test/integration/check-node-red.ts`. NODE_RED=FOLDER uses one that is installed.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connectAsync } from 'mqtt';
import { freePorts } from '../support/free-ports.ts';

const INSTALL_MS_MAX = 600_000;
const OUTPUT_MS_MAX = 120_000;

const base = mkdtempSync(join(tmpdir(), 'shoal node-red '));
const installed = process.env.NODE_RED ?? base;
process.on('exit', () => rmSync(base, { recursive: true, force: true }));

function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', [...args, '--no-audit', '--no-fund'], {
    cwd,
    encoding: 'utf8',
    timeout: INSTALL_MS_MAX,
  });
}

const pack = (folder: string): string => {
  const [{ filename }] = JSON.parse(npm(['pack', '--json', '--pack-destination', base], folder));
  return join(base, filename);
};
const packages = [pack(resolve('.')), pack(resolve('docs/deploy/node-red'))];
if (installed === base) {
  writeFileSync(join(base, 'package.json'), '{ "private": true }');
  console.log('installs Node-RED ...');
  npm(['install', 'node-red'], base);
}
const userFolder = join(base, 'user');
mkdirSync(userFolder);
writeFileSync(join(userFolder, 'package.json'), '{ "private": true }');
npm(['install', '--offline', ...packages], userFolder);

const [mqttPort, adminPort] = (await freePorts(2)) as [number, number];
const node = (id: string, more: object) => ({
  id,
  type: 'shoal-broker',
  z: 'tab',
  x: 1,
  y: 1,
  ...more,
});
// The events of clients go back into the broker, which publishes them.
const flow = (port: unknown) => [
  { id: 'tab', type: 'tab', label: 'test' },
  node('broker', { port, bind: '127.0.0.1', messages: true, more: '', wires: [['broker'], []] }),
];
writeFileSync(join(userFolder, 'flows.json'), JSON.stringify(flow(mqttPort)));

const child = spawn(
  process.execPath,
  [
    join(installed, 'node_modules/node-red/red.js'),
    ...['--userDir', userFolder, '--port', String(adminPort)],
    ...['-D', 'uiHost=127.0.0.1', 'flows.json'],
  ],
  { stdio: ['ignore', 'pipe', 'pipe'] },
);
process.on('exit', () => child.kill('SIGKILL'));
let output = '';
const watchers = new Set<() => void>();
for (const stream of [child.stdout, child.stderr]) {
  stream.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (const check of watchers) check();
  });
}

function prints(pattern: RegExp): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`no ${pattern} in:\n${output}`)), OUTPUT_MS_MAX);
    const check = (): void => {
      if (!pattern.test(output)) return;
      clearTimeout(timer);
      watchers.delete(check);
      done();
    };
    watchers.add(check);
    check();
  });
}

async function deploy(nodes: unknown): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/flows`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Node-RED-Deployment-Type': 'full' },
    body: JSON.stringify(nodes),
  });
  assert.equal(response.status, 204);
}

await prints(/Started flows/);
const url = `mqtt://127.0.0.1:${mqttPort}`;
const watcher = await connectUntilOpen(url);
await watcher.subscribeAsync('connected');
const event = new Promise<string>((done) => {
  watcher.on('message', (_topic, payload) => done(payload.toString()));
});
const device = await connectAsync(url, { clientId: 'device7', protocolVersion: 5 });
assert.match(await event, /"id":"device7".*"version":"5.0"/);
console.log('a client of MQTT 5 connects, and its event goes through a flow and back: ok');

await deploy(flow('x'));
await prints(/bad value 'x' for port: expected a port number/);
await new Promise((done) => device.once('close', () => done(undefined)));
console.log('a wrong option is shown with its form, and the old broker is closed: ok');

await deploy(flow(mqttPort));
const again = await connectUntilOpen(url);
await again.publishAsync('a', 'b', { qos: 1 });
console.log('the broker runs again after the next deployment: ok');
for (const client of [watcher, device, again]) client.end(true);
child.kill('SIGTERM');
const code = await new Promise((done) => child.once('exit', done));
assert.ok(code === 0 || code === null, `${code}\n${output}`);
console.log('Node-RED ends: ok');
process.exit(0);

/** Node-RED has started its flows before the broker listens. */
async function connectUntilOpen(to: string) {
  for (;;) {
    try {
      return await connectAsync(to, { protocolVersion: 5 }, false);
    } catch {
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}
