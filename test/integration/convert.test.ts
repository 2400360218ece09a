// Property of `shoal convert`: whatever a mosquitto.conf says, the translation passes `shoal check`, and
// a node starts with it. Prints its seed; SHOAL_SEED repeats a run.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { CliContext } from '../../src/cli/context.ts';
import { main } from '../../src/cli/main.ts';
import { noOpenssl, TestAuthority } from '../support/certificates.ts';
import { fakeContext } from '../support/fake-context.ts';
import { BUNDLE, NODE, ShoalProcess } from '../support/shoal-process.ts';

const SEED = Number(process.env.SHOAL_SEED ?? Date.now() % 0x7fffffff) || 1;
const CONFIGURATIONS = 400;
const STARTS = 4;

const skip = noOpenssl();
const folder = mkdtempSync(join(tmpdir(), 'shoal-convert-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let state = SEED;
function random(below: number): number {
  state = (state * 48_271) % 0x7fffffff;
  return state % below;
}

function pick<T>(items: readonly T[]): T {
  return items[random(items.length)] as T;
}

/** Directives with their possible values, wrong ones included. */
function makeDirectives(): Readonly<Record<string, readonly string[]>> {
  const authority = new TestAuthority(folder);
  const { cert, key } = authority.issue('box', '/CN=box');
  const truth = ['true', 'false', '1', '0', 'maybe'];
  const numbers = ['0', '-1', '1', '20', '65535', '100000', '99999999999', 'x'];
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const passwords = file('passwords', '');
  const acl = file('acl', 'topic readwrite #\n');
  mkdirSync(join(folder, 'mosquitto'));
  const truths =
    'allow_anonymous allow_zero_length_clientid check_retain_source connection_messages enable_control_api listener_allow_anonymous per_listener_settings persistence queue_qos0_messages require_certificate retain_available set_tcp_nodelay upgrade_outgoing_qos use_identity_as_username use_subject_as_username use_username_as_clientid';
  const counts =
    'global_max_clients global_max_connections max_connections max_inflight_bytes max_inflight_messages max_keepalive max_packet_size max_qos max_queued_bytes max_queued_messages max_topic_alias max_topic_alias_broker memory_limit message_size_limit sys_interval';
  return {
    ...Object.fromEntries(truths.split(' ').map((name) => [name, truth])),
    ...Object.fromEntries(counts.split(' ').map((name) => [name, numbers])),
    acl_file: [acl],
    password_file: [passwords],
    cafile: [authority.ca],
    certfile: [cert, cert, `${cert},${cert}`],
    keyfile: [key],
    crlfile: [authority.crl],
    capath: [folder],
    bind_address: ['127.0.0.1', 'localhost', 'box.lan', '::1'],
    bind_interface: ['eth0'],
    socket_domain: ['ipv4', 'ipv6'],
    protocol: ['mqtt', 'websockets', 'http_api'],
    enable_proxy_protocol: ['1', '2', '3'],
    mount_point: ['a/'],
    psk_hint: ['box'],
    tls_version: ['tlsv1.2', 'tlsv1.3', 'tlsv1.1'],
    persistence_location: [`${folder}/mosquitto/`],
    persistent_client_expiration: ['2w', '1y', '7d', '0', 'never'],
    clientid_prefixes: ['dev-', 'a b'],
    websockets_origin: ['https://a.example', '*'],
    log_type: ['all', 'error', 'none', 'nonsense'],
    plugin: ['/usr/lib/rules.so', '/usr/lib/mosquitto_password_file.so'],
    plugin_opt_password_file: [passwords],
    connection: ['cloud'],
    address: ['example.com'],
    topic: ['# out 1'],
    '#': ['a comment'],
    include_dri: ['\u007f\u0001"'],
  };
}

function randomConfiguration(
  directives: Readonly<Record<string, readonly string[]>>,
  ports: readonly number[],
): string {
  const addresses = ['', '', '', ' 0.0.0.0', ' ::', ' 127.0.0.1', ' ::1', ' localhost', ' box.lan'];
  const lines = Array.from({ length: random(12) }, () => {
    if (random(4) === 0) return `listener ${pick(ports)}${pick(addresses)}`;
    const name = pick(Object.keys(directives));
    return `${name} ${pick(directives[name] ?? [])}`;
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** Runs a command in this process, on the real files. */
async function shoal(...tokens: string[]): Promise<{ code: number; out: string; err: string }> {
  const fake = fakeContext();
  const context: CliContext = {
    ...fake,
    readFile: (path) => readFileSync(path, 'utf8'),
    listFolder: (path) => readdirSync(path),
  };
  const code = await main(tokens, context);
  return { code, out: fake.out.join(''), err: fake.err.join('') };
}

test(`a translated mosquitto.conf passes check, and a node starts, seed ${SEED}`, {
  skip,
}, async () => {
  const directives = makeDirectives();
  const [source, target] = [join(folder, 'mosquitto.conf'), join(folder, 'shoal.toml')];
  const ports = await freePorts();
  let complete = 0;
  for (let round = 0; round < CONFIGURATIONS; round++) {
    const text = randomConfiguration(directives, ports);
    writeFileSync(source, text);
    const { code, out, err } = await shoal('convert', source);
    assert.ok(code === 0 || code === 6, `${text}\n${err}`);
    if (code === 0) complete += 1;
    writeFileSync(target, out);
    const checked = await shoal('check', `-config=${target}`);
    assert.equal(checked.code, 0, `${text}\n${out}\n${checked.err}`);
    if (round % (CONFIGURATIONS / STARTS) === 0) await start(target);
  }
  assert.ok(complete > 0 && complete < CONFIGURATIONS, `${complete} without a loss`);
});

test("Debian's mosquitto.conf translates with the files in its conf.d", async () => {
  const included = join(folder, 'conf.d');
  mkdirSync(included);
  writeFileSync(join(included, 'local.conf'), 'listener 1883\nallow_anonymous true\n');
  const source = join(folder, 'debian.conf');
  writeFileSync(
    source,
    `pid_file /run/mosquitto/mosquitto.pid
persistence true
persistence_location /var/lib/mosquitto/
log_dest file /var/log/mosquitto/mosquitto.log
include_dir ${included}
`,
  );
  const args = [BUNDLE, 'convert', '-'];
  const out = execFileSync(NODE, args, {
    input: readFileSync(source),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  assert.equal(String(out), 'port = 1883\nanonymous = true\ndata = "/var/lib/shoal"\n');
});

async function start(config: string): Promise<void> {
  const node = new ShoalProcess(['-log-level=info', `-config=${config}`], { cwd: folder });
  try {
    await node.waitFor(/Shoal v\S+ \w+ \S+:\d+/);
  } finally {
    await node.kill();
  }
}

/** Some that no program has now; they are closed again. */
async function freePorts(): Promise<number[]> {
  const servers = Array.from({ length: 3 }, () => createServer().listen(0));
  await Promise.all(servers.map((server) => new Promise((done) => server.once('listening', done))));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
