// A node as a service of systemd: readiness, priorities for the journal, and what a failed start says.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { BUNDLE, loopbackFlags, NODE, ShoalProcess } from '../support/shoal-process.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-service-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** systemd's end of NOTIFY_SOCKET: prints each notice, and closes the descriptors that come with it. */
const NOTIFY_SERVER = `
import os, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('bound', flush=True)
while True:
    notice, descriptors, _, _ = socket.recv_fds(server, 4096, 8)
    for descriptor in descriptors: os.close(descriptor)
    print(notice.decode().replace('\\n', ' '), flush=True)
`;

const tools = ['systemd-notify', 'python3'];
const missing = tools.filter((tool) => spawnSync(tool, ['--version']).status !== 0);
const skip = missing.length > 0 && `needs ${missing.join(' and ')}`;

async function serviceManager(t: TestContext, name: string) {
  const path = join(folder, name);
  const manager = new WatchedProcess(['python3', '-c', NOTIFY_SERVER, path]);
  t.after(() => manager.kill());
  await manager.waitFor(/bound/);
  return { manager, env: { NOTIFY_SOCKET: path } };
}

test('a node notifies the service manager once clients can connect', { skip }, async (t) => {
  const { manager, env } = await serviceManager(t, 'ready');
  const shoal = new ShoalProcess(loopbackFlags('n1'), { env });
  t.after(() => shoal.kill());
  await manager.waitFor(/READY=1/);
  assert.match(shoal.output, /Shoal v\S+ tcp 127\.0\.0\.1:\d+/);
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
});

test('a node whose port is taken never notifies the service manager', { skip }, async (t) => {
  const { manager, env } = await serviceManager(t, 'taken');
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  assert.ok(typeof address === 'object' && address !== null);
  const flags = ['-nid=n1', '-bind=127.0.0.1', `-port=${address.port}`];
  const shoal = new ShoalProcess(flags, { env });
  assert.equal((await shoal.exited).code, 3);
  assert.equal(manager.output, 'bound\n');
});

test('the event loop keeps the watchdog quiet, with a status in one sentence', {
  skip,
}, async (t) => {
  const { manager, env } = await serviceManager(t, 'watchdog');
  const shoal = new ShoalProcess(loopbackFlags('n1'), { env: { ...env, WATCHDOG_USEC: '200000' } });
  t.after(() => shoal.kill());
  await manager.waitFor(/READY=1 STATUS=\w[^\n]*\./);
  for (let notices = 0; notices < 3; notices++) {
    await manager.waitFor(/WATCHDOG=1 STATUS=\w/, undefined, manager.lineCount);
  }
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
});

test("a watchdog for another process is not the node's", { skip }, async (t) => {
  const { manager, env } = await serviceManager(t, 'other-watchdog');
  const watchdog = { WATCHDOG_USEC: '100000', WATCHDOG_PID: '1' };
  const shoal = new ShoalProcess(loopbackFlags('n1'), { env: { ...env, ...watchdog } });
  t.after(() => shoal.kill());
  await manager.waitFor(/READY=1/);
  await shoal.stop();
  assert.doesNotMatch(manager.output, /WATCHDOG/);
});

test('a node whose peers are gone ends with its own code, for systemd to start it again', async (t) => {
  const flags = ['-csk=service-test', '-period=100ms', '-ping-timeout=40ms'];
  const first = new ShoalProcess(loopbackFlags('n1', ...flags));
  t.after(() => first.kill());
  const seed = `-mbs=${await first.gossipAddress()}`;
  const second = new ShoalProcess(loopbackFlags('n2', ...flags, seed, '-exit-without-peers=1'));
  t.after(() => second.kill());
  await first.waitFor(/cluster online.*\bn2\b/);
  await second.waitFor(/ try +mosquitto_sub/);
  await first.kill();
  assert.equal((await second.exited).code, 7);
  assert.match(second.output, /no other node was online in 1 checks \(-exit-without-peers\)/);
});

test('a service manager that cannot be notified is a warning', async (t) => {
  const env = { NOTIFY_SOCKET: join(folder, 'nowhere'), PATH: folder };
  const shoal = new ShoalProcess(loopbackFlags('n1'), { env });
  t.after(() => shoal.kill());
  await shoal.waitFor(
    /level=warn event="the service manager does not know that the node is ready"/,
  );
});

test('lines for the journal begin with their priority, and lines for a file do not', async () => {
  for (const isJournal of [true, false]) {
    const path = join(folder, `output-${isJournal}`);
    const output = openSync(path, 'w');
    const { dev, ino } = statSync(path);
    const child = spawn(NODE, [BUNDLE, ...loopbackFlags('n1')], {
      cwd: folder,
      env: { PATH: process.env.PATH, JOURNAL_STREAM: `${dev}:${isJournal ? ino : 0}` },
      stdio: ['ignore', output, output],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (!readFileSync(path, 'utf8').includes(' try ')) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(child.exitCode, null);
    }
    child.kill('SIGTERM');
    await ended;
    closeSync(output);
    const text = readFileSync(path, 'utf8');
    const [info, warning] = isJournal ? ['<6>', '<4>'] : ['', ''];
    assert.match(text, new RegExp(`^${info}\\d{4}/.* Shoal v\\S+ tcp `, 'm'));
    assert.match(text, new RegExp(`^${warning}time=.* level=warn event="any`, 'm'));
    assert.ok(text.includes(`node ${BUNDLE}`) || !text.includes('-mbs='), 'an absolute path');
  }
});
