// The dashboard in a real browser, against three nodes: what a person sees and can do.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { Browser, noChromium } from '../support/chromium.ts';
import { freePorts } from '../support/free-ports.ts';
import { BUNDLE, loopbackFlags, NODE, ShoalProcess } from '../support/shoal-process.ts';

const TOKEN = '-csk=Vq7mX2pLk9RtZ4wB';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const VIEWS = ['Site', 'Devices', 'Topics', 'Console', 'Log'];
const names = ['box1', 'box2', 'box3'];

let nodes: ShoalProcess[] = [];
let browser: Browser;
let url = '';

if (noChromium === false) {
  before(async () => {
    const first = await start(
      'box1',
      `-http=127.0.0.1:${(await freePorts(1))[0]}`,
      `-control=${control}`,
    );
    const seed = `-mbs=${await first.gossipAddress()}`;
    nodes = [first, await start('box2', seed), await start('box3', seed)];
    url = `http://${await first.httpAddress()}/`;
    browser = await Browser.open();
    await browser.resize(1280, 900, 'light');
    await browser.goto(url);
  });
  after(async () => {
    await browser.close();
    await Promise.all(nodes.map((node) => node.kill()));
    rmSync(folder, { recursive: true, force: true });
  });
}

const folder = mkdtempSync(join(tmpdir(), 'shoal-dashboard-'));
const control = join(folder, 'box1.sock');

async function start(name: string, ...flags: string[]): Promise<ShoalProcess> {
  const node = new ShoalProcess(loopbackFlags(name, TOKEN, ...flags));
  await node.mqttPort();
  return node;
}

test('the files of the page are the same with and without brotli', {
  skip: noChromium,
}, async () => {
  for (const name of ['', 'dashboard.js', 'dashboard.css']) {
    const [packed, plain] = await Promise.all(
      ['br', 'gzip'].map((accepted) =>
        fetch(url + name, { headers: { 'accept-encoding': accepted } }),
      ),
    );
    assert.equal(packed?.headers.get('content-encoding'), 'br');
    assert.equal(plain?.headers.get('content-encoding'), null);
    assert.equal(await packed?.text(), await plain?.text());
  }
});

test('the page says that all is well and shows every node', { skip: noChromium }, async () => {
  await browser.see(/^All well: 3 boxes online/m);
  const text = await browser.text;
  for (const name of names) assert.match(text, new RegExp(`^${name}$`, 'm'));
});

test('a device on another node is found as one types', { skip: noChromium }, async () => {
  const port = await nodes[1]?.mqttPort();
  const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'thermo7' });
  await device.subscribeAsync('home/#', { qos: 1 });
  try {
    await browser.press('2');
    await browser.see(/thermo7/);
    await browser.press('/');
    await browser.type('input[type=search]', 'nothing-like-it');
    await browser.see(/^0 devices$/m);
    await browser.type('input[type=search]', 'THERMO');
    await browser.see(/^1 devices?$/m);
    await browser.click('thermo7');
    await browser.see(/home\/# QoS 1/);
    await browser.click('Watch it');
    await browser.see(/its packets on box1, box2, box3/);
    await device.publishAsync('home/t7', '21.4', { qos: 1 });
    await browser.see(/box2\s+from it PUBLISH #\d+ home\/t7 QoS 1/);
    await browser.see(/\d\/s from it, \d(\.\d)?\/s to it/);
  } finally {
    await device.endAsync();
  }
});

test('the timeline of a device says where it was, where it moved, and why it left', {
  skip: noChromium,
}, async () => {
  const connect = async (node: number) => {
    const port = await nodes[node]?.mqttPort();
    return mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'forklift' });
  };
  await (await connect(0)).endAsync();
  await browser.evaluate("location.hash = 'devices/forklift'");
  await browser.see(/disconnected from box1 after \d+ s/);
  const moved = await connect(2);
  await browser.see(/moved from box1 to box3, address 127\.0\.0\.1/);
  await moved.endAsync();
  await browser.see(/disconnected from box3/);
});

test('the topic tree shows each value once, the same on all nodes', {
  skip: noChromium,
}, async () => {
  const port = await nodes[0]?.mqttPort();
  const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`);
  await browser.evaluate("location.hash = 'topics'");
  await browser.see(/No retained values/);
  await device.publishAsync('home/kitchen/lamp', 'on', { qos: 1, retain: true });
  await device.publishAsync('home/kitchen/door', 'open', { qos: 1, retain: true });
  await browser.see(/^home$/m);
  // By keys alone: unfold two levels and choose a value.
  await browser.find('[role=treeitem]');
  await browser.evaluate("document.querySelector('[role=treeitem]').focus()");
  await browser.press('ArrowRight');
  await browser.see(/^kitchen$/m);
  await browser.press('ArrowDown');
  await browser.press('ArrowRight');
  await browser.see(/^lamp$/m);
  await browser.press('ArrowDown');
  await browser.press('Enter');
  await browser.see(/All 3 nodes hold this value/);
  await browser.see(/^open$/m);
  await device.publishAsync('home/kitchen/door', 'closed', { qos: 1, retain: true });
  await browser.see(/^closed$/m);
  await device.endAsync();
});

for (const [width, height, scheme] of [
  [360, 740, 'dark'],
  [1280, 900, 'light'],
] as const) {
  test(`every view is accessible at ${width} px, ${scheme}`, { skip: noChromium }, async () => {
    await browser.resize(width, height, scheme);
    await browser.evaluate(`${AXE}; 0`);
    for (const view of VIEWS) {
      await browser.evaluate(`location.hash = '${view.toLowerCase()}'`);
      await browser.find(`main[aria-label=${view}] h2`);
      const violations = await browser.evaluate<string[]>(
        `axe.run().then(({ violations }) =>
          violations.map(({ id, nodes }) => id + ' ' + nodes.map(({ html }) => html).join(' ')))`,
      );
      assert.deepEqual(violations, [], view);
      const isTooWide = 'document.documentElement.scrollWidth > innerWidth';
      assert.equal(await browser.evaluate<boolean>(isTooWide), false, view);
    }
  });
}

test('without a token the page can change nothing, and says what to do', {
  skip: noChromium,
}, async () => {
  await browser.press('4');
  await browser.click('Publish');
  await browser.see(/This needs a token/);
});

test('the address that shoal dashboard prints may publish', { skip: noChromium }, async () => {
  const { stdout } = await promisify(execFile)(NODE, [BUNDLE, 'dashboard', `-control=${control}`]);
  assert.match(stdout, new RegExp(`^${url}#token=\\S+\n$`));
  await browser.goto('about:blank');
  await browser.goto(stdout.trim());
  await browser.see(/^All well/m);
  assert.equal(await browser.evaluate<string>('location.hash'), '');
  await browser.press('4');
  await browser.click('Publish');
  await browser.see(/Published through box1/);
});

