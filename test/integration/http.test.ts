// The HTTP API of the bundle, over TCP and over the control socket.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import mqtt from 'mqtt';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { startManaged } from './support/managed-node.ts';

/** Runs `shoal api` to its end. */
async function ask(socket: string, path: string): Promise<{ code: number | null; output: string }> {
  const command = new ShoalProcess(['api', path, `-control=${socket}`]);
  const { code } = await command.exited;
  return { code, output: command.output };
}

test('both ways to the API give the same answer', async (t) => {
  const { url, socket } = await startManaged(t);
  const response = await fetch(`${url}/api/v1/nodes`);
  assert.equal(response.status, 200);
  const { nodes } = (await response.json()) as { nodes: { name: string; state: string }[] };
  assert.deepEqual(
    nodes.map(({ name, state }) => [name, state]),
    [['box1', 'alive']],
  );
  const { code, output } = await ask(socket, '/api/v1/nodes');
  assert.equal(code, 0);
  assert.equal(JSON.parse(output).nodes[0].name, 'box1');
});

test('a wrong request gets a problem document with a sentence', async (t) => {
  const { url, socket } = await startManaged(t);
  const response = await fetch(`${url}/nothing`);
  assert.equal(response.status, 404);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const problem = (await response.json()) as { detail: string };
  assert.match(problem.detail, /^There is nothing at this path/);
  const { code, output } = await ask(socket, '/nothing');
  assert.equal(code, 1);
  assert.match(output, /^shoal: There is nothing at this path/);
});

test('the dashboard runs only its own scripts, and no other site can show it in a frame', async (t) => {
  const { url } = await startManaged(t);
  const { headers } = await fetch(url);
  const policy = headers.get('content-security-policy')?.split('; ') ?? [];
  for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.includes(rule), rule);
  }
  assert.equal(headers.get('referrer-policy'), 'no-referrer');
});

test('only its owner can open the control socket', async (t) => {
  const { socket } = await startManaged(t);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
});

test('the socket that a crashed node left behind is replaced, a used one is not', async (t) => {
  const { shoal, socket } = await startManaged(t);
  const flags = loopbackFlags('box1', `-control=${socket}`);
  const second = new ShoalProcess(flags);
  assert.equal((await second.exited).code, 3);
  assert.match(second.output, /another node of this name runs here/);
  assert.equal((await ask(socket, '/healthz')).code, 0);

  await shoal.kill();
  const third = new ShoalProcess(flags);
  t.after(() => third.kill());
  await third.mqttPort();
  assert.equal((await ask(socket, '/healthz')).code, 0);
});

test('a node is not ready while it waits for the others', async (t) => {
  const { url } = await startManaged(t, ['-csk=secret', '-mbs=127.0.0.1:9']);
  const response = await fetch(`${url}/readyz`);
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), {
    status: 'not ready',
    reasons: ['No other node is online.'],
  });
});

/** Runs a command of the bundle on this node. */
async function run(
  socket: string,
  ...args: string[]
): Promise<{ code: number | null; output: string }> {
  const command = new ShoalProcess([...args, `-control=${socket}`]);
  const { code } = await command.exited;
  return { code, output: command.output };
}

test('a client is banned by hand, refused with the reason, listed and freed again', async (t) => {
  const { shoal, socket } = await startManaged(t);
  const url = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
  const connect = () =>
    mqtt.connectAsync(url, { clientId: 'noisy', protocolVersion: 5, reconnectPeriod: 0 });
  const made = await run(socket, 'ban', '-client=noisy', '-for=10m');
  assert.deepEqual(made, { code: 0, output: 'banned noisy for 10 min\n' });
  await assert.rejects(connect(), /Banned|138/);
  assert.match((await run(socket, 'bans')).output, /^any +noisy +any +by hand +\d/m);
  assert.equal((await run(socket, 'unban', '-client=noisy')).code, 0);
  assert.match((await run(socket, 'unban', '-client=noisy')).output, /There is no such ban/);
  await (await connect()).endAsync();
});

test('a user is banned by hand, listed, and free again', async (t) => {
  const { shoal, socket } = await startManaged(t);
  const url = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
  const connect = () =>
    mqtt.connectAsync(url, { username: 'guest', protocolVersion: 5, reconnectPeriod: 0 });
  const made = await run(socket, 'ban', '-user=guest');
  assert.deepEqual(made, { code: 0, output: 'banned user guest for 1 h\n' });
  await assert.rejects(connect(), /Banned|138/);
  assert.match((await run(socket, 'bans')).output, /^any +any +guest +by hand +\d/m);
  assert.match((await run(socket, 'ban', '-user=guest', '-client=x')).output, /exclude each other/);
  assert.equal((await run(socket, 'unban', '-user=guest')).code, 0);
  await (await connect()).endAsync();
});

test('a change over TCP needs a token, and a ban needs a target and a real address', async (t) => {
  const { url, socket } = await startManaged(t);
  const body = JSON.stringify({ address: '10.0.0.1', seconds: 60 });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/v1/bans`, { method: 'POST', headers, body });
  assert.ok([401, 403].includes(response.status), `${response.status}`);
  assert.equal((await run(socket, 'ban')).code, 2);
  assert.match((await run(socket, 'ban', '-address=box')).output, /'box' is not an IP address/);
  assert.match((await run(socket, 'ban', '-address=2001:db8::7')).output, /2001:db8::\/64/);
});
