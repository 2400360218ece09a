// Measures what a client waits at each node that does nothing but this: publishes one message at a time with
// QoS 1, and reads it. In a process of its own, so that no work of the test counts. Arguments: NODE=HOST for each
// node. Prints one line for each round trip, `NODE MS`, and `NODE lost` when a connection ends.

import { setTimeout as delay } from 'node:timers/promises';
import mqtt from 'mqtt';

const PAUSE_MS = 200;
const RECONNECT_MS = 300;

for (const argument of process.argv.slice(2)) {
  const [node = '', host = ''] = argument.split('=');
  void ping(node, host);
}

async function ping(node: string, host: string): Promise<void> {
  for (;;) {
    // The end of a fault shows by itself; a client that gives up first would hide how long it lasts.
    const settings = { host, clientId: `pinger-${node}`, reconnectPeriod: 0, keepalive: 600 };
    const client = mqtt.connect(settings);
    client.on('error', () => undefined);
    const closed = new Promise<false>((done) => client.once('close', () => done(false)));
    const opened = new Promise<true>((done) => client.once('connect', () => done(true)));
    if (await Promise.race([closed, opened])) {
      await pingUntil(closed, client, node);
      console.log(`${node} lost`);
    }
    await client.endAsync(true);
    await delay(RECONNECT_MS);
  }
}

async function pingUntil(
  closed: Promise<false>,
  client: mqtt.MqttClient,
  node: string,
): Promise<void> {
  const topic = `ping/${node}`;
  const done = client.subscribeAsync(topic, { qos: 1 }).then(() => true);
  let isOpen = await Promise.race([closed, done.catch(() => false)]);
  while (isOpen) {
    const sentAt = performance.now();
    const arrived = new Promise<true>((done) => client.once('message', () => done(true)));
    client.publish(topic, '', { qos: 1 });
    isOpen = await Promise.race([closed, arrived]);
    if (isOpen) console.log(`${node} ${Math.round(performance.now() - sentAt)}`);
    await delay(PAUSE_MS);
  }
}
