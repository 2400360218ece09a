// Where the API can be reached when its default places are taken.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Config } from '../../../src/config/config.ts';
import { EventLog } from '../../../src/http/event-log.ts';
import { ListenError } from '../../../src/net/listen-error.ts';
import { type Management, openManagement } from '../../../src/node/management.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { FakeNodeApi } from '../../support/fake-node-api.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function takenPort(t: TestContext): Promise<number> {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  return (other.address() as AddressInfo).port;
}

async function open(
  t: TestContext,
  given: Pick<Config, 'http' | 'control'>,
): Promise<{ management: Management; events: string[] }> {
  const log = new EventLog(silentLogger);
  const config = { nodeName: 'box1', ...given } as Config;
  const management = await openManagement(config, new FakeNodeApi(), undefined, log);
  t.after(() => management.close());
  return { management, events: log.kept.map(({ event }) => event) };
}

test('a node runs without HTTP if the default port is taken, and says so', async (t) => {
  const http = { host: '127.0.0.1', port: await takenPort(t), isDefault: true };
  const { management, events } = await open(t, { http, control: 'off' });
  assert.equal(management.http, undefined);
  assert.deepEqual(events, ['no HTTP: the default port is not free']);
});

test('a port of -http that is taken is an error', async (t) => {
  const http = { host: '127.0.0.1', port: await takenPort(t), isDefault: false };
  await assert.rejects(open(t, { http, control: 'off' }), ListenError);
});

test('a node runs without a control socket if its default place cannot be used, and says so', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'box1.sock'));
  const { RUNTIME_DIRECTORY: before } = process.env;
  process.env.RUNTIME_DIRECTORY = folder;
  t.after(() => {
    if (before === undefined) delete process.env.RUNTIME_DIRECTORY;
    else process.env.RUNTIME_DIRECTORY = before;
  });
  const { management, events } = await open(t, { http: 'off', control: 'auto' });
  assert.equal(management.controlPath, undefined);
  assert.deepEqual(events, ['no control socket: commands do not reach this node']);
  const control = join(folder, 'box1.sock');
  await assert.rejects(open(t, { http: 'off', control }), { name: 'ControlSocketError' });
});
