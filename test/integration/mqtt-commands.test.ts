// pub, sub, rr and bench of the bundle: against our own node over every transport, against mosquitto, and
// with the flags that users of mosquitto's clients type.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { noOpenssl, TestAuthority } from '../support/certificates.ts';
import { runCommand, startCommand } from '../support/run-command.ts';
import { ShoalProcess } from '../support/shoal-process.ts';
import { type Scenario, scenario } from './support/scenario.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-mqtt-commands-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Resolves when the subscription of a `sub` works: a marker that is published until it arrives. */
async function subscribed(sub: ReturnType<typeof startCommand>, ...to: string[]): Promise<void> {
  const marker = sub.prints(/^marker\b/m);
  let isThere = false;
  void marker.then(() => {
    isThere = true;
  });
  while (!isThere) await runCommand(['pub', ...to, '-t', 'marker', '-m', 'marker']);
}

async function nodePort(scene: Scenario, ...flags: string[]): Promise<string> {
  const node = await scene.startLocal('n1', ...flags);
  return String(await node.process.mqttPort());
}

describe('the MQTT commands', { concurrency: 2 }, () => {
  scenario('what pub sends arrives at sub, with every QoS and version', async (scene) => {
    const port = await nodePort(scene);
    for (const [version, qos] of [
      ['5', '2'],
      ['311', '1'],
      ['31', '0'],
    ] as const) {
      const flags = ['-p', port, '-V', version, '-q', qos];
      const filters = ['-t', 'home/#', '-t', 'marker', '-F', '%p %q'];
      const sub = startCommand(['sub', ...flags, ...filters, '-T', 'home/hidden']);
      await subscribed(sub, '-p', port);
      const hidden = ['-t', 'home/hidden', '-m', 'no'];
      assert.equal((await runCommand(['pub', ...flags, ...hidden])).code, 0);
      const lines = await runCommand(['pub', ...flags, '-t', 'home/t', '-l'], {
        input: 'a\nb c\n',
      });
      assert.deepEqual(lines, { code: 0, out: '', err: '' });
      await sub.prints(new RegExp(`^a ${qos}\nb c ${qos}$`, 'm'));
      sub.signal('SIGINT');
      assert.equal((await sub.done).code, 0);
    }
  });

  scenario('a payload comes from a file or from standard input, byte by byte', async (scene) => {
    const port = await nodePort(scene);
    const file = scene.file('payload', 'line\nand \u0000 more');
    await runCommand(['pub', '-p', port, '-t', 'kept/f', '-f', file, '-r', '-q', '1']);
    await runCommand(['pub', '-p', port, '-t', 'kept/s', '-s', '-r', '-q', '1'], { input: 'é\n' });
    const url = `mqtt://127.0.0.1:${port}/kept/%2B`;
    const { out } = await runCommand(['sub', '-L', url, '-C', '2', '-F', '%t %x', '-W', '10']);
    assert.deepEqual(out.trimEnd().split('\n').sort(), [
      `kept/f ${Buffer.from('line\nand \u0000 more').toString('hex')}`,
      `kept/s ${Buffer.from('é\n').toString('hex')}`,
    ]);
    await runCommand(['pub', '-p', port, '-t', 'kept/f', '-n', '-r', '-q', '1']);
    const left = await runCommand(['sub', '-p', port, '-t', 'kept/#', '-v', '-W', '1']);
    assert.equal(left.out, 'kept/s é\n\n');
    assert.equal(left.code, 27);
  });

  scenario('a session that is kept gets what came meanwhile', async (scene) => {
    const port = await nodePort(scene);
    const kept = ['sub', '-p', port, '-t', 'k/#', '-q', '1', '-i', 'keeper', '-c'];
    assert.equal((await runCommand([...kept, '-W', '1'])).code, 27);
    await runCommand(['pub', '-p', port, '-t', 'k/1', '-m', 'later', '-q', '1']);
    assert.deepEqual(await runCommand([...kept, '-C', '1', '-W', '10']), {
      code: 0,
      out: 'later\n',
      err: '',
    });
  });

  scenario('rr prints the response to its own request', async (scene) => {
    const port = await nodePort(scene);
    const none = ['rr', '-p', port, '-t', 'ask', '-m', '1', '-q', '1', '-W', '1'];
    assert.deepEqual(await runCommand(none), { code: 27, out: '', err: '' });
    const node = await scene.startLocal('n2');
    const client = await scene.client(node, { protocolVersion: 5 });
    const other = String(await node.process.mqttPort());
    client.mqtt.on('message', (_topic, payload, { properties = {} }) => {
      const { responseTopic = '', correlationData } = properties;
      client.mqtt.publish(responseTopic, 'wrong', {
        properties: { correlationData: Buffer.from('other') },
      });
      client.mqtt.publish(responseTopic, `${payload}!`, {
        properties: { ...(correlationData && { correlationData }) },
      });
    });
    await client.subscribe(['ask']);
    const { code, out } = await runCommand([
      'rr',
      '-p',
      other,
      '-t',
      'ask',
      '-m',
      'you',
      '-q',
      '1',
    ]);
    assert.deepEqual({ code, out }, { code: 0, out: 'you!\n' });
  });

  scenario('faults are sentences, and exit codes for scripts', async (scene) => {
    const acl = scene.file('acl', 'topic readwrite open/#\n');
    const port = await nodePort(scene, `-acl=${acl}`);
    for (const [args, code, line] of [
      [['pub', '-t', 'shut/x', '-m', '1', '-q', '1'], 1, /refused it: not authorized/],
      [['sub', '-t', 'shut/#'], 1, /refused the subscription to shut\/#: not authorized/],
      [['pub', '-t', 'a/#', '-m', '1'], 2, /bad value 'a\/#' for -t/],
      [['pub', '-t', 'a'], 2, /pub needs one of -m, -f, -l, -s and -n/],
      [['sub', '-t', 'a/#b'], 2, /bad value 'a\/#b' for a topic filter/],
      [['sub', '-t', 'a', '-c'], 2, /-c needs -i/],
    ] as const) {
      const result = await runCommand([args[0], '-p', port, ...args.slice(1)]);
      assert.equal(result.code, code, result.err);
      assert.match(result.err, line);
    }
    const wrongPort = await runCommand(['pub', '-p', '1', '-t', 'a', '-m', '1', '-h', '127.0.0.1']);
    assert.equal(wrongPort.code, 1);
    assert.match(wrongPort.err, /^shoal: tcp:\/\/127\.0\.0\.1:1: nothing listens on that port/);
  });

  scenario('sub ends when the broker does, and says so', async (scene) => {
    const node = await scene.startLocal('n1');
    const port = String(await node.process.mqttPort());
    const sub = startCommand(['sub', '-p', port, '-t', 'marker']);
    await subscribed(sub, '-p', port);
    await node.process.stop();
    const { code, err } = await sub.done;
    assert.equal(code, 1);
    assert.match(err, /the broker ended the connection: server shutting down/);
  });

  scenario('bench calls messages that a rate holds back no lost ones', async (scene) => {
    const node = await scene.startLocal('n1', '-client-message-rate=10');
    const port = await node.process.mqttPort();
    const load = ['-publishers', '1', '-subscribers', '1', '-rate', '1000', '-for', '60s'];
    const bench = startCommand(['bench', '-p', `${port}`, ...load]);
    await node.process.waitFor(/client slowed/);
    bench.signal('SIGINT');
    const { code, out } = await bench.done;
    assert.match(out, /^received .* [\d,]+ still on their way, none lost$/m);
    assert.equal(code, 0, out);
  });

  scenario(
    'bench measures a cluster: publishers at one node, subscribers at another',
    async (scene) => {
      const [n1, n2] = await scene.localCluster(2);
      assert.ok(n1 !== undefined && n2 !== undefined);
      const [from, to] = [await n1.process.mqttPort(), await n2.process.mqttPort()];
      const load = ['-rate', '200', '-for', '1s', '-publishers', '2', '-subscribers', '2'];
      const there = ['-sub-url', `mqtt://127.0.0.1:${to}`];
      const result = await runCommand(['bench', '-p', `${from}`, ...load, ...there, '-json']);
      const { sent, received, expected, latencyMs } = JSON.parse(result.out) as {
        sent: number;
        received: number;
        expected: number;
        latencyMs: { p50: number };
      };
      assert.ok(sent >= 100 && sent <= 210, result.out);
      assert.deepEqual([received, expected, result.code], [sent, sent, 0]);
      assert.ok(latencyMs.p50 > 0);
      const text = await runCommand(['bench', '-p', `${from}`, ...load, '-q', '1']);
      assert.match(
        text.out,
        /^connected 4 clients in .*\nsent +\d+ messages, .*\nreceived .* none lost\nlatency +p50 .* max .*\n$/,
      );
    },
  );
});

test('pub and sub work over TLS and WebSocket', { skip: noOpenssl() }, async (t) => {
  const authority = new TestAuthority(mkdtempSync(join(folder, 'ca-')));
  const { cert, key } = authority.issue('box', '/CN=box', 'DNS:localhost', 'IP:127.0.0.1');
  const flags = ['-nid=n1', '-bind=127.0.0.1', '-port=off', '-tls=0', '-ws=0', '-wss=0'];
  const node = new ShoalProcess([...flags, `-cert=${cert}`, `-key=${key}`]);
  t.after(() => node.kill());
  const trusted = ['--cafile', authority.ca];
  for (const [protocol, how] of [
    ['tls', trusted],
    ['tls', ['--tls', '--insecure']],
    ['ws', ['--ws']],
    ['wss', ['--ws', ...trusted]],
  ] as const) {
    const to = ['-h', '127.0.0.1', '-p', String(await node.mqttPort(protocol)), ...how];
    await runCommand(['pub', ...to, '-t', 'kept', '-m', `by ${protocol}`, '-r', '-q', '1']);
    const { out, err } = await runCommand(['sub', ...to, '-t', 'kept', '-C', '1', '-W', '10']);
    assert.equal(out, `by ${protocol}\n`, err);
  }
  const port = String(await node.mqttPort('tls'));
  const stranger = await runCommand(['pub', '-p', port, '--tls', '-t', 'a', '-m', '1']);
  assert.equal(stranger.code, 1);
  assert.match(stranger.err, /^shoal: tls:\/\/localhost:\d+: .*certificate/);
});

const noMosquitto = spawnSync('mosquitto', ['-h']).error && 'needs mosquitto';

test('pub and sub understand mosquitto, and mosquitto understands them', {
  skip: noMosquitto ?? false,
}, async (t) => {
  const node = new ShoalProcess(['-nid=n1', '-bind=127.0.0.1', '-port=0']);
  t.after(() => node.kill());
  const port = String(await node.mqttPort());
  const said = ['-p', port, '-t', 'kept', '-m', 'from shoal', '-r', '-q', '1'];
  assert.equal((await runCommand(['pub', ...said])).code, 0);
  const heard = ['-p', port, '-t', 'kept', '-C', '1', '-W', '10', '-F', '%t %p %q %r %l'];
  const theirs = execFileSync('mosquitto_sub', heard, { encoding: 'utf8' });
  assert.equal((await runCommand(['sub', ...heard])).out, theirs);
  const file = join(folder, 'lines');
  writeFileSync(file, 'x');
  execFileSync('mosquitto_pub', ['-p', port, '-t', 'kept', '-f', file, '-r', '-q', '2']);
  assert.equal((await runCommand(['sub', ...heard])).out, 'kept x 0 1 1\n');
});
