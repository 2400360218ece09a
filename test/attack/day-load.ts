// What a site does with one node, for day.ts: devices that publish, dashboards that read, visitors that come
// and go, jobs for a shared group, larger messages, and people at the API. All of it goes on at the same
// pace for as long as the process lives. `day-load.ts NODE SEED HTTP-PORT WS-PORT MQTT-PORT...`; the first
// MQTT port is that of the node, the others are where its visitors return to.

import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { seededRandom } from '../support/random.ts';

const [node = '', ...numbers] = process.argv.slice(2);
const [seed = 1, httpPort = 0, wsPort = 0, port = 0, ...otherPorts] = numbers.map(Number);
const random = seededRandom(seed);
const below = (bound: number): number => Math.floor(random() * bound);
const word = (): string => Math.floor(random() * 2 ** 40).toString(36);

const DEVICES = 20;
const LARGE_BYTES = 100_000;
/** Often enough that what has a bound reaches it long before the second half of an hour. */
const VISITOR_MS = 65;
const STAY_MS = 2000;
const AWAY_MS = 8000;
const SESSION_SECONDS = 60;
const STREAM_MS = 10_000;

function client(at: number, options: IClientOptions = {}): MqttClient {
  const one = connect({ host: '127.0.0.1', port: at, clean: true, ...options });
  one.on('error', () => undefined);
  return one;
}

/** Repeats the step for ever, with a pause after each, whether it fails or not. */
function every(ms: number, step: () => Promise<unknown> | unknown): void {
  const again = async (): Promise<void> => {
    for (;;) {
      await pause(ms);
      await Promise.resolve(step()).catch(() => undefined);
    }
  };
  setTimeout(() => void again(), below(ms));
}

/** Devices of both protocol versions: values, states that stay, and events that must arrive. */
function devices(): void {
  for (let i = 0; i < DEVICES; i++) {
    const device = client(port, {
      clientId: `${node}-device-${i}`,
      protocolVersion: i % 2 === 0 ? 5 : 4,
      clean: i % 3 !== 0,
      ...(i % 3 === 0 && i % 2 === 0 && { properties: { sessionExpiryInterval: 3600 } }),
      will: { topic: `site/${node}/${i}/online`, payload: Buffer.from('0'), qos: 1, retain: true },
    });
    device.subscribe(`site/${node}/${i}/set`, { qos: 1 });
    every(1000, () => device.publish(`site/${node}/${i}/temp`, `${below(400) / 10}`));
    every(5000, () => {
      device.publish(`site/${node}/${i}/state`, word(), { qos: 1, retain: true });
      device.publish(`site/${node}/${i}/event`, word(), { qos: 2 });
    });
  }
}

function dashboards(): void {
  for (const options of [{}, { protocol: 'ws' as const, port: wsPort, path: '/mqtt' }]) {
    const reader = client(port, { clientId: `${node}-reader-${word()}`, ...options });
    reader.subscribe(['site/#', 'large/+'], { qos: 0 });
    every(3000, () => reader.publish(`site/${node}/${below(DEVICES)}/set`, word(), { qos: 1 }));
  }
}

/** Names that were never there before and soon are no more: clients, sessions, topics, filters, wills. */
function visitors(): void {
  every(VISITOR_MS, async () => {
    const clientId = `visitor-${node}-${word()}`;
    const hasSession = below(2) === 0;
    const options: IClientOptions = {
      clientId,
      protocolVersion: 5,
      clean: !hasSession,
      reconnectPeriod: 0,
      properties: { sessionExpiryInterval: hasSession ? SESSION_SECONDS : 0 },
      will: { topic: `gone/${clientId}`, payload: Buffer.from('gone'), qos: 1 },
    };
    void visit(client(port, options), clientId);
    if (!hasSession) return;
    await pause(1);
    const there = [port, ...otherPorts][below(1 + otherPorts.length)] ?? port;
    setTimeout(() => void visit(client(there, options), clientId), STAY_MS + AWAY_MS);
  });
}

async function visit(visitor: MqttClient, clientId: string): Promise<void> {
  visitor.subscribe([`mail/${clientId}`, `site/+/${below(DEVICES)}/temp`, `gone/${word()}/#`], {
    qos: 1,
  });
  for (let i = 0; i < 5; i++) {
    visitor.publish(`visit/${clientId}/${i}`, word(), { qos: 1 });
  }
  const properties = { messageExpiryInterval: 30 };
  visitor.publish(`note/${word()}`, word(), { qos: 1, retain: true, properties });
  await pause(STAY_MS);
  visitor.publish(`mail/${clientId}`, 'while away', { qos: 1 });
  visitor.end(!visitor.connected || below(2) === 0);
  // MQTT.js waits with its DISCONNECT for acknowledgements, and for a CONNACK without end.
  await pause(STAY_MS);
  visitor.stream.destroy();
}

function jobs(): void {
  for (let i = 0; i < 2; i++) {
    client(port, { clientId: `${node}-worker-${i}` }).subscribe('$share/crew/jobs/#', { qos: 1 });
  }
  const boss = client(port, { clientId: `${node}-boss` });
  every(500, () => boss.publish(`jobs/${below(50)}`, word(), { qos: 1 }));
  every(5000, () => boss.publish(`large/${node}`, Buffer.alloc(LARGE_BYTES), { qos: 1 }));
  // Retained values that are set and cleared in turn.
  every(100, () => {
    const payload = below(2) === 0 ? '' : word();
    boss.publish(`value/${node}/${below(1000)}`, payload, { retain: true, qos: 1 });
  });
}

/** People at the API: pages, metrics, and streams that are left open for a while. */
function people(): void {
  for (const path of ['/api/v1/clients', '/metrics', '/api/v1/nodes']) {
    every(5000, () => ask(path, 0));
  }
  every(2000, () => ask('/api/v1/site', STREAM_MS));
}

/** @param ms how long the answer is read; 0 for its whole length */
function ask(path: string, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port: httpPort, path }, (answer) => answer.resume());
    request.once('error', () => resolve());
    request.once('close', () => resolve());
    if (ms > 0) setTimeout(() => request.destroy(), ms);
  });
}

devices();
dashboards();
visitors();
jobs();
people();
process.on('disconnect', () => process.exit());
