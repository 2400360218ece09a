// The dashboard of a box whose network fails in one direction: what the page says, which values differ
// meanwhile, and that they agree afterwards.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe } from 'node:test';
import { Browser, noChromium } from '../support/chromium.ts';
import type { Network } from '../support/network.ts';
import { NODE } from '../support/shoal-process.ts';
import { threeBoxes } from './support/boxes.ts';
import { type Node, networkScenario, type Scenario } from './support/scenario.ts';

const HTTP_PORT = 8080;
/** Joins its standard streams to a port of its own machine. */
const JOIN = `const socket = require('net').connect(${HTTP_PORT}, '127.0.0.1');
socket.on('error', () => process.exit());
process.stdin.on('error', () => process.exit()).pipe(socket).pipe(process.stdout);`;

/** As `ssh -L` does. @returns where a browser outside of the box's network finds its page */
async function openTunnel(network: Network, host: string): Promise<{ url: string; end(): void }> {
  const [program = '', ...prefix] = network.via(host);
  const server = createServer((socket) => {
    const child = spawn(program, [...prefix, NODE, '-e', JOIN], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => socket.destroy());
    socket.on('error', () => child.kill()).on('close', () => child.kill());
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, end: () => server.close() };
}

describe('the dashboard', { skip: noChromium }, () => {
  networkScenario(
    'a port that is blocked one way is named, and values agree again',
    ['nft'],
    async (scene) => {
      const { network, nodes } = await threeBoxes(scene, {
        flags: [`-http=127.0.0.1:${HTTP_PORT}`],
      });
      const tunnel = await openTunnel(network, 'box1');
      const browser = await Browser.open();
      try {
        await browser.resize(1280, 900, 'light');
        await browser.goto(tunnel.url);
        await browser.see(/^All well: 3 boxes online/m);
        network.blockPort('box3', 'in', 7947);
        await checkSentence(browser);
        await checkDifference(browser, scene, nodes[0]);
        network.heal('box3');
        await browser.see(/All 3 nodes hold this value/);
        // What was lost counts for a minute, but no port is blocked any more.
        await browser.see(/^(?![\s\S]*is blocked on box3)/);
        assert.deepEqual(browser.faults, []);
      } finally {
        await browser.close();
        tunnel.end();
      }
    },
  );
});

async function checkSentence(browser: Browser): Promise<void> {
  await browser.see(
    /^box3 does not hear box1, which hears box3: UDP 7947 is blocked on box3\. 1 more fault/m,
  );
  await browser.click('Mend it');
  await browser.see(/on box3: ufw allow 7947\/udp/);
  // What box1 cannot see itself, box2 reports.
  await browser.see(/box3 does not hear box2, which hears box3: UDP 7947 is blocked on box3/);
  const blocked = ['box1', 'box2'].map((box) => `${box} to box3: blocked on UDP 7947`).join();
  // box1 may name the fault of box2 before the page has asked box2.
  for (let titles = ''; titles !== blocked; ) {
    titles = await browser.evaluate<string>(
      "[...document.querySelectorAll('.link.bad title')].map((one) => one.textContent).sort().join()",
    );
  }
}

async function checkDifference(browser: Browser, scene: Scenario, node: Node): Promise<void> {
  const client = await scene.client(node);
  await client.publish('home/lamp', 'on', { qos: 1, retain: true });
  await browser.evaluate("location.hash = 'topics'");
  await browser.see(/differs on box3/);
  for (const level of [1, 2]) {
    const item = `[role=treeitem][aria-level="${level}"]`;
    await browser.find(item);
    await browser.evaluate(`document.querySelector('${item}').click()`);
  }
  await browser.see(/The nodes hold 2 different values/);
  await browser.see(/box3: no value/);
}
