// The demo as a person starts it: in terminals of several sizes and without one, with Ctrl-C and `kill -9` at
// any moment. Invariant of each test: no node outlives its demo.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it, type TestContext, test } from 'node:test';
import mqtt from 'mqtt';
import { ESCAPE, Terminal } from '../support/terminal.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const COMMAND = [process.execPath, '--import', 'tsx', 'bin/demo.ts'];
const STORY_MS_MAX = 60_000;
const END_MS_MAX = 20_000;
const needsPty =
  process.platform === 'linux' && spawnSync('script', ['--version']).status === 0
    ? false
    : 'needs script of util-linux';
const needsProc = process.platform === 'linux' ? false : 'needs /proc';

/** The demo in a terminal: `script` provides one. */
class DemoTerminal {
  readonly terminal: Terminal;
  readonly marker = `/shoal-demo-${process.pid}-${Math.random()}`;
  readonly #child: ChildProcess;
  readonly exited: Promise<number>;
  output = '';

  constructor(columns: number, rows: number, env: Record<string, string> = {}) {
    this.terminal = new Terminal(columns, rows);
    const command = `stty rows ${rows} cols ${columns}; exec ${COMMAND.map((word) => `'${word}'`).join(' ')}`;
    this.#child = spawn('script', ['-qfec', command, '/dev/null'], {
      cwd: ROOT,
      env: { PATH: markedPath(this.marker), SHELL: '/bin/sh', TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.terminal.write(text);
    });
    this.exited = once(this.#child, 'close').then(([code]) => code);
  }

  press(key: string): void {
    this.#child.stdin?.write(key);
  }

