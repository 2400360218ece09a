// The dashboard in a real browser, against three nodes: what a person sees and can do.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
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
  } finally {
    await device.endAsync();
  }
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

test('the page runs its own files alone', { skip: noChromium }, async () => {
  const refused = await browser.evaluate<boolean>(`new Promise((done) => {
    document.addEventListener('securitypolicyviolation', () => done(true), { once: true });
    const script = document.createElement('script');
    script.textContent = 'document.title = "changed"';
    document.head.append(script);
    setTimeout(() => done(false), 2000);
  })`);
  assert.equal(refused, true);
  assert.equal(await browser.evaluate('document.title'), 'Shoal');
});

test('a node that dies is named in the sentence, with its cure', { skip: noChromium }, async () => {
  await browser.press('1');
  await nodes[2]?.kill();
  await browser.see(/box3 has been gone/);
  await browser.click('Mend it');
  await browser.see(/shoal doctor/);
});
