// Secrets go into a node by every way that there is, and what comes out by every way is searched for them: logs at the
// level debug in each format, every GET of the API, streams, $SYS, answers to clients, commands, the bundle of the doctor,
// titles of processes, and the data folder. A secret in any of them fails the test.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setUser } from '../../src/auth/password-file.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { ControlClient } from '../../src/cli/control-client.ts';
import { routeTable } from '../../src/http/route-table.ts';
import { Canaries } from '../support/canaries.ts';
import { TestAuthority } from '../support/certificates.ts';
import { type CommandResult, runCommand, startCommand } from '../support/run-command.ts';
import * as wire from '../support/wire.ts';
import { allSeeEachOther, type Node, programScenario, type Scenario } from './support/scenario.ts';

const ITERATIONS = 1000;

/** The files and servers that give a site its secrets. */
interface Secrets {
  readonly canaries: Canaries;
  readonly token: string;
  readonly tokenFile: string;
  readonly users: string;
  readonly password: string;
  readonly wrong: string;
  readonly jwtKey: string;
  readonly jwtFile: string;
  readonly checkUrl: string;
  /** Passwords of bridges. */
  readonly far: string;
  readonly farWrong: string;
}

async function secretsOf(scene: Scenario, check: Server): Promise<Secrets> {
  const canaries = new Canaries();
  const password = canaries.make('password');
  const far = canaries.make('password of a bridge');
  let users = setUser('', 'ann', await hashPassword(password, ITERATIONS));
  users = setUser(users, 'site', await hashPassword(far, ITERATIONS));
  const token = canaries.make('cluster token');
  const jwtKey = canaries.make('key of web tokens');
  const { port } = check.address() as AddressInfo;
  return {
    canaries,
    token,
    tokenFile: scene.file('token', `${token}\n`),
    users: scene.file('users', users),
    password,
    wrong: canaries.make('wrong password'),
    jwtKey,
    jwtFile: scene.file('jwt', jwtKey),
    checkUrl: `http://127.0.0.1:${port}/check?key=${canaries.make('key in the URL of -auth-http')}`,
    far,
    farWrong: canaries.make('wrong password of a bridge'),
  };
}

/** A server for -auth-http that fails, and repeats what it was sent. */
async function checkServer(): Promise<Server> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    response.writeHead(body.includes('ann') ? 500 : 200);
    response.end(`what is ${request.url} ${body}?`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function bridge(name: string, port: number, password: string): string {
  const address = `address = "mqtt://127.0.0.1:${port}"\nclient-id = "${name}"`;
  const login = `username = "site"\npassword = "${password}"\ntopics = ["up/# both 1"]`;
  return `[[bridge]]\nname = "${name}"\n${address}\n${login}\nreconnect-min = "1s"\n`;
}

function webToken(key: string, claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** Sends raw bytes and waits for the end of the connection. @returns what the node sent */
async function exchange(port: number, ...packets: Buffer[]): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    socket.end();
  });
  socket.write(Buffer.concat(packets));
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

