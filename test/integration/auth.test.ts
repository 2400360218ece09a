// Access control of the bundle with mosquitto's own programs: its password files, its ACL files, its
// clients, and its broker for comparison.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import mqtt, { type IClientOptions } from 'mqtt';
import { missingPrograms, runToEnd } from '../support/programs.ts';
import { BUNDLE, loopbackFlags, NODE, ShoalProcess } from '../support/shoal-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-auth-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Timeout of each test, the only limit for what it waits for. */
const timeout = 60_000;

const skip = missingPrograms('mosquitto', 'mosquitto_passwd', 'mosquitto_pub', 'mosquitto_sub');

const USERS = { ann: 'pw-ann', bob: 'pw-bob', 'carl+': 'pw-carl', admin: 'pw-admin' };

const ACL = `# general: for clients without a user name
topic read public/#
topic write public/in

user ann
topic readwrite home/#
topic deny home/door
topic read public/news
user bob
topic write home/lamp
topic read +/news
user carl+
topic read public/#
user admin
topic #

pattern readwrite dev/%c/#
pattern read user/%u/inbox
pattern deny public/secret
`;

const TOPICS = [
  ...['public/in', 'public/news', 'public/secret', 'home', 'home/lamp', 'home/door', 'home/a/b'],
  ...['dev/c-ann/x', 'dev/c-bob/x', 'dev/c-none/x', 'dev', 'user/ann/inbox', 'user//inbox'],
  ...['user/bob/inbox', 'other', 'x/news'],
];

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

function launch(t: TestContext, ...flags: string[]): ShoalProcess {
  const shoal = new ShoalProcess(loopbackFlags('n1', ...flags), { cwd: folder });
  t.after(() => shoal.kill());
  return shoal;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.close();
  await once(server, 'close');
  return address.port;
}

