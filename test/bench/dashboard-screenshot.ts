// Takes the picture of the dashboard in the README: three boxes with devices, one of which was away for a
// while. Run: npm run build && node --import tsx test/bench/dashboard-screenshot.ts docs/dashboard.webp

import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { Browser } from '../support/chromium.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

const TOKEN = '-csk=Vq7mX2pLk9RtZ4wB';
const ROOMS = ['kitchen', 'hall', 'office', 'store'];
const DEVICES_PER_BOX = 8;
const PUBLISH_EVERY_MS = 200;
/** Of the pulse, before the box is away, and after: what is lost then counts for a minute. */
const BEFORE_MS = 20_000;
const AFTER_MS = 65_000;

const [path = 'docs/dashboard.webp'] = process.argv.slice(2);

async function start(name: string, ...flags: string[]): Promise<ShoalProcess> {
  const node = new ShoalProcess(loopbackFlags(name, TOKEN, ...flags));
  await node.mqttPort();
  return node;
}

async function connectDevices(node: ShoalProcess, kind: string): Promise<MqttClient[]> {
  const port = await node.mqttPort();
  return Promise.all(
    Array.from({ length: DEVICES_PER_BOX }, async (_, index) => {
      const options = { clientId: `${kind}${index + 1}`, reconnectPeriod: 0 };
      const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, options);
      device.on('error', () => undefined);
      if (index === 0) await device.subscribeAsync('home/#');
      return device;
    }),
  );
}

const box1 = await start('box1', '-http=0');
const seed = `-mbs=${await box1.gossipAddress()}`;
const box2 = await start('box2', seed);
let box3 = await start('box3', seed);
const browser = await Browser.open();
let devices = [
  ...(await connectDevices(box1, 'thermo')),
  ...(await connectDevices(box2, 'meter')),
  ...(await connectDevices(box3, 'door')),
];
const timer = setInterval(() => {
  for (const [index, device] of devices.entries()) {
    if (!device.connected || Math.random() < 0.3) continue;
    const topic = `home/${ROOMS[index % ROOMS.length]}/${index}`;
    device.publish(topic, Math.random().toFixed(2), { retain: true });
  }
}, PUBLISH_EVERY_MS);
try {
  await browser.resize(1280, 800, 'light');
  await browser.goto(`http://${await box1.httpAddress()}/`);
  await browser.see(/^All well: 3 boxes online/m);
  await delay(BEFORE_MS);
  await box3.kill();
  await browser.see(/box3 has been gone/);
  box3 = await start('box3', seed);
  await browser.see(/box3 has restarted/);
  const others = devices.filter(({ connected }) => connected);
  devices = [...others, ...(await connectDevices(box3, 'door'))];
  await delay(AFTER_MS);
  await browser.see(/^All well: 3 boxes online/m);
  writeFileSync(path, await browser.screenshot('webp'));
} finally {
  clearInterval(timer);
  await browser.close();
  for (const device of devices) device.end(true);
  await Promise.all([box1, box2, box3].map((node) => node.kill()));
}