  async see(pattern: RegExp, msMax = STORY_MS_MAX): Promise<RegExpExecArray> {
    const endMs = performance.now() + msMax;
    for (;;) {
      const match = pattern.exec(this.terminal.text);
      if (match !== null) return match;
      if (performance.now() > endMs) assert.fail(`${pattern} not seen:\n${this.terminal.text}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  end(): void {
    this.#child.stdin?.destroy();
    this.#child.kill('SIGKILL');
  }
}

test('an argument that the demo does not know ends it with 2 before anything starts', async () => {
  const bogus = plainDemo('', '--bogus');
  assert.deepEqual(await bogus.exited, { code: 2, signal: null });
  assert.match(bogus.output, /^demo: unknown argument '--bogus'\n\nusage: /);
  const help = plainDemo('', '--help');
  assert.deepEqual(await help.exited, { code: 0, signal: null });
  assert.match(help.output, /^usage: npm run demo/);
});

test('the demo fits 80x24, shows a message and a killed node, and leaves the story on the screen', {
  skip: needsPty,
}, async (t) => {
  const demo = start(t, 80, 24);
  const [, port] = await demo.see(/mosquitto_pub -p (\d+)|npx mqtt pub -p (\d+)/);
  const [, pid] = await demo.see(/kill -9 (\d+)/);
  assert.equal(demo.terminal.isCursorVisible, false);

  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`);
  await client.publishAsync('test/hello', 'wor\u001b[2Jld', { qos: 1 });
  await demo.see(/test\/hello "wor\?\[2Jld" reached the subscribers on n1, n2, n3/);
  await client.endAsync();

  process.kill(Number(pid), 'SIGKILL');
  await demo.see(/n3 +killed/);
  const red = /^\[31mn3 +$|^\[31mn3 +killed/;
  assert.ok(demo.output.split(ESCAPE).some((part) => red.test(part)));
  const [, line = ''] = await demo.see(/n3 is down\. Start it again .*\n((?: +.*\n)+)/);
  await demo.see(/n1 sees n3 as offline/);
  const again = new WatchedProcess(line.replaceAll('\\\n', ' ').trim().split(/\s+/), { cwd: ROOT });
  t.after(() => again.kill());
  await demo.see(/n3 +yours .*n1: online +n2: online/);
  await demo.see(/kill -9 \d+/);

  demo.press('\u0003');
  assert.equal(await demo.exited, 0);
  assert.equal(demo.terminal.scrolledLines, 0);
  assert.equal(demo.terminal.isCursorVisible, true);
  const steps = [
    /^node +process +MQTT/,
    /Three nodes start/,
    /The cluster is complete/,
    /20 messages have crossed/,
    /n3 is killed \(kill -9\)/,
    /n3 is offline on both other nodes/,
    /n3 is back/,
    /20 messages have crossed/,
    /^All nodes have stopped\.$/,
  ];
  let at = 0;
  for (const step of steps) {
    const found = demo.terminal.screen.findIndex((text, row) => row >= at && step.test(text));
    assert.ok(found >= 0, `${step} after row ${at}:\n${demo.terminal.text}`);
    at = found + 1;
  }
});

test('a terminal of 40 columns shows whole words', { skip: needsPty }, async (t) => {
  const demo = start(t, 40, 24);
  await demo.see(/kill -9 \d+/);
  assert.match(demo.terminal.text, /^n1 +\d+ +n2: online +n3: online$/m);
  const sentence =
    'The cluster is yours until Ctrl-C. Try it from another terminal, in this folder:';
  assert.ok(demo.terminal.text.replaceAll('\n', ' ').includes(sentence), demo.terminal.text);
  demo.press('\u0003');
  assert.equal(await demo.exited, 0);
  assert.equal(demo.terminal.scrolledLines, 0);
});

test('with TERM=dumb the terminal gets no control sequence', { skip: needsPty }, async (t) => {
  const demo = start(t, 80, 24, { TERM: 'dumb' });
  await demo.see(/The cluster is complete/);
  demo.press('\u0003');
  assert.equal(await demo.exited, 130);
  assert.ok(demo.output.includes('Interrupted before the end'));
  assert.ok(!demo.output.includes(ESCAPE), JSON.stringify(demo.output));
});

test('with NO_COLOR the picture has no colours', { skip: needsPty }, async (t) => {
  const demo = start(t, 80, 24, { NO_COLOR: '1' });
  await demo.see(/The cluster is complete/);
  demo.press('\u0003');
  assert.equal(await demo.exited, 130);
  const sequences = demo.output.split(ESCAPE).slice(1);
  assert.ok(sequences.some((part) => /^\[\d+A/.test(part)));
  assert.deepEqual(
    sequences.filter((part) => /^\[[\d;]*m/.test(part)),
    [],
  );
});

const moments = [
  /Three nodes start/,
  /n\d sees n\d as online/,
  /The cluster is complete/,
  /from n1 +[1-9]/,
  /messages have crossed/,
  /n3 is killed/,
  /n3 as suspect/,
  /n3 is offline/,
  /n3 starts again/,
  /n3 is back/,
];

describe('Ctrl-C ends the demo and its nodes', { skip: needsPty, concurrency: 3 }, () => {
  for (const moment of moments) {
    it(`at ${moment}`, async (t) => {
      const demo = start(t, 80, 24);
      await demo.see(moment);
      // Some time later, because the moment on the screen is the moment of a redraw.
      await new Promise((done) => setTimeout(done, Math.random() * 150));
      demo.press('\u0003');
      const timer = setTimeout(() => demo.end(), END_MS_MAX);
      assert.equal(await demo.exited, 130, demo.terminal.text);
      clearTimeout(timer);
      assert.match(demo.terminal.text, /Three nodes start/);
      assert.match(demo.terminal.text, /^All nodes have stopped\.$/m);
      assert.deepEqual(processesOf(demo.marker), []);
    });
  }
});

for (const signal of ['SIGKILL', 'SIGHUP'] as const) {
  test(`${signal} to the demo ends its nodes`, { skip: needsProc }, async (t) => {
    const marker = `/shoal-demo-${process.pid}-${Math.random()}`;
    const demo = plainDemo(marker);
    t.after(() => demo.kill());
    await demo.waitFor(/The cluster is complete/, STORY_MS_MAX);
    assert.equal(processesOf(marker).length, 4);
    demo.signal(signal);
    await demo.exited;
    const endMs = performance.now() + END_MS_MAX;
    while (processesOf(marker).length > 0) {
      assert.ok(performance.now() < endMs, `still running: ${processesOf(marker)}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  });
}

function start(t: TestContext, columns: number, rows: number, env?: Record<string, string>) {
  const demo = new DemoTerminal(columns, rows, env);
  t.after(() => demo.end());
  return demo;
}

function plainDemo(marker: string, ...tokens: string[]): WatchedProcess {
  return new WatchedProcess([...COMMAND, ...tokens], {
    cwd: ROOT,
    env: { PATH: markedPath(marker) },
  });
}

/** A folder in PATH that does not exist marks the demo and every process that it starts. */
function markedPath(marker: string): string {
  return `${process.env.PATH}:${marker}`;
}

/** Command lines of the processes that carry the marker. */
function processesOf(marker: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(marker)) return [];
      return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
    } catch {
      // The process has ended, or belongs to another user.
      return [];
    }
  });
}
