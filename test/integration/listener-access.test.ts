// Listeners with users and topics of their own, on the bundle, with clients of MQTT.js and of
// mosquitto; and how listeners come and go on SIGHUP.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import mqtt, { type IClientOptions } from 'mqtt';
import { freePorts } from '../support/free-ports.ts';
import { missingPrograms, runToEnd } from '../support/programs.ts';
import { BUNDLE, NODE, ShoalProcess } from '../support/shoal-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-listeners-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const timeout = 60_000;

const skip = missingPrograms('mosquitto_pub');

function write(name: string, ...lines: string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

async function passwords(name: string, ...users: [user: string, password: string][]) {
  const file = write(name);
  for (const [user, password] of users) {
    await runToEnd(NODE, BUNDLE, 'passwd', '-I', '100', '-b', file, user, password);
  }
  return file;
}

function table(
  port: number,
  keys: Readonly<Record<string, string | number | boolean>> = {},
): string {
  const lines = Object.entries({ port, ...keys }).map(
    ([key, value]) => `${key} = ${JSON.stringify(value)}`,
  );
  return ['[[listener]]', ...lines].join('\n');
}

function launch(t: TestContext, ...flags: string[]): ShoalProcess {
  const shoal = new ShoalProcess(['-nid=n1', ...flags], { cwd: folder });
  t.after(() => shoal.kill());
  return shoal;
}

async function open(t: TestContext, port: number, username: string, more: IClientOptions = {}) {
  const password = `pw-${username}`;
  const options = { username, password, reconnectPeriod: 0, ...more };
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, options);
  t.after(() => client.endAsync(true));
  return client;
}

function refused(port: number, username: string, password: string): Promise<void> {
  const options = { username, password, reconnectPeriod: 0 };
  return assert.rejects(
    mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, options),
    /Bad username or password|Not authorized/i,
  );
}

/** A refused client sees the connection close. */
async function closed(port: number): Promise<void> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
  client.on('connect', () => assert.fail('it was let in'));
  client.on('error', () => undefined);
  await new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.end(true);
}

test('two listeners have their own users and ACLs', { timeout, skip }, async (t) => {
  const [inside = 0, outside = 0, plain = 0] = await freePorts(3);
  const config = write(
    'two.toml',
    'bind = "127.0.0.1"',
    table(inside, {
      auth: await passwords('pw-in', ['ann', 'pw-ann'], ['service', 'pw-service']),
      acl: write('acl-in', 'user ann', 'topic read in/#', 'user service', 'topic #'),
    }),
    table(outside, {
      auth: await passwords('pw-out', ['ann', 'pw-ann'], ['guest', 'pw-guest']),
      acl: write('acl-out', 'user ann', 'topic read out/#', 'user guest', 'topic write in/door'),
    }),
    table(plain, { anonymous: true }),
  );
  const shoal = launch(t, `-config=${config}`);
  await shoal.waitFor(new RegExp(`tcp 127.0.0.1:${plain}`));
  await refused(outside, 'service', 'pw-service');
  await refused(inside, 'guest', 'pw-guest');

  // One user name at both listeners: the listener decides what it may read.
  const heard: string[] = [];
  const ends = ['inside in/end', 'outside out/end', 'plain out/end'];
  let allEnded = (): void => undefined;
  const ended = new Promise<void>((resolve) => (allEnded = resolve));
  for (const [name, port] of Object.entries({ inside, outside, plain })) {
    const client = await open(t, port, 'ann', { clientId: name });
    client.on('message', (topic) => {
      heard.push(`${name} ${topic}`);
      if (ends.every((end) => heard.includes(end))) allEnded();
    });
    await client.subscribeAsync('#', { qos: 1 });
  }
  const send = async (port: number, user: string, topic: string): Promise<void> => {
    const login = ['-u', user, '-P', `pw-${user}`];
    const target = ['-h', '127.0.0.1', '-p', `${port}`, '-q', '1', '-t', topic, '-m', 'x'];
    assert.equal((await runToEnd('mosquitto_pub', ...target, ...login)).code, 0);
  };
  await send(inside, 'service', 'in/door');
  await send(inside, 'service', 'out/door');
  await send(outside, 'guest', 'in/door');
  await send(outside, 'guest', 'out/door');
  for (const topic of ['in/end', 'out/end']) await send(plain, 'x', topic);
  await ended;
  assert.deepEqual(heard.sort(), [
    'inside in/door',
    'inside in/door',
    'inside in/end',
    'outside out/door',
    'outside out/end',
    'plain in/door',
    'plain in/door',
    'plain in/end',
    'plain out/door',
    'plain out/end',
  ]);
  assert.match(shoal.output, /publish denied.*client=\S+.*user=guest.*topic=out\/door/);
});