/** Starts a mosquitto with these lines in its configuration. @returns its port */
async function launchMosquitto(t: TestContext, ...lines: string[]): Promise<number> {
  const port = await freePort();
  const settings = ['user root', `listener ${port} 127.0.0.1`, ...lines];
  const file = write(`mosquitto-${port}.conf`, `${settings.join('\n')}\n`);
  const child = spawn('mosquitto', ['-c', file], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  for (let tries = 0; ; tries++) {
    const socket = dial(port, '127.0.0.1');
    const [event] = await Promise.race([
      once(socket, 'connect').then(() => ['connect']),
      once(socket, 'error').then(() => ['error']),
    ]).catch(() => ['error']);
    socket.destroy();
    if (event === 'connect') return port;
    assert.ok(tries < 200, 'mosquitto does not listen');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function passwordFile(name: string): Promise<string> {
  const file = join(folder, name);
  for (const [index, [user, password]] of Object.entries(USERS).entries()) {
    const made = index === 0 ? ['-c'] : index === 1 ? ['-H', 'sha512'] : [];
    const { code, output } = await runToEnd(
      'mosquitto_passwd',
      ...made,
      '-b',
      file,
      user,
      password,
    );
    assert.equal(code, 0, output);
  }
  return file;
}

async function publish(port: number, ...args: string[]): Promise<number> {
  const target = ['-h', '127.0.0.1', '-p', `${port}`, '-t', 'home/lamp', '-m', 'x', '-q', '1'];
  return (await runToEnd('mosquitto_pub', ...target, ...args)).code;
}

async function open(t: TestContext, port: number, options: IClientOptions) {
  const client = mqtt.connect({ host: '127.0.0.1', port, reconnectPeriod: 0, ...options });
  t.after(() => client.endAsync(true));
  client.on('error', () => undefined);
  await new Promise((resolve, reject) => {
    client.once('connect', resolve);
    client.once('close', () => reject(new Error('the connection was refused')));
  });
  return client;
}

/** The topics that each client receives when every client publishes to every topic. */
async function deliveries(t: TestContext, port: number): Promise<Record<string, string[]>> {
  const people = [...Object.entries(USERS), [undefined, undefined] as const];
  const received: Record<string, string[]> = {};
  const ended: Promise<void>[] = [];
  const clients = [];
  for (const [username, password] of people) {
    const name = username ?? 'none';
    const who = username === undefined ? {} : { username, password };
    const client = await open(t, port, { clientId: `c-${name}`, protocolVersion: 4, ...who });
    const topics: string[] = [];
    received[name] = topics;
    // The topic that every client may read comes last.
    const last = { ann: 'public/news', bob: 'x/news', none: 'public/in' }[name] ?? 'public/in';
    ended.push(
      new Promise((resolve) => {
        client.on('message', (topic, payload) => {
          const isEnd = payload.toString() === 'end';
          if (!isEnd) topics.push(`${topic} from ${payload}`);
          if (isEnd && topic === last) resolve();
        });
      }),
    );
    await client.subscribeAsync('#');
    clients.push({ client, name });
  }
  for (const { client, name } of clients) {
    for (const topic of TOPICS) await client.publishAsync(topic, name, { qos: 1 });
  }
  const admin = clients.find(({ name }) => name === 'admin')?.client;
  for (const topic of ['public/news', 'x/news', 'public/in']) {
    await admin?.publishAsync(topic, 'end', { qos: 1 });
  }
  await Promise.all(ended);
  for (const topics of Object.values(received)) topics.sort();
  return received;
}

test('users of a file made by mosquitto_passwd are admitted, others are not', {
  skip,
  timeout,
}, async (t) => {
  const shoal = launch(t, `-auth=${await passwordFile('made-there')}`);
  const port = await shoal.mqttPort();
  for (const [user, password] of Object.entries(USERS)) {
    assert.equal(await publish(port, '-u', user, '-P', password), 0, user);
  }
  assert.notEqual(await publish(port, '-u', 'ann', '-P', 'pw-bob'), 0);
  assert.notEqual(await publish(port, '-u', 'zoe', '-P', 'pw-ann'), 0);
  assert.notEqual(await publish(port), 0);
  await shoal.waitFor(/connection refused.*user=ann.*code=0x86 reason="wrong password"/);
  await shoal.waitFor(/connection refused.*user=zoe.*code=0x86 reason="unknown user"/);
});

test('a file made by shoal passwd works with mosquitto', { skip, timeout }, async (t) => {
  const file = join(folder, 'made-here');
  const passwd = (...args: string[]) => runToEnd(NODE, BUNDLE, 'passwd', ...args);
  assert.equal((await passwd('-c', '-b', file, 'ann', 'pw-ann')).code, 0);
  assert.equal((await passwd('-b', file, 'bob', 'pw bob')).code, 0);
  // Both programs edit one file.
  assert.equal((await runToEnd('mosquitto_passwd', '-b', file, 'carl', 'pw-carl')).code, 0);
  assert.equal((await passwd('-D', file, 'bob')).code, 0);
  const port = await launchMosquitto(t, `password_file ${file}`, 'allow_anonymous false');
  assert.equal(await publish(port, '-u', 'ann', '-P', 'pw-ann'), 0);
  assert.equal(await publish(port, '-u', 'carl', '-P', 'pw-carl'), 0);
  assert.notEqual(await publish(port, '-u', 'bob', '-P', 'pw bob'), 0);
});

test('an ACL gives every client the same messages as in mosquitto', {
  skip,
  timeout,
}, async (t) => {
  const passwords = await passwordFile('for-acl');
  const acl = write('acl', ACL);
  const there = await launchMosquitto(
    t,
    `password_file ${passwords}`,
    `acl_file ${acl}`,
    'allow_anonymous true',
  );
  const here = launch(t, `-auth=${passwords}`, `-acl=${acl}`, '-anonymous=true');
  const expected = await deliveries(t, there);
  assert.ok(
    Object.values(expected).every((topics) => topics.length > 0),
    'everybody gets some',
  );
  assert.deepEqual(await deliveries(t, await here.mqttPort()), expected);
});

test('a denied subscription is refused, and mosquitto_sub says so', {
  skip,
  timeout,
}, async (t) => {
  const acl = write('nosubscribe', 'topic #\ntopic read $SYS/#\ntopic deny test/nosubscribe\n');
  const port = await launch(t, `-acl=${acl}`).mqttPort();
  const target = ['-h', '127.0.0.1', '-p', `${port}`, '-W', '2', '-t', 'test/nosubscribe'];
  for (const version of ['311', '5']) {
    const { output } = await runToEnd('mosquitto_sub', ...target, '-V', version, '-d');
    assert.match(output, /Subscribed \(mid: 1\): (128|135)|All subscription requests were denied/);
  }
});

test('SIGHUP disconnects a client that lost its authorization, and ends only the subscription of another', {
  timeout,
}, async (t) => {
  const passwd = (...args: string[]) => runToEnd(NODE, BUNDLE, 'passwd', '-I', '100', ...args);
  const pw = join(folder, 'reloaded');
  await passwd('-c', '-b', pw, 'ann', 'one');
  await passwd('-b', pw, 'bob', 'two');
  const acl = write('reloaded-acl', 'user ann\ntopic a\ntopic b\n');
  const shoal = launch(t, `-auth=${pw}`, `-acl=${acl}`);
  const port = await shoal.mqttPort();
  const ann = await open(t, port, { username: 'ann', password: 'one', protocolVersion: 5 });
  const bob = await open(t, port, { username: 'bob', password: 'two', protocolVersion: 5 });
  const arrived: string[] = [];
  ann.on('message', (topic) => arrived.push(topic));
  await ann.subscribeAsync(['a', 'b']);

  write('reloaded-acl', 'user ann\ntopic write a\ntopic b\n');
  await passwd('-D', pw, 'bob');
  const sentAway = new Promise<number | undefined>((resolve) => {
    bob.once('disconnect', ({ reasonCode }) => resolve(reasonCode));
  });
  shoal.signal('SIGHUP');
  assert.equal(await sentAway, 0x87);
  const isEnd = new Promise<void>((resolve) => {
    ann.on('message', (topic) => topic === 'b' && resolve());
  });
  for (const topic of ['a', 'b']) await ann.publishAsync(topic, 'x', { qos: 1 });
  await isEnd;
  assert.deepEqual(arrived, ['b']);

  const good = readFileSync(pw, 'utf8');
  write('reloaded', `${good}carl:plain\n`);
  write('reloaded-acl', 'topic reed a\n');
  shoal.signal('SIGHUP');
  await shoal.waitFor(/last valid version stays.*reloaded:2: user 'carl'/);
  await shoal.waitFor(/last valid version stays.*reloaded-acl:1: 'reed' is not one of/);
  await ann.publishAsync('b', 'still here', { qos: 1 });
  await open(t, port, { username: 'ann', password: 'one' });
});

test('a token admits a client, restricts its topics, and ends the connection when it expires', {
  timeout,
}, async (t) => {
  const secret = 'a secret that has thirty-two bytes or more';
  const shoal = launch(t, `-auth-jwt-key=${write('jwt-key', `${secret}\n`)}`);
  const port = await shoal.mqttPort();
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 2;
  const input = `${part({ alg: 'HS256' })}.${part({ sub: 'ann', exp, publ: ['up'], subs: ['down'] })}`;
  const password = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  const client = await open(t, port, { username: 'any', password, protocolVersion: 5 });
  const ended = new Promise<number | undefined>((resolve) => {
    client.once('disconnect', ({ reasonCode }) => resolve(reasonCode));
  });
  await client.publishAsync('up', 'x', { qos: 1 });
  await assert.rejects(client.publishAsync('other', 'x', { qos: 1 }), /Not authorized/);
  await assert.rejects(client.subscribeAsync('up'));
  await client.subscribeAsync('down');
  assert.equal(await ended, 0xa0);
});

test('shoal check and a start report the file and line of every mistake', { timeout }, async () => {
  const pw = write('wrong-pw', 'ann\n');
  const acl = write('wrong-acl', 'topic read a\ntopic read a#\n');
  for (const command of [['check'], []]) {
    const flags = [...command, '-port=0', `-auth=${pw}`, `-acl=${acl}`];
    const { code, output } = await runToEnd(NODE, BUNDLE, ...flags);
    assert.equal(code, 2);
    assert.match(output, /shoal: .*wrong-pw:1: a line must be user:hash/);
    assert.match(output, /shoal: .*wrong-acl:2: 'a#' is not a topic filter/);
  }
});

test('a node without authentication warns, and one with authentication says in the banner who may connect', {
  timeout,
}, async (t) => {
  const open = launch(t, '-log-format=text');
  await open.waitFor(/WARNING any client may connect/);
  const pw = join(folder, 'banner');
  await runToEnd(NODE, BUNDLE, 'passwd', '-c', '-b', pw, 'ann', 'one');
  const closed = launch(t, '-log-format=text', `-auth=${pw}`);
  await closed.waitFor(/clients +need a password/);
  await closed.waitFor(/mosquitto_pub .* -u USER -P PASSWORD /);
  assert.doesNotMatch(closed.output, /without a password/);
});
