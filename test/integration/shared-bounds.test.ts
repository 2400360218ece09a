// Clients without a user name, from very many addresses, fill -max-connections or -max-sessions of the bundle: users
// with a password still find room. Over real sockets, because the addresses of clients count.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setUser } from '../../src/auth/password-file.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { RawClient } from '../support/raw-client.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import * as wire from '../support/wire.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-shares-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const QUOTA_EXCEEDED = 0x97;
const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const isLinux = process.platform === 'linux';
const skip = isLinux ? false : 'only Linux has all of 127.0.0.0/8';

async function launch(t: TestContext, ...flags: string[]): Promise<number> {
  const users = join(folder, 'users');
  writeFileSync(users, setUser('', 'ann', await hashPassword('secret', 100)), { mode: 0o600 });
  const all = [`-auth=${users}`, '-anonymous=true', ...flags];
  const shoal = new ShoalProcess(loopbackFlags('n1', ...all));
  t.after(() => shoal.kill());
  return shoal.mqttPort();
}

interface Attempt {
  readonly client: RawClient;
  /** Of the CONNACK. */
  readonly reason: number;
}

async function attempt(
  port: number,
  address: string,
  fields: wire.ConnectFields,
): Promise<Attempt> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: address, noDelay: true });
  const client = new RawClient(socket);
  socket.write(wire.connect({ clientId: address, ...fields }));
  // Type, length, flags and reason.
  const bytes = await client.bytes(4);
  assert.equal(bytes[0], 0x20, 'the node answers with CONNACK');
  return { client, reason: bytes[3]! };
}

/** Attempts from so many addresses, one after the other. */
async function strangers(
  port: number,
  count: number,
  fields: wire.ConnectFields,
  use: (client: RawClient) => void,
): Promise<number[]> {
  const reasons: number[] = [];
  for (let i = 0; i < count; i++) {
    const address = `127.7.${i >> 6}.${1 + (i & 63)}`;
    const { client, reason } = await attempt(port, address, fields);
    reasons.push(reason);
    use(client);
  }
  return reasons;
}

const accepted = (reasons: readonly number[]): number =>
  reasons.filter((reason) => reason === 0).length;

const ANN = { username: 'ann', password: 'secret' };

test('strangers from many addresses leave connections for users with a password', {
  skip,
}, async (t) => {
  const port = await launch(t, '-max-connections=80');
  const open: RawClient[] = [];
  const reasons = await strangers(port, 100, {}, (client) => open.push(client));
  assert.equal(reasons.at(-1), QUOTA_EXCEEDED);
  const count = accepted(reasons);
  assert.ok(count >= 50 && count <= 65, `${count} of 80`);
  for (let i = 0; i < 10; i++) {
    const { client, reason } = await attempt(port, '127.0.0.1', { ...ANN, clientId: `ann${i}` });
    assert.equal(reason, 0, 'a user finds room');
    open.push(client);
  }
  for (const client of open) client.destroy();
});

test('absent sessions of strangers leave sessions for users with a password', {
  skip,
}, async (t) => {
  const port = await launch(t, '-max-sessions=80');
  const reasons = await strangers(port, 100, KEPT, (client) => client.destroy());
  assert.equal(reasons.at(-1), QUOTA_EXCEEDED);
  const count = accepted(reasons);
  assert.ok(count >= 50 && count <= 65, `${count} of 80`);
  for (let i = 0; i < 10; i++) {
    const fields = { ...KEPT, ...ANN, clientId: `ann${i}` };
    const { client, reason } = await attempt(port, '127.0.0.1', fields);
    assert.equal(reason, 0, 'a user finds room');
    client.destroy();
  }
});