test('messages that wait for a session are checked by the ACL of the listener that its client returns to', {
  timeout,
}, async (t) => {
  const [one = 0, other = 0] = await freePorts(2);
  const config = write(
    'kept.toml',
    'bind = "127.0.0.1"',
    `data = ${JSON.stringify(join(folder, 'kept'))}`,
    table(one, { acl: write('acl-one', 'user ann', 'topic a', 'topic b') }),
    table(other, { acl: write('acl-other', 'user ann', 'topic b', 'user x', 'topic #') }),
  );
  const start = async () => {
    const shoal = launch(t, `-config=${config}`);
    await shoal.waitFor(new RegExp(`tcp 127.0.0.1:${other}`));
    return shoal;
  };
  const first = await start();
  const options = { clientId: 'kept', clean: false };
  const client = await open(t, one, 'ann', options);
  await client.subscribeAsync(['a', 'b'], { qos: 1 });
  await client.endAsync();
  await first.stop();
  await start();
  const publisher = await open(t, other, 'x');
  for (const topic of ['a', 'b', 'c']) await publisher.publishAsync(topic, 'x', { qos: 1 });
  const heard: string[] = [];
  const back = mqtt.connect(`mqtt://127.0.0.1:${other}`, {
    ...options,
    username: 'ann',
    reconnectPeriod: 0,
  });
  t.after(() => back.endAsync(true));
  const marked = new Promise<void>((resolve) => {
    back.on('message', (topic, payload) => {
      heard.push(`${topic} ${payload}`);
      if (`${payload}` === 'mark') resolve();
    });
  });
  await new Promise((resolve) => back.once('connect', resolve));
  await publisher.publishAsync('a', 'mark', { qos: 1 });
  await publisher.publishAsync('b', 'mark', { qos: 1 });
  await marked;
  assert.deepEqual(heard, ['b x', 'b mark']);
});

test('SIGHUP opens, closes and changes listeners, and reports mistakes', {
  timeout,
}, async (t) => {
  const [stays = 0, goes = 0, comes = 0] = await freePorts(3);
  const config = join(folder, 'changing.toml');
  const set = (...tables: string[]) => write('changing.toml', 'bind = "127.0.0.1"', ...tables);
  set(table(stays), table(goes));
  const shoal = launch(t, `-config=${config}`);
  await shoal.waitFor(new RegExp(`tcp 127.0.0.1:${goes}`));
  const hangUp = async (pattern: RegExp): Promise<void> => {
    const from = shoal.lineCount;
    shoal.signal('SIGHUP');
    await shoal.waitFor(pattern, undefined, from);
  };
  const held = await open(t, stays, 'ann');
  let isHeld = true;
  held.on('close', () => (isHeld = false));
  const sentAway = await open(t, goes, 'ann', { protocolVersion: 5 });
  const disconnected = new Promise((resolve) => sentAway.once('disconnect', resolve));

  const users = await passwords('pw-new', ['bob', 'pw-bob']);
  set(table(stays, { 'max-connections': 1 }), table(comes, { auth: users }));
  await hangUp(/configuration reloaded"/);
  assert.match(shoal.output, new RegExp(`listener closed.*127.0.0.1:${goes}`));
  assert.match(shoal.output, new RegExp(`listener opened.*127.0.0.1:${comes}`));
  assert.doesNotMatch(shoal.output, /needs a restart/);
  assert.equal(((await disconnected) as { reasonCode: number }).reasonCode, 0x87);
  await closed(goes);
  await refused(comes, 'bob', 'wrong');
  const bob = await open(t, comes, 'bob');
  await bob.endAsync();
  await closed(stays);
  assert.equal(isHeld, true);

  // A new listener without its files refuses all clients, and the others continue.
  set(table(stays), table(goes, { acl: write('acl-wrong', '', 'topic reed a') }), table(comes));
  await hangUp(/configuration reloaded, except for what is wrong.* faults=1/);
  assert.match(shoal.output, /acl-wrong:2: 'reed' is not one of/);
  await closed(goes);
  await open(t, comes, 'anybody');
  // The same fault keeps a new listener closed while this one stays: two reports.
  const broken = { protocol: 'tls', cert: 'no.pem', key: 'no.key' };
  set(table(stays), table(comes, broken), table(0, broken));
  await hangUp(/configuration reloaded, except for what is wrong.* faults=2/);
  assert.match(shoal.output, /file not reloaded.* listeners=\S*changing\.toml:\d+ /);
  assert.match(shoal.output, /a listener could not be opened.* listeners=\S*changing\.toml:\d+ /);
  await open(t, comes, 'anybody');

  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  set(table(stays, { protocol: 'ws' }), table(port));
  await hangUp(/a listener could not be opened.*is in use.*changing\.toml:5/);
  const webSocket = `ws://127.0.0.1:${stays}/mqtt`;
  await (await mqtt.connectAsync(webSocket, { reconnectPeriod: 0 })).endAsync();
  assert.equal(isHeld, true);
});
