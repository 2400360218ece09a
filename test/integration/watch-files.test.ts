// Files that change while a node runs are taken over without SIGHUP; the log says what has changed.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import mqtt from 'mqtt';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { ControlClient } from '../../src/cli/control-client.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function start(t: TestContext, folder: string, ...flags: string[]): ShoalProcess {
  const shoal = new ShoalProcess(loopbackFlags('box1', ...flags), { cwd: folder });
  t.after(() => shoal.kill());
  return shoal;
}

/** As editors and certificate tools do. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function randomToken(): string {
  return randomBytes(32).toString('hex');
}

async function userLine(name: string): Promise<string> {
  return `${name}:${await hashPassword('secret', 1000)}\n`;
}

test('a new user may connect once the file has changed; a wrong file changes nothing, and log and status name it', async (t) => {
  const folder = folderOf(t);
  const users = join(folder, 'users');
  const [ann, bob] = [await userLine('ann'), await userLine('bob')];
  writeFileSync(users, ann);
  const control = join(folder, 'control');
  const shoal = start(t, folder, `-auth=${users}`, `-control=${control}`);
  const status = async (): Promise<string> =>
    JSON.stringify(await new ControlClient(control).ask({ path: '/api/v1/nodes' }));
  const url = `mqtt://127.0.0.1:${await shoal.mqttPort()}`;
  const login = (username: string) =>
    mqtt.connectAsync(url, { username, password: 'secret', reconnectPeriod: 0 });
  await assert.rejects(login('bob'));

  replace(users, ann + bob);
  await shoal.waitFor(new RegExp(`event="file changed" option=-auth file=${users}`));
  await shoal.waitFor(/event="files reloaded"/);
  await (await login('bob')).endAsync();

  replace(users, 'no hash\n');
  await shoal.waitFor(/its last valid version stays in force.*users:1/);
  await shoal.waitFor(/event="files reloaded, except/);
  assert.match(await status(), /"code":"file".*users:1: .*the last valid version stays in force/);
  await (await login('bob')).endAsync();

  const from = shoal.lineCount;
  replace(users, bob);
  await shoal.waitFor(/event="files are valid again" option=-auth lastedMs=\d+/);
  await shoal.waitFor(/event="files reloaded"/, undefined, from);
  assert.doesNotMatch(await status(), /"code":"file"/);
  await assert.rejects(login('ann'));
});

test('SIGHUP says what has changed: options with both values, files, and which token signs', async (t) => {
  const folder = folderOf(t);
  const [config, token] = [join(folder, 'shoal.toml'), join(folder, 'token')];
  const [old, new_] = [randomToken(), randomToken()];
  writeFileSync(token, `${old}\n`);
  writeFileSync(config, 'max-subscriptions = 5\n');
  const flags = [`-config=${config}`, `-csk-file=${token}`, '-watch-files=false'];
  const shoal = start(t, folder, ...flags);
  await shoal.waitFor(/ try +mosquitto_sub/);
  writeFileSync(config, 'max-subscriptions = 7\n');
  writeFileSync(token, `${new_}\n${old}\n`);
  shoal.signal('SIGHUP');
  await shoal.waitFor(/event="option changed" option=-max-subscriptions from=5 to=7/);
  const [, signs, before] = await shoal.waitFor(
    /event="cluster tokens changed: .*" signs=([0-9a-f]{8}) signedBefore=([0-9a-f]{8}) tokens=2/,
  );
  assert.notEqual(signs, before);
  await shoal.waitFor(/event="configuration reloaded"/);
  assert.ok(!shoal.output.includes(new_), 'no token is in the log');
});

test('a token file that changes is taken over by itself', async (t) => {
  const folder = folderOf(t);
  const token = join(folder, 'token');
  writeFileSync(token, `${randomToken()}\n`);
  const shoal = start(t, folder, `-csk-file=${token}`);
  await shoal.waitFor(/ try +mosquitto_sub/);
  replace(token, `${randomToken()}\n`);
  await shoal.waitFor(/event="cluster tokens changed: .*tokens=1/);
});
