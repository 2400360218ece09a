// `shoal client ID`: what a client costs, sends and may do.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { hashPassword } from '../../src/auth/password-hash.ts';
import type { ClientDetail } from '../../src/http/client-detail-view.ts';
import { runCommand } from '../support/run-command.ts';
import { scenario } from './support/scenario.ts';

describe('the view of one client', { concurrency: 2 }, () => {
  scenario('shows its memory, its traffic and the rules of the ACL', async (scene) => {
    const users = scene.file('users', `ann:${await hashPassword('secret', 1000)}\n`);
    const acl = scene.file(
      'acl',
      'user ann\ntopic read home/#\ntopic deny home/safe\npattern write %c/out\n',
    );
    const node = await scene.startLocal('n1', `-auth=${users}`, `-acl=${acl}`);
    const client = await scene.client(node, {
      clientId: 'c1',
      username: 'ann',
      password: 'secret',
    });
    await client.subscribe(['home/#'], 1);
    await client.publish('c1/out', 'x'.repeat(1000), { qos: 1 });
    await client.publish('c1/out', 'y', { qos: 1 });
    const detail = (await scene.ask(node, 'GET', '/api/v1/clients/c1')) as ClientDetail;
    assert.deepEqual(detail.rules, [
      { access: 'deny', filter: 'home/safe', place: `${acl}:3` },
      { access: 'read', filter: 'home/#', place: `${acl}:2` },
      { access: 'write', filter: 'c1/out', place: `${acl}:4` },
    ]);
    assert.deepEqual([detail.client.publishReceived, detail.client.publishSent], [2, 0]);
    assert.ok((detail.traffic?.receivedBytes ?? 0) > 1000);
    assert.ok((detail.traffic?.sentBytes ?? 0) > 0);
    assert.ok(detail.memory.bytes > 0);
    assert.ok(detail.memory.userBytes >= detail.memory.bytes);
    const { out } = await runCommand(['client', 'c1', `-control=${node.control}`]);
    assert.match(out, /^ {4}deny +home\/safe +\(.*acl:3\)$/m);
    assert.match(out, /^ {2}messages +0\/s from it, 0\/s to it; 2 and 0 since it connected$/m);
    assert.match(out, /^ {2}traffic +1\.\d KB \(.*\/s\) from it, /m);
  });

  scenario('says that every topic is free without an ACL', async (scene) => {
    const node = await scene.startLocal('n1');
    await scene.client(node, { clientId: 'c1' });
    const { out } = await runCommand(['client', 'c1', `-control=${node.control}`]);
    assert.match(out, /^ {2}access +every topic$/m);
  });
});
