// How long clients are without messages when the box that holds their address (-address) dies, in network
// namespaces; needs root, mosquitto_sub and python3-paho-mqtt:
//
//   npm run build && tsx test/bench/client-address.ts [--trials 5] [--rate 1000]
//
// Three boxes; box1 holds the address. MQTT.js, mosquitto_sub and paho are connected to it with a keep-alive
// of 5 s, and reconnect by themselves; a publisher on box3 sends at the rate. Then the process on
// box1 is killed (kill -9), or its cable is pulled. Each time begins with the fault.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Network } from '../support/network.ts';
import { ShoalProcess } from '../support/shoal-process.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const ADDRESS = '192.168.1.10';
const BOXES = { box1: ['192.168.1.101'], box2: ['192.168.1.102'], box3: ['192.168.1.103'] };
const TRIAL_MS = 60_000;
const STEADY_MS = 3000;
/** One message in this many is for the three clients; the others have no subscriber. */
const SHARE = 10;

const MQTT_JS = `
const client = require('mqtt').connect('mqtt://${ADDRESS}', { keepalive: 5 });
client.on('error', () => undefined);
client.subscribe('clock');
client.on('message', (topic, payload) => console.log(String(payload)));`;
const PAHO = `
import paho.mqtt.client as mqtt
client = mqtt.Client()
client.on_connect = lambda c, *rest: c.subscribe('clock')
client.on_message = lambda c, u, message: print(message.payload.decode(), flush=True)
client.connect_async('${ADDRESS}', keepalive=5)
client.loop_forever(retry_first_connection=True)`;
const CLIENTS: Readonly<Record<string, readonly string[]>> = {
  'MQTT.js': [process.execPath, '-e', MQTT_JS],
  mosquitto_sub: ['mosquitto_sub', '-h', ADDRESS, '-k', '5', '-t', 'clock'],
  paho: ['/usr/bin/python3', '-c', PAHO],
};
const FAULTS = ['kill -9', 'cable pulled'] as const;

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '5' },
    rate: { type: 'string', default: '1000' },
  },
});

function publisher(perSecond: number): string[] {
  const text = `
const client = require('mqtt').connect('mqtt://${BOXES.box3[0]}');
let count = 0;
setInterval(() => {
  for (let left = ${perSecond} / 100; left > 0; left--) {
    client.publish(count++ % ${SHARE} === 0 ? 'clock' : 'load', String(Date.now()));
  }
}, 10);`;
  return [process.execPath, '-e', text];
}

async function until(isReached: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + TRIAL_MS; !isReached(); await sleep(10)) {
    if (Date.now() > end) throw new Error(`not within a minute: ${what}`);
  }
}

/** @returns milliseconds from the fault, by what happened then */
async function trial(fault: (typeof FAULTS)[number]): Promise<Record<string, number>> {
  const network = new Network({ ...BOXES, clients: ['192.168.1.200'] });
  const started: WatchedProcess[] = [];
  try {
    const token = `-csk=${randomBytes(24).toString('hex')}`;
    const start = (name: string): ShoalProcess => {
      const flags = [`-nid=${name}`, token, `-address=${ADDRESS}/24`, '-anonymous=true'];
      const node = new ShoalProcess(flags, { via: network.via(name) });
      started.push(node);
      return node;
    };
    const box1 = start('box1');
    await until(() => network.holds('box1', ADDRESS), 'box1 holds the address');
    const box2 = start('box2');
    await box2.waitFor(/cluster online box1/);
    const box3 = start('box3');
    await box3.waitFor(/Shoal v.* tcp/);
    await box2.waitFor(/cluster online box3/);
    let faultAt = Number.POSITIVE_INFINITY;
    const times: Record<string, number> = {};
    const seen = new Set<string>();
    for (const [name, command] of Object.entries(CLIENTS)) {
      const onLine = (line: string): void => {
        seen.add(name);
        if (Number(line) > faultAt) times[name] ??= Date.now() - faultAt;
      };
      started.push(new WatchedProcess(command, { via: network.via('clients'), onLine }));
    }
    const rate = Number(values.rate);
    started.push(new WatchedProcess(publisher(rate), { via: network.via('clients') }));
    await until(() => seen.size === Object.keys(CLIENTS).length, 'all clients receive');
    // Long enough on box2 to be the next holder; and at any moment of its period.
    await sleep(STEADY_MS + Math.random() * 2000);
    if (fault === 'kill -9') box1.signal('SIGKILL');
    else network.setLink('box1', 'down');
    faultAt = Date.now();
    const note = async (what: string, line: RegExp): Promise<void> => {
      await box2.waitFor(line, TRIAL_MS);
      times[what] = Date.now() - faultAt;
    };
    await Promise.all([
      note('suspect', /cluster suspect box1/),
      note('moved', /this node holds the address/),
      until(() => Object.keys(CLIENTS).every((name) => name in times), 'all clients are back'),
    ]);
    return times;
  } finally {
    await Promise.all(started.map((one) => one.kill()));
    network.destroy();
  }
}

function summary(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b).map((ms) => (ms / 1000).toFixed(1));
  return `${sorted[Math.floor(sorted.length / 2)]} (${sorted[0]} to ${sorted.at(-1)})`;
}

const columns = ['suspect', 'moved', ...Object.keys(CLIENTS)];
console.log(`| s after the fault | ${columns.join(' | ')} |`);
console.log(`| --- |${' --- |'.repeat(columns.length)}`);
for (const fault of FAULTS) {
  const results: Record<string, number>[] = [];
  for (let count = 0; count < Number(values.trials); count++) {
    results.push(await trial(fault));
    console.error(fault, results.at(-1));
  }
  const cells = columns.map((column) => summary(results.map((one) => one[column] ?? 0)));
  console.log(`| ${fault} | ${cells.join(' | ')} |`);
}
