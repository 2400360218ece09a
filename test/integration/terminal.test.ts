// A node on a terminal that takes no output, as after Ctrl-S or on a dead SSH session.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { RawClient } from '../support/raw-client.ts';
import { BUNDLE, loopbackFlags, NODE } from '../support/shoal-process.ts';
import { WatchedProcess } from '../support/watched-process.ts';
import { connect } from '../support/wire.ts';

const CLIENTS = 100;
const CONNACK_BYTES = 4;

/** Runs a command on a terminal, and reads no more of its output once it listens; SIGTERM ends both. */
const STOPPED_TERMINAL = `
import os, pty, re, signal, subprocess, sys
ours, theirs = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stdout=theirs)
def end(*_):
    child.terminate()
    try: print('exit', child.wait(5), flush=True)
    except subprocess.TimeoutExpired: child.kill()
    sys.exit()
signal.signal(signal.SIGTERM, end)
output = b''
while not (port := re.search(rb'tcp 127.0.0.1:(\\d+)', output)): output += os.read(ours, 4096)
print('port', port[1].decode(), flush=True)
while True: signal.pause()
`;

const skip = spawnSync('python3', ['--version']).status !== 0 && 'needs python3';

test('a terminal that takes no output does not stop the broker', { skip }, async (t) => {
  const flags = loopbackFlags('n1', '-log-format=json', '-log-level=debug');
  const terminal = new WatchedProcess(['python3', '-c', STOPPED_TERMINAL, NODE, BUNDLE, ...flags]);
  t.after(() => terminal.stop());
  const [, port] = await terminal.waitFor(/port (\d+)/);
  for (let index = 0; index < CLIENTS; index++) {
    const clientId = `${index}`.padEnd(500, 'x');
    const client = RawClient.tcp(Number(port), connect({ version: 4, clientId }));
    assert.equal((await client.bytes(CONNACK_BYTES)).toString('hex'), '20020000');
    client.destroy();
  }
  terminal.signal('SIGTERM');
  await terminal.waitFor(/exit 0/);
});
