// A page in a real browser (headless Chromium) with MQTT.js over WebSocket, plain and in TLS, exchanges
// messages with a TCP client.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import mqtt from 'mqtt';
import { noOpenssl, TestAuthority } from '../support/certificates.ts';
import { Browser, noChromium } from '../support/chromium.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const WAIT_MS_MAX = 30_000;
const MQTT_JS = resolve(import.meta.dirname, '../../node_modules/mqtt/dist/mqtt.min.js');

const folder = mkdtempSync(join(tmpdir(), 'shoal-browser-'));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

const skip = noChromium || noOpenssl();

/** Publishes hello, then answers each message with its payload in upper case. */
const page = (url: string): string => `<!doctype html><title>MQTT</title>
<script src="/mqtt.js"></script>
<script>
  const client = mqtt.connect(${JSON.stringify(url)}, { protocolVersion: 5, reconnectPeriod: 200 });
  client.on('connect', () => client.subscribe('to/page', () => client.publish('from/page', 'hello')));
  client.on('message', (topic, payload) => {
    client.publish('from/page', payload.toString().toUpperCase(), { qos: 2 });
  });
</script>
`;

function servePage(url: string): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/mqtt.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? readFileSync(MQTT_JS) : page(url));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

function portOf(server: Server): number {
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

for (const protocol of ['ws', 'wss'] as const) {
  test(`a page in a browser talks over ${protocol}`, { skip }, async () => {
    const authority = new TestAuthority(mkdtempSync(join(folder, 'ca-')));
    const { cert, key } = authority.issue('server', '/CN=box', 'DNS:localhost', 'IP:127.0.0.1');
    const shoal = new ShoalProcess(
      loopbackFlags('n1', '-ws=0', '-wss=0', `-cert=${cert}`, `-key=${key}`),
    );
    const listener = await mqtt.connectAsync(`mqtt://127.0.0.1:${await shoal.mqttPort()}`);
    await listener.subscribeAsync('from/page', { qos: 2 });
    const heard: string[] = [];
    const answered = new Promise<void>((done) => {
      listener.on('message', (_topic, payload) => {
        heard.push(payload.toString());
        if (heard.length === 1) listener.publish('to/page', 'shoal', { qos: 1 });
        else done();
      });
    });
    const url = `${protocol}://127.0.0.1:${await shoal.mqttPort(protocol)}/mqtt`;
    const server = await servePage(url);
    // The browser does not know the authority of the test.
    const browser = await Browser.open('--ignore-certificate-errors');
    try {
      await browser.goto(`http://127.0.0.1:${portOf(server)}/`);
      const nothing = delay(WAIT_MS_MAX, undefined, { ref: false });
      await Promise.race([answered, nothing.then(() => assert.fail('nothing came from the page'))]);
      assert.deepEqual(heard, ['hello', 'SHOAL']);
    } finally {
      await browser.close();
      server.closeAllConnections();
      server.close();
      await listener.endAsync(true);
      await shoal.kill();
    }
  });
}