/** Logins that succeed and fail, in all forms. */
async function logIn(port: number, secrets: Secrets): Promise<void> {
  const { canaries, password, wrong, jwtKey } = secrets;
  const valid = webToken(jwtKey, { sub: 'eve' });
  const forged = webToken(canaries.make('key of a forged token'), { sub: 'eve' });
  canaries.add('web token', valid);
  canaries.add('forged web token', forged);
  const version = 4;
  const logins: wire.ConnectFields[] = [
    { clientId: 'right', username: 'ann', password },
    { clientId: 'traced', username: 'ann', password },
    { clientId: 'wrong', username: 'ann', password: wrong },
    { clientId: 'wrong', username: 'unknown', password: wrong },
    { clientId: 'old', username: 'ann', password: wrong, version },
    { clientId: 'token', username: 'eve', password: valid },
    { clientId: 'forged', username: 'eve', password: forged },
    { clientId: 'damaged', username: 'ann', password: wrong, tail: Buffer.from('more') },
    { clientId: 'level', username: 'ann', password: wrong, protocolLevel: 9 },
    { clientId: 'flags', username: 'ann', password: wrong, flags: 0xc3 },
    {
      clientId: 'extended',
      properties: { authenticationMethod: 'SCRAM', authenticationData: Buffer.from(wrong) },
    },
  ];
  for (const fields of logins) {
    const answer = await exchange(port, wire.connect(fields));
    canaries.saw(`answer to the CONNECT of ${String(fields.clientId)}`, answer);
  }
  // A CONNECT that is not whole, and one on a WebSocket path.
  const whole = wire.connect({ clientId: 'part', username: 'ann', password: wrong });
  const rest = connect({ host: '127.0.0.1', port });
  rest.write(whole.subarray(0, -2), () => rest.destroy());
  await once(rest, 'close');
}

/** Requests with secrets where they belong, and where they do not. */
async function ask({ scene, box1 }: Site, secrets: Secrets): Promise<void> {
  const { canaries, wrong } = secrets;
  const url = `http://${await box1.process.httpAddress()}`;
  const made = (await scene.ask(box1, 'POST', '/api/v1/tokens')) as { token: string };
  canaries.add('token of the API', made.token);
  const json = { 'content-type': 'application/json' };
  const set = (option: string, value: string) => ({
    method: 'PUT',
    headers: { ...json, authorization: `Bearer ${made.token}` },
    body: JSON.stringify({ option, value }),
  });
  const bearer = { authorization: `Bearer ${wrong}` };
  const requests: [string, RequestInit][] = [
    ['/api/v1/clients', { headers: { authorization: `Bearer ${made.token}` } }],
    ['/api/v1/clients', { headers: bearer }],
    ['/api/v1/clients', { headers: { authorization: `Basic ${btoa(`ann:${wrong}`)}` } }],
    [`/api/v1/clients?token=${wrong}`, {}],
    [`/${wrong}`, {}],
    ['/api/v1/config', set('csk', wrong)],
    ['/api/v1/config', set('auth-http', `http://ann:${wrong}@host/?key=${wrong}`)],
    ['/api/v1/config', set('log-level', 'debug')],
    ['/api/v1/config', { ...set('csk', wrong), body: `{"option": "csk", "value": "${wrong}` }],
  ];
  for (const [path, init] of requests) {
    const answer = await fetch(url + path, init);
    canaries.saw(`${init.method ?? 'GET'} ${path}`, await answer.text());
  }
}

/** Streams that stay open while secrets go in. */
async function openStreams(node: Node): Promise<() => Map<string, string>> {
  const heard = new Map<string, string>();
  const control = new ControlClient(node.control);
  const paths = [
    '/api/v1/events?past=100',
    '/api/v1/site',
    '/api/v1/observations',
    '/api/v1/trace?client=traced&payload=1000&seconds=60',
    '/api/v1/subscribe?filter=%23&payload=1000',
    '/api/v1/subscribe?filter=%24SYS%2F%23&payload=1000',
  ];
  for (const path of paths) {
    const stream = await control.open({ path });
    assert.equal(stream.statusCode, 200, path);
    heard.set(path, '');
    stream.on('data', (chunk: Buffer) => heard.set(path, heard.get(path) + chunk.toString()));
    stream.on('error', () => undefined);
    await once(stream, 'data');
  }
  return () => heard;
}

/** Every GET of the API that answers at once. */
async function readAll(node: Node, canaries: Canaries, others: readonly string[]): Promise<void> {
  const control = new ControlClient(node.control);
  const gets = routeTable.filter((one) => one.method === 'GET' && one.stream === undefined);
  const needed: Record<string, string> = { '/api/v1/retained': 'filter=%23' };
  for (const { path } of gets) {
    const known = path.replace(':id', 'right').replace(':name', others[0] ?? '');
    for (const query of [needed[path] ?? '', ...others.map((name) => `node=${name}`)]) {
      const target = `${known}?${query}`;
      const answer = await text(await control.open({ path: target }));
      canaries.saw(`GET ${target}`, answer);
    }
  }
}

