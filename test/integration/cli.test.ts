import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import {
  BUNDLE,
  loopbackFlags,
  ShoalProcess,
  type ShoalSettings,
} from '../support/shoal-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The node ends with the test, passed or failed. */
function launch(t: TestContext, flags: readonly string[], settings: ShoalSettings = {}) {
  const shoal = new ShoalProcess(flags, settings);
  t.after(() => shoal.kill());
  return shoal;
}

async function outcome(t: TestContext, ...flags: string[]) {
  const shoal = launch(t, flags, { cwd: folder });
  const { code } = await shoal.exited;
  return { code, output: shoal.output };
}

test('a wrong command line ends with 2 and one line for each mistake', async (t) => {
  for (const [flags, line] of [
    [['-nod=1'], "shoal: unknown option '-nod'"],
    [['-port=70000'], "shoal: bad value '70000' for -port: expected a port number from 0 to 65535"],
    [['-mbs=10.0.0.1'], 'shoal: -mbs needs the cluster token, the same on every node: -csk=TOKEN'],
    [['-csk='], 'shoal: -csk needs a value: one or more tokens'],
    [['-csk=a', '-mbs=a:1,a:1'], 'shoal: -mbs names a:1 twice'],
    [['-config=nowhere.toml'], 'shoal: -config=nowhere.toml: there is no such file\n'],
  ] as const) {
    const { code, output } = await outcome(t, ...flags);
    assert.equal(code, 2, output);
    assert.ok(output.startsWith(line), output);
  }
});

test('a port in use ends with 3 and names the flag', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  assert.ok(typeof address === 'object' && address !== null);
  try {
    const { code, output } = await outcome(t, '-bind=127.0.0.1', `-port=${address.port}`);
    assert.equal(code, 3, output);
    assert.match(
      output,
      /TCP 127\.0\.0\.1:\d+ is in use by (another program|\S+ \(pid \d+\)); choose another port with -port/,
    );
  } finally {
    taken.close();
  }
});

test('SIGTERM and SIGINT end a node with 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const shoal = launch(t, loopbackFlags('n1', '-csk=secret'));
    await shoal.mqttPort();
    shoal.signal(signal);
    assert.deepEqual(await shoal.exited, { code: 0, signal: null }, shoal.output);
  }
});

test('SIGUSR1 opens no debugger', async (t) => {
  const shoal = launch(t, loopbackFlags('n1'));
  await shoal.mqttPort();
  shoal.signal('SIGUSR1');
  await shoal.waitFor(/signal ignored/);
  await shoal.stop();
  assert.doesNotMatch(shoal.output, /Debugger listening/);
});

test('a node continues after the reader of its output has exited', () => {
  const script = `"$0" "$1" -nid=n1 -bind=127.0.0.1 -port=0 -log-level=debug | head -n 1`;
  // The broker would run for ever; timeout ends it, and its exit code 124 proves that it still ran.
  const run = () =>
    execFileSync('timeout', [
      '2',
      'bash',
      '-o',
      'pipefail',
      '-c',
      script,
      process.execPath,
      BUNDLE,
    ]);
  assert.throws(run, { status: 124 });
});

test('the list of processes does not show the token', { skip: noProcFs() }, async (t) => {
  for (const flags of [['-csk=verysecret'], ['--csk', 'verysecret']]) {
    const shoal = launch(t, loopbackFlags('n1', ...flags));
    await shoal.mqttPort();
    const commandLine = readFileSync(`/proc/${shoal.pid}/cmdline`, 'utf8');
    await shoal.stop();
    assert.match(commandLine, /-nid=n1/);
    assert.match(commandLine, /-csk=\*\*\*/);
    assert.doesNotMatch(commandLine + shoal.output, /verysecret/);
  }
});

test('a node combines file, environment and flags', async (t) => {
  writeFileSync(join(folder, 'shoal.toml'), 'nid = "from-file"\ncsk-file = "token"\nport = 0\n');
  writeFileSync(join(folder, 'token'), 'verysecret\n');
  const shoal = launch(t, ['-bind=127.0.0.1', '-crp=0', '-csp=0'], {
    cwd: folder,
    env: { SHOAL_CONFIG: 'shoal.toml', SHOAL_LOG_FORMAT: 'json' },
  });
  await shoal.mqttPort();
  await shoal.gossipAddress();
  await shoal.stop();
  for (const line of shoal.output.trim().split('\n')) assert.ok(JSON.parse(line).event, line);
});

test('the bundle runs from an empty folder', async (t) => {
  const empty = mkdtempSync(join(folder, 'empty-'));
  copyFileSync(BUNDLE, join(empty, 'shoal.js'));
  const started = performance.now();
  const shoal = launch(t, loopbackFlags('n1', '-csk=secret'), {
    bundle: join(empty, 'shoal.js'),
    cwd: empty,
  });
  await shoal.mqttPort();
  t.diagnostic(`start to listening: ${Math.round(performance.now() - started)} ms`);
  if (noProcFs() === false) {
    const [, kilobytes] =
      /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${shoal.pid}/status`, 'utf8')) ?? [];
    t.diagnostic(`resident: ${Math.round(Number(kilobytes) / 1024)} MB`);
  }
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
});

test('a second node of the same name ends with 4, names the holder, and disturbs no node', async (t) => {
  const first = launch(t, loopbackFlags('n1', '-csk=secret'));
  const seed = `-mbs=${await first.gossipAddress()}`;
  const second = launch(t, loopbackFlags('n2', '-csk=secret', seed));
  const holder = await second.gossipAddress();
  await first.waitFor(/cluster online n2/);
  const clone = launch(t, loopbackFlags('n2', '-csk=secret', seed));
  const { code } = await clone.exited;
  assert.equal(code, 4, clone.output);
  assert.match(
    clone.output,
    new RegExp(`n2 is in use by the node at ${holder.replaceAll('.', '\\.')}`),
  );
  await Promise.all([first.stop(), second.stop()]);
  assert.doesNotMatch(first.output + second.output, /cluster (suspect|offline)/);
});

test("a node starts although one member's name does not resolve and another does not answer", async (t) => {
  const flags = loopbackFlags('n1', '-csk=secret', '-mbs=nowhere.invalid,127.0.0.1:9');
  const shoal = launch(t, flags);
  await shoal.mqttPort();
  await shoal.waitFor(/cluster seed not resolved.*nowhere\.invalid/);
  assert.deepEqual(await shoal.stop(), { code: 0, signal: null });
});

test('SIGHUP reads the file again and reports its mistakes', async (t) => {
  const file = join(folder, 'reload.toml');
  writeFileSync(file, 'log-level = "info"\n');
  const shoal = launch(t, loopbackFlags('n1', `-config=${file}`));
  await shoal.mqttPort();
  writeFileSync(file, '\nlog-levle = "debug"\n');
  shoal.signal('SIGHUP');
  await shoal.waitFor(/reload\.toml:2: unknown key 'log-levle'; did you mean 'log-level'\?/);
  writeFileSync(file, 'log-level = "debug"\n');
  shoal.signal('SIGHUP');
  await shoal.waitFor(/configuration reloaded/);
  await shoal.stop();
});

function noProcFs(): string | false {
  return process.platform === 'linux' ? false : 'needs /proc';
}