test('a device is disconnected, and blocked for an hour on every node', {
  skip: noChromium,
}, async () => {
  const port = await nodes[1]?.mqttPort();
  const options = { clientId: 'noisy', reconnectPeriod: 0 };
  const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, options);
  const closed = new Promise<void>((resolve) => device.once('close', () => resolve()));
  await browser.evaluate("location.hash = 'devices/noisy'");
  await browser.see(/connected to box2/);
  await browser.click('Block for');
  await browser.see(/may not connect to any box for 1 hour/);
  await closed;
  await browser.see(/disconnected from box2 after .*: ended by an administrator/);
  const other = `mqtt://127.0.0.1:${await nodes[2]?.mqttPort()}`;
  await assert.rejects(mqtt.connectAsync(other, options));
  await browser.evaluate("location.hash = 'site'");
  await browser.see(/Banned noisy may not connect for/);
  await browser.click('Lift the ban');
  await browser.see(/Nothing\. This is the normal state\./);
  await (await mqtt.connectAsync(other, options)).endAsync();
});

test('a page of another site can read and change nothing', { skip: noChromium }, async () => {
  const site = createServer((_request, response) => response.end('<title>another site</title>'));
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  const { port } = site.address() as AddressInfo;
  const { port: nodePort } = new URL(url);
  try {
    await browser.goto(`http://localhost:${port}/`);
    await browser.see(/^$/);
    // Both names of this machine: the one of the page, and the one that the node has in its own address.
    for (const host of ['127.0.0.1', 'localhost']) {
      const results = await browser.evaluate<string[]>(`Promise.all([
        ['GET', '/api/v1/nodes', {}],
        ['GET', '/api/v1/site', {}],
        ['POST', '/api/v1/stop', { body: '{}', headers: { 'content-type': 'text/plain' } }],
      ].map(([method, path, rest]) =>
        fetch('http://${host}:${nodePort}' + path, { method, ...rest })
          .then(({ status }) => 'answered ' + status, () => 'refused')))`);
      assert.deepEqual(results, ['refused', 'refused', 'refused'], host);
    }
    const framed = await browser.evaluate<string>(`new Promise((done) => {
      const frame = document.createElement('iframe');
      frame.onload = () => {
        try { done(frame.contentDocument === null ? 'hidden' : 'open'); } catch { done('hidden'); }
      };
      frame.src = '${url}';
      document.body.append(frame);
    })`);
    assert.equal(framed, 'hidden');
  } finally {
    site.close();
    browser.faults.length = 0;
    await browser.goto(url);
    await browser.see(/^All well/m);
  }
});

test('the page runs its own files alone', { skip: noChromium }, async () => {
  const refused = await browser.evaluate<boolean>(`new Promise((done) => {
    document.addEventListener('securitypolicyviolation', () => done(true), { once: true });
    const script = document.createElement('script');
    script.textContent = 'document.title = "changed"';
    document.head.append(script);
    setTimeout(() => done(false), 2000);
  })`);
  assert.equal(refused, true);
  browser.faults.length = 0;
  assert.equal(await browser.evaluate('document.title'), 'Shoal');
});

test('a node that dies is named in the sentence, with its cure', { skip: noChromium }, async () => {
  await browser.press('1');
  await nodes[2]?.kill();
  await browser.see(/box3 has been gone/);
  await browser.click('Mend it');
  await browser.see(/shoal doctor/);
  // The log, the list of what wants attention and the pulse say it too.
  await browser.see(/Fault box3 has been gone/);
  await browser.see(/\d box3 is offline/);
});

test('a node that returns is online again on the page', { skip: noChromium }, async () => {
  nodes[2] = await start('box3', `-mbs=${await nodes[0]?.gossipAddress()}`);
  await browser.see(/^All well: 3 boxes online/m);
  await browser.see(/Nothing\. This is the normal state\./);
  await browser.see(/\d box3 (is online|has restarted)\n(.*\n)?.*box3 is offline/);
});

test('nothing on the page was an error, and nothing was refused', { skip: noChromium }, () => {
  assert.deepEqual(browser.faults, []);
});
