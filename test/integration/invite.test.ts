// A new box joins with a line of `shoal invite`: the built file, and real nodes.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import { runCommand } from '../support/run-command.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { scenario } from './support/scenario.ts';

describe('invitations', { concurrency: 2 }, () => {
  scenario('a new box joins with the line, which works once', async (scene) => {
    const token = scene.file('own-token', 'a token, with a comma');
    const options = ['-cluster=home', '-encrypt', '-large=64K', '-shared=cluster', '-topics=a/#,b'];
    const one = await scene.startLocal('n1', `-csk-file=${token}`, ...options);
    const { code, out, err } = await runCommand(['invite', `-control=${one.control}`]);
    assert.equal(code, 0, err);
    const [, line = ''] = /shoal\.js join (SHOAL-[A-Z2-7]+)$/m.exec(out) ?? [];
    assert.match(out, /[▄▀█]/, 'a QR code');
    assert.ok(!out.includes('a token'), 'the line shows no token');

    const folder = join(scene.folder, 'new box');
    // Other nodes may run on this machine.
    const none = `-control=${join(scene.folder, 'none.sock')}`;
    const joined = await runCommand(['join', line, '-nid=n2', `-folder=${folder}`, none]);
    assert.equal(joined.code, 0, joined.err);
    assert.equal(readFileSync(join(folder, 'token'), 'utf8'), 'a token, with a comma\n');
    assert.equal(statSync(join(folder, 'token')).mode & 0o77, 0, 'only its owner reads the token');
    const config = readFileSync(join(folder, 'shoal.toml'), 'utf8');
    assert.match(config, /\nshared = "cluster"\ntopics = \["a\/#","b"\]\nlarge = 65536\n$/);
    assert.match(joined.out, /start this box with:\n .* -config=/);
    const flags = loopbackFlags('n2', `-config=${join(folder, 'shoal.toml')}`);
    const two = new ShoalProcess(flags);
    try {
      await two.waitFor(/cluster online n1\b/);
      await one.sees('online', 'n2');
    } finally {
      await two.kill();
    }

    const again = await runCommand(['join', line, `-folder=${join(scene.folder, 'third')}`]);
    assert.equal(again.code, 2);
    assert.match(
      again.err,
      /^shoal: (this invitation was used already, .* make another|the invitation could not be used: .* make a new one)/,
    );
  });

  scenario('files that exist are kept, and cost no invitation', async (scene) => {
    const one = await scene.startLocal('n1');
    const made = await runCommand(['invite', '-json', `-control=${one.control}`]);
    const { line } = JSON.parse(made.out) as { line: string };
    const existing = scene.file('token', 'of another cluster\n');
    const refused = await runCommand(['join', line, `-folder=${scene.folder}`]);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /token: exists; name an empty folder/);
    assert.equal(readFileSync(existing, 'utf8'), 'of another cluster\n');
    const other = join(scene.folder, 'empty');
    assert.equal((await runCommand(['join', line, `-folder=${other}`])).code, 0);
  });

  scenario('a node that runs here already is named, with what to change where', async (scene) => {
    const one = await scene.startLocal('n1');
    const file = scene.file('shoal.toml', 'max-connections = 100\n');
    const alone = await scene.startLocal('n8', `-config=${file}`);
    const flagsAlone = await scene.startLocal('n9');
    for (const [node, folder, text] of [
      [alone, 'by-file', new RegExp(`^n8 runs here already.*\\n.*\\n?into ${file},`, 'm')],
      [
        flagsAlone,
        'by-flags',
        /^n9 runs here already.*\nEnd it, .*\n {2}.* leave -control=\S+\n {2}.* -config=\S+\/by-flags\/shoal\.toml (?!.*-csk).*-nid=n9 .*-port=0/m,
      ],
    ] as const) {
      const { out } = await runCommand(['invite', '-json', `-control=${one.control}`]);
      const { line } = JSON.parse(out) as { line: string };
      const into = `-folder=${join(scene.folder, folder)}`;
      const joined = await runCommand(['join', line, into, `-control=${node.control}`]);
      assert.equal(joined.code, 0, joined.err);
      assert.match(joined.out, text);
    }
  });

  scenario('a slip in the line is noticed before anything is sent', async (scene) => {
    const one = await scene.startLocal('n1');
    const made = await runCommand(['invite', '-json', `-control=${one.control}`]);
    const { line } = JSON.parse(made.out) as { line: string };
    const slip = await runCommand(['join', line.slice(0, -1), `-folder=${scene.folder}`]);
    assert.equal(slip.code, 2);
    assert.match(slip.err, /the line is incomplete/);
  });
});