function sawCommand(canaries: Canaries, line: readonly string[], result: CommandResult): void {
  const [command = '', flag = ''] = line;
  canaries.saw(`shoal ${command} ${flag.replace(/=.*/, '')}`, result.out + result.err);
}

async function commands(site: Site, secrets: Secrets): Promise<void> {
  const { canaries, wrong } = secrets;
  const { folder } = site.scene;
  const control = `-control=${site.box1.control}`;
  const broken = site.scene.file(
    'broken.toml',
    `csk = "${wrong}"\nport = = 1\npassword = "${wrong}\n`,
  );
  const address = `address = "mqtt://ann:${wrong}@host"\npassword = 7\nname = "x"\n`;
  const bad = site.scene.file('bad.toml', `cskk = "${wrong}"\n[[bridge]]\n${address}`);
  const lines = [
    ['status', control],
    ['config', 'show', control],
    ['config', 'show', `-config=${site.file}`, `-csk=${secrets.token}`],
    ['config', 'set', 'csk', wrong, control],
    ['check', `-config=${site.file}`],
    ['check', `-config=${broken}`],
    ['check', `-config=${bad}`],
    ['check', `-csk=,${wrong}`, `-auth-http=http://ann:${wrong}@host`],
    ['check', `-auth=${site.scene.file('plain', `ann:${wrong}\n`)}`],
    ['check', `-auth-jwt-key=${site.scene.file('short', wrong.slice(-20))}`],
    ['check', `-csk-file=${site.scene.file('weak', `${wrong}\n${wrong},x\n`)}`],
    ['bridges', control],
    ['doctor', `-config=${site.file}`, '-control=off'],
    ['top', '-json', control],
    ['pub', '-t', 'a', '-m', 'x', '-L', `mqtx://ann:${wrong}@host`],
    ['pub', '-t', 'a', '-m', 'x', '-p', site.port, '-u', 'ann', '-P', wrong],
    ['join', `SHOAL-${wrong}`],
  ];
  for (const line of lines) sawCommand(canaries, line, await runCommand(line));
  const shown = ['config', 'show', '-control=off'];
  sawCommand(canaries, shown, await runCommand(shown, { env: { SHOAL_CSK: secrets.token } }));
  const bundle = ['doctor', '-bundle', control];
  const made = await runCommand(bundle, { cwd: folder });
  sawCommand(canaries, bundle, made);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'none';
  const unpacked = execFileSync('tar', ['xzOf', join(folder, archive)], { maxBuffer: 2 ** 27 });
  canaries.saw('the bundle of the doctor', unpacked);
}

/** The line of an invitation is a secret until it is used. */
async function invite(site: Site, canaries: Canaries): Promise<void> {
  const made = await runCommand(['invite', '-json', `-control=${site.box1.control}`]);
  const { line } = JSON.parse(made.out) as { line: string };
  canaries.add('invitation', line);
  const join1 = ['join', line, `-folder=${join(site.scene.folder, 'new')}`];
  sawCommand(canaries, join1, await runCommand(join1));
  sawCommand(canaries, join1, await runCommand(join1));
}

/** A command that runs for long shows its password to no one. */
async function titles(site: Site, { canaries, password }: Secrets): Promise<void> {
  const login = ['-p', site.port, '-u', 'ann'];
  for (const way of [['-P', password], [`-pw=${password}`]]) {
    const sub = startCommand(['sub', '-t', '$SYS/broker/uptime', '-v', ...login, ...way]);
    await sub.prints(/uptime/);
    canaries.saw(`title of sub ${way.length}`, readFileSync(`/proc/${sub.pid}/cmdline`));
    sub.signal('SIGKILL');
    await sub.done;
  }
  for (const { process } of site.nodes) {
    canaries.saw('title of a node', readFileSync(`/proc/${process.pid}/cmdline`));
  }
}

