// The app for Home Assistant of docs/deploy, with a Supervisor of this test, and Home Assistant's way to use
// a broker, by the MQTT library that it uses.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { json } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { connectAsync, type MqttClient } from 'mqtt';
import { BUNDLE } from '../support/shoal-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const APP = resolve('docs/deploy/home-assistant/shoal');
const PAHO = resolve(import.meta.dirname, 'support/home-assistant.py');
const PYTHON = '/usr/bin/python3';
/** As many entities subscribe as a large home has. */
const FILTERS = 1200;
const DISCOVERY = 'homeassistant/switch/lamp/config';
const WAIT_MS_MAX = 60_000;
const TOKEN = 'of the Supervisor';

interface Access {
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly protocol: string;
}

const hasPaho = spawnSync(PYTHON, ['-c', 'import paho.mqtt.client']).status === 0;

test('the app serves Home Assistant and its users', {
  skip: !hasPaho && 'needs paho',
}, async (t) => {
  const supervisor = await startSupervisor(t);
  const folder = temporaryFolder(t);
  const app = startApp(t, folder, supervisor.url);
  const [, port = ''] = await app.waitFor(/Shoal v\S+ tcp 127\.0\.0\.1:(\d+)/, WAIT_MS_MAX);
  const { config } = (await supervisor.discovery) as { config: Access };
  assert.equal(config.protocol, '5');
  assert.equal(((await supervisor.service) as Access).username, 'addons');
  assert.equal(statSync(join(folder, 'system-users.json')).mode & 0o077, 0);

  const device = await connect(t, port, 'lamp', 'of the lamp');
  const seen = collect(device);
  await device.subscribeAsync(['homeassistant/status', 'cmnd/lamp/POWER']);
  await device.publishAsync(DISCOVERY, discoveryConfig(), { retain: true, qos: 1 });
  await device.publishAsync('stat/lamp/POWER', 'OFF', { retain: true, qos: 1 });

  const login = [config.username, config.password];
  const client = new WatchedProcess([PYTHON, PAHO, '127.0.0.1', port, ...login, `${FILTERS}`]);
  t.after(() => client.kill());
  await client.waitFor(/"connected", "code": 0, "session": 0/, WAIT_MS_MAX);
  await seen('homeassistant/status', 'online');
  for (const count of [2, 500, 500, 200]) {
    await client.waitFor(new RegExp(`"subscribed", "count": ${count}, "refused": 0`), WAIT_MS_MAX);
  }
  const { length } = discoveryConfig();
  await client.waitFor(
    new RegExp(`"topic": "${DISCOVERY}", "bytes": ${length}, "retain": 1`),
    WAIT_MS_MAX,
  );
  await client.waitFor(/"topic": "stat\/lamp\/POWER", "bytes": 3, "retain": 1/, WAIT_MS_MAX);
  await seen('cmnd/lamp/POWER', 'ON');
  // Home Assistant stops without DISCONNECT, so that the broker publishes its will.
  await client.kill();
  await seen('homeassistant/status', 'offline');
});

test('users of Home Assistant log in, others do not', async (t) => {
  const supervisor = await startSupervisor(t);
  const app = startApp(t, temporaryFolder(t), supervisor.url);
  const [, port = ''] = await app.waitFor(/Shoal v\S+ tcp 127\.0\.0\.1:(\d+)/, WAIT_MS_MAX);
  await connect(t, port, 'ann', 'right');
  await assert.rejects(connect(t, port, 'ann', 'wrong'), /Not authorized|Bad username/i);
  await assert.rejects(connect(t, port, 'homeassistant', 'guessed'), /Not authorized|Bad user/i);
});

test('the configuration of the app has the version of the package', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  assert.match(
    readFileSync(join(APP, 'config.yaml'), 'utf8'),
    new RegExp(`^version: "${version}"$`, 'm'),
  );
});

/** Larger than what one datagram between nodes carries, as device-based discovery is. */
function discoveryConfig(): string {
  const topics = { state_topic: 'stat/lamp/POWER', command_topic: 'cmnd/lamp/POWER' };
  return JSON.stringify({ ...topics, device: { name: 'lamp', model: 'x'.repeat(8000) } });
}

function startApp(t: TestContext, folder: string, url: string): WatchedProcess {
  const flags = ['-port=0', '-bind=127.0.0.1', '-http=off', `-control=${folder}/control.sock`];
  const options = { logins: [{ username: 'lamp', password: 'of the lamp' }], flags };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'options.json'), JSON.stringify(options));
  const env = {
    ...{ SUPERVISOR_URL: url, SUPERVISOR_TOKEN: TOKEN },
    ...{ SHOAL_DATA_FOLDER: folder, SHOAL_PROGRAM: BUNDLE },
  };
  const app = new WatchedProcess([process.execPath, join(APP, 'run.mjs')], { env });
  t.after(async () => {
    await app.stop();
  });
  return app;
}

/** Answers as the Supervisor does. */
async function startSupervisor(t: TestContext) {
  const posted = new Map<string, (body: unknown) => void>();
  const next = (path: string) => new Promise<unknown>((done) => posted.set(path, done));
  const [service, discovery] = [next('/services/mqtt'), next('/discovery')];
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as { username?: string; password?: string };
    const isApp = request.headers.authorization === `Bearer ${TOKEN}`;
    const isUser = body.username === 'ann' && body.password === 'right';
    if (isApp) posted.get(request.url ?? '')?.(body);
    response.writeHead(isApp && (request.url !== '/auth' || isUser) ? 200 : 401).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  return { service, discovery, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function connect(t: TestContext, port: string, username: string, password: string) {
  const login = { username, password, reconnectPeriod: 0 };
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, login);
  t.after(() => client.end(true));
  return client;
}

/** @returns resolves once the message has come */
function collect(client: MqttClient): (topic: string, payload: string) => Promise<void> {
  const messages: string[] = [];
  let look = (): void => {};
  client.on('message', (topic, payload) => {
    messages.push(`${topic} ${payload}`);
    look();
  });
  return (topic, payload) =>
    new Promise((done) => {
      look = () => {
        if (messages.includes(`${topic} ${payload}`)) done();
      };
      look();
    });
}
