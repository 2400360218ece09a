// Starts Shoal as an app of Home Assistant: makes its users, answers its logins by asking the Supervisor,
// and announces the broker to Home Assistant and to other apps. Ends with the node.
// Sources: Home Assistant developer docs, "Add-on communication" and "Add-on configuration".

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

const {
  SUPERVISOR_TOKEN = '',
  SUPERVISOR_URL = 'http://supervisor',
  SHOAL_DATA_FOLDER: folder = '/data',
  SHOAL_PROGRAM: program = '/shoal.js',
} = process.env;
/** The address of the host in the Supervisor's network: apps and Home Assistant reach it there. */
const HOST = '172.30.32.1';
const PORT = 1883;
/** Messages of Home Assistant's discovery and of Zigbee2MQTT are larger than 4 KB. */
const LARGE = '4M';
const ANNOUNCE_AGAIN_MS = 10_000;

const options = JSON.parse(readFileSync(join(folder, 'options.json'), 'utf8'));
const systemUsers = readSystemUsers();
const users = join(folder, 'users');
writeUsers();
const logins = await serveLogins();
const node = spawn(process.execPath, [program, ...flagsOfNode()], { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => node.kill(signal));
node.on('exit', (code) => process.exit(code ?? 1));
await announce();

/** Home Assistant and other apps each have a password that outlives a restart. */
function readSystemUsers() {
  const file = join(folder, 'system-users.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  const password = () => randomBytes(24).toString('base64url');
  const made = { homeassistant: password(), addons: password() };
  writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
  return made;
}

function writeUsers() {
  rmSync(users, { force: true });
  const own = Object.entries(systemUsers).map(([username, password]) => ({ username, password }));
  for (const { username, password } of [...own, ...(options.logins ?? [])]) {
    const create = existsSync(users) ? [] : ['-c'];
    // By standard input: a password in the command line could be taken for a flag.
    const words = [program, 'passwd', ...create, users, username];
    execFileSync(process.execPath, words, { input: `${password}\n${password}\n`, stdio: 'pipe' });
  }
}

/** Shoal's -auth-http asks here; the Supervisor knows the users of Home Assistant. @returns the URL */
function serveLogins() {
  const server = createServer(async (request, response) => {
    try {
      const { username, password } = await json(request);
      const answer = await askSupervisor('/auth', { username, password });
      response.writeHead(answer.ok ? 200 : answer.status < 500 ? 403 : 502);
    } catch {
      response.writeHead(502);
    }
    response.end();
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/`));
  });
}

function flagsOfNode() {
  const { name, token, peers = [], anonymous, flags = [] } = options;
  return [
    `-port=${PORT}`,
    `-data=${join(folder, 'store')}`,
    `-auth=${users}`,
    `-auth-http=${logins}`,
    '-auth-http-format=json',
    ...(name ? [`-nid=${name}`] : []),
    ...(anonymous ? ['-anonymous=true'] : []),
    ...(token ? [`-csk-file=${tokenFile(token)}`, `-large=${LARGE}`] : []),
    ...(peers.length > 0 ? [`-mbs=${peers.join(',')}`] : []),
    ...flags,
  ];
}

/** Other processes could read a token in the command line. */
function tokenFile(token) {
  const file = join(folder, 'token');
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return file;
}

/** Repeats until the Supervisor has accepted both. */
async function announce() {
  const access = (username) => ({
    host: HOST,
    port: PORT,
    username,
    password: systemUsers[username],
  });
  const service = { ...access('addons'), ssl: false, protocol: '5' };
  const discovery = { service: 'mqtt', config: { ...access('homeassistant'), protocol: '5' } };
  for (;;) {
    try {
      const answers = [
        await askSupervisor('/services/mqtt', service),
        await askSupervisor('/discovery', discovery),
      ];
      if (answers.every((answer) => answer.ok)) return;
      console.error(`shoal app: the Supervisor refuses: ${answers.map(({ status }) => status)}`);
    } catch (error) {
      console.error(`shoal app: the Supervisor does not answer: ${error.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, ANNOUNCE_AGAIN_MS));
  }
}

function askSupervisor(path, body) {
  return fetch(`${SUPERVISOR_URL}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${SUPERVISOR_TOKEN}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
}