interface Site {
  readonly scene: Scenario;
  /** A node with everything, and another one of its cluster. */
  readonly box1: Node;
  readonly box2: Node;
  readonly nodes: readonly Node[];
  /** Configuration of box1. */
  readonly file: string;
  readonly port: string;
}

function folderIn(scene: Scenario, name: string): string {
  const path = join(scene.folder, name);
  mkdirSync(path);
  return path;
}

async function startSite(scene: Scenario, secrets: Secrets): Promise<Site> {
  const { users, jwtFile, tokenFile, token, checkUrl, far, farWrong, canaries } = secrets;
  const debug = ['-log-level=debug', '-http=127.0.0.1:0'];
  const away = canaries.make('token of the other cluster');
  const other = await scene.startLocal('far', `-csk=${away}`, `-auth=${users}`, ...debug);
  const farPort = await other.process.mqttPort();
  const file = scene.file(
    'box1.toml',
    `csk = "${token}"\nauth = "${users}"\nauth-jwt-key = "${jwtFile}"\n${[
      bridge('right', farPort, far),
      bridge('refused', farPort, farWrong),
      bridge('away', 1, farWrong),
    ].join('')}`,
  );
  for (const path of [file, users, jwtFile, tokenFile]) chmodSync(path, 0o600);
  const own = [`-config=${file}`, `-data=${folderIn(scene, 'data')}`, '-log-format=json'];
  const { cert, key } = new TestAuthority(folderIn(scene, 'ca')).issue('box1', '/CN=box1');
  canaries.add('private key', readFileSync(key, 'latin1').split('\n')[3] ?? '');
  const tls = ['-tls=0', `-cert=${cert}`, `-key=${key}`];
  const common = ['-encrypt', '-sys-interval=1', ...debug];
  const box1 = await scene.startLocal('box1', `-csk=${token}`, ...own, ...tls, ...common);
  const seed = `-mbs=${await box1.process.gossipAddress()}`;
  const check = [`-auth-http=${checkUrl}`, '-log-format=text'];
  const box2 = await scene.startLocal('box2', `-csk-file=${tokenFile}`, seed, ...check, ...common);
  await allSeeEachOther([box1, box2]);
  await box1.process.waitFor(/"bridge connected"/);
  await box1.process.waitFor(/refused.*(not authorized|password)|does not reach the far side/);
  const port = String(await box1.process.mqttPort());
  return { scene, box1, box2, nodes: [other, box1, box2], file, port };
}

/** Everything that the node has written by itself. */
function sawFiles(folder: string, canaries: Canaries): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    canaries.saw(`data/${entry.name}`, readFileSync(join(folder, entry.name)));
  }
}

programScenario('no secret comes out of a node', ['openssl', 'tar'], async (scene) => {
  const check = await checkServer();
  try {
    const secrets = await secretsOf(scene, check);
    const { canaries } = secrets;
    const site = await startSite(scene, secrets);
    const heard = await openStreams(site.box1);
    for (const { process } of [site.box1, site.box2])
      await logIn(await process.mqttPort(), secrets);
    await ask(site, secrets);
    await titles(site, secrets);
    await invite(site, canaries);
    await commands(site, secrets);
    await readAll(site.box1, canaries, ['box2', 'box1']);
    for (const [path, events] of heard()) canaries.saw(`stream ${path}`, events);
    for (const { name, process } of site.nodes) {
      process.signal('SIGHUP');
      await process.stop();
      canaries.saw(`log of ${name}`, process.output);
    }
    sawFiles(join(scene.folder, 'data'), canaries);
    canaries.assertAbsent();
  } finally {
    check.close();
  }
});
