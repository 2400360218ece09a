// The commands that ask a running node over its control socket: the bundle, with three real nodes.

import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { describe } from 'node:test';
import { freePorts } from '../support/free-ports.ts';
import { runCommand, startCommand } from '../support/run-command.ts';
import { allSeeEachOther, type Node, type Scenario, scenario } from './support/scenario.ts';

/** Nodes of one cluster, each with its control socket in the scenario's folder. */
async function cluster(
  scene: Scenario,
  count: number,
): Promise<{ nodes: Node[]; control: string }> {
  const folder = dirname(scene.file('unused', ''));
  const socket = (number: number): string => `-control=${folder}/n${number}.sock`;
  const first = await scene.startLocal('n1', '-http=off', socket(1));
  const seed = `-mbs=${await first.process.gossipAddress()}`;
  const others = Array.from({ length: count - 1 }, (_, index) =>
    scene.startLocal(`n${index + 2}`, seed, '-http=off', socket(index + 2)),
  );
  const nodes = [first, ...(await Promise.all(others))];
  await allSeeEachOther(nodes);
  return { nodes, control: socket(1) };
}

describe('commands over the control socket', { concurrency: 2 }, () => {
  scenario('status follows a box that goes and returns, in words and exit codes', async (scene) => {
    const { nodes, control } = await cluster(scene, 3);
    const [, , n3] = nodes;
    assert.ok(n3 !== undefined);
    await scene.client(n3);
    const well = await runCommand(['status', control, '-wait=all']);
    assert.equal(well.code, 0, well.err);
    assert.match(well.out, /^All well: 3 boxes online, \d devices?, .*\n\nNODE +ADDRESS/);
    assert.match(well.out, /^n1 \* +127\.0\.0\.1:\d+ +online/m);
    assert.equal(well.out.match(/ online /g)?.length, 3);

    await n3.process.kill();
    const gone = startCommand(['status', '-watch', control]);
    await gone.prints(/^n3 has been gone for \d+ s\.$/m);
    await gone.prints(/^ +mend: shoal doctor .* shoal forget n3$/m);
    gone.signal('SIGINT');
    assert.equal((await gone.done).code, 1);
    const { code, out } = await runCommand(['status', control, '-json']);
    assert.equal(code, 1);
    const site = JSON.parse(out) as { verdict: { level: string }; nodes: { state: string }[] };
    assert.equal(site.verdict.level, 'fault');
    assert.deepEqual(site.nodes.map(({ state }) => state).sort(), ['alive', 'alive', 'offline']);

    const waited = await runCommand(['status', control, '-wait=3', '-timeout=300ms']);
    assert.equal(waited.code, 1);
    assert.match(waited.err, /^shoal: \d of 3 boxes (is|are) online after 300ms\n$/);
    const two = await runCommand(['status', control, '-wait=2', '-timeout=10s']);
    assert.equal(two.code, 0);
  });

  scenario('dashboard prints an address that a phone reaches, also as a QR code', async (scene) => {
    const { control } = await cluster(scene, 1);
    const off = await runCommand(['dashboard', '-qr', control]);
    assert.equal(off.code, 2);
    assert.equal(
      off.err,
      'shoal: this node runs with -http=off; start it with -http=127.0.0.1:8080\n',
    );
    const socket = join(scene.folder, 'phone.sock');
    const [port] = await freePorts(1);
    const phone = await scene.startLocal('phone', `-http=0.0.0.0:${port}`, `-control=${socket}`);
    const { out, err, code } = await runCommand(['dashboard', '-qr', `-control=${socket}`]);
    assert.equal(code, 0, err);
    const [url = '', ...lines] = out.trimEnd().split('\n');
    assert.ok(lines.length > 15 && lines.every((line) => /^[ ▀▄█]+$/.test(line)), out);
    const [address = '', token = ''] = url.split('#token=');
    assert.notEqual(new URL(address).hostname, '0.0.0.0');
    const headers = { authorization: `Bearer ${token}` };
    const nodes = await fetch(`${address}api/v1/nodes`, { headers });
    assert.equal(nodes.status, 200);
    await phone.process.kill();
    const closed = await runCommand(['dashboard', `-control=${socket}`]);
    assert.equal(closed.code, 2);
  });

  scenario('health speaks to Nagios, Prometheus and Docker', async (scene) => {
    const { nodes, control } = await cluster(scene, 2);
    await runCommand(['status', control, '-wait=all']);
    const nagios = await runCommand(['health', control, '-format=nagios']);
    assert.equal(nagios.code, 0, nagios.err);
    assert.match(nagios.out, /^SHOAL OK: All well: 2 boxes online, .* \| boxes=2 devices=\d+ /);
    await nodes[1]?.process.kill();
    await nodes[0]?.sees('offline', 'n2');
    const flags = ['check-health', control, '-peers-crit', '1'];
    const critical = await runCommand([...flags, '-format', 'nagios']);
    assert.equal(critical.code, 2);
    assert.match(
      critical.out,
      /^SHOAL CRITICAL: 0 other boxes are online, fewer than 1; no other box/,
    );
    assert.equal((await runCommand(flags)).code, 1);
    // A box that misses another one serves its own clients: Docker must not restart it.
    assert.equal((await runCommand(['health', control])).code, 0);
    const metrics = await runCommand([...flags, '-format=prometheus']);
    assert.match(metrics.out, /^shoal_check_status 2\n/m);
    await nodes[0]?.process.kill();
    const unknown = await runCommand([...flags, '-format=nagios']);
    assert.equal(unknown.code, 3);
    assert.match(unknown.out, /^SHOAL UNKNOWN: .*n1\.sock: the node that had it has ended/);
  });

  scenario('clients of every box are listed, shown, disconnected and forgotten', async (scene) => {
    const { nodes, control } = await cluster(scene, 3);
    const [, n2, n3] = nodes;
    assert.ok(n2 !== undefined && n3 !== undefined);
    const kept = { clean: false, properties: { sessionExpiryInterval: 600 } };
    const thermo = await scene.client(n2, { clientId: 'thermo7', ...kept });
    await thermo.subscribe(['home/#']);
    await scene.client(n3, { clientId: 'dash' });
    const list = await runCommand(['clients', control]);
    assert.match(list.out, /^dash +n3 .*\nthermo7 +n2 /m);
    const like = await runCommand(['clients', control, '-like', 'THERMO', '-json']);
    const [found] = JSON.parse(like.out) as { id: string; node: string }[];
    assert.deepEqual([found?.id, found?.node], ['thermo7', 'n2']);
    const one = await runCommand(['client', control, 'thermo7']);
    assert.match(one.out, /^thermo7 {2}connected to n2 .*\n(.*\n)*.*home\/# {2}QoS \d\n$/);

    assert.equal(
      (await runCommand(['kick', control, 'thermo7'])).out,
      'thermo7 disconnected from n2\n',
    );
    const after = await runCommand(['clients', control]);
    assert.match(after.out, /^thermo7 +n2 +- +not connected /m);
    const forgotten = await runCommand(['forget', control, '-session', 'thermo7']);
    assert.equal(forgotten.code, 0, forgotten.err);
    const gone = await runCommand(['client', control, 'thermo7']);
    assert.deepEqual(
      [gone.code, gone.err],
      [1, "shoal: There is no session of a client 'thermo7'.\n"],
    );
  });

  scenario('retained messages are listed, shown, and removed on all boxes', async (scene) => {
    const { nodes, control } = await cluster(scene, 2);
    const [n1, n2] = nodes;
    assert.ok(n1 !== undefined && n2 !== undefined);
    const client = await scene.client(n1);
    for (const topic of ['home/a', 'home/b', 'other']) {
      await client.mqtt.publishAsync(topic, `value of ${topic}`, { qos: 1, retain: true });
    }
    const list = await runCommand(['retained', 'ls', 'home/+', control]);
    assert.match(list.out, /^home\/a +1 +15 B +- +value of home\/a\nhome\/b /m);
    assert.doesNotMatch(list.out, /other/);
    const got = await runCommand(['retained', 'get', 'other', control]);
    assert.deepEqual([got.code, got.out], [0, 'value of other\n']);
    const asked = await runCommand(['retained', 'rm', 'home/#', control]);
    assert.equal(asked.code, 2);
    assert.match(asked.err, /home\/# matches 2 retained messages; -yes removes them on all boxes/);
    const removed = await runCommand(['retained', 'rm', 'home/#', '-yes', control]);
    assert.deepEqual([removed.code, removed.out], [0, '2 retained messages removed\n']);
    // A new subscription at the other box shows what is left there.
    const port = String(await n2.process.mqttPort());
    const left = await runCommand(['sub', '-p', port, '-t', '#', '-v', '-W', '1']);
    assert.equal(left.out, 'other value of other\n');
  });

  scenario(
    'watch and trace show what happens on every box, until they are stopped',
    async (scene) => {
      const { nodes, control } = await cluster(scene, 3);
      const [, n2, n3] = nodes;
      assert.ok(n2 !== undefined && n3 !== undefined);
      const watch = startCommand(['watch', control, '-past=50']);
      await watch.prints(/^\d\d:\d\d:\d\d {2}n[23] +n1 is online: /m);
      const client = await scene.client(n2, { clientId: 'thermo7' });
      await watch.prints(/ n2 +thermo7 connected from 127\.0\.0\.1, MQTT 5\.0$/m);
      const listener = await scene.client(n3, { clientId: 'dash' });
      await listener.subscribe(['home/#']);
      const seen: readonly (readonly [string, readonly RegExp[]])[] = [
        [
          '-topic=home/#',
          [
            /^[\d:.]+ {2}n2 +<- thermo7 +PUBLISH +q1 #\d+ home\/t7 4 B "21\.4"$/m,
            /^[\d:.]+ {2}n3 +-> dash +PUBLISH +q\d .*home\/t7 4 B "21\.4"$/m,
          ],
        ],
        ['thermo7', [/^[\d:.]+ {2}n2 +-> thermo7 +PUBACK +#\d+/m]],
      ];
      // Connections are found one after the other: messages are sent until each has been shown.
      const publishing = setInterval(() => client.mqtt.publish('home/t7', '21.4', { qos: 1 }), 50);
      try {
        // A connection is in one trace at a time.
        for (const [what, patterns] of seen) {
          const trace = startCommand(['trace', control, what, '-for=30s']);
          await Promise.all(patterns.map((pattern) => trace.prints(pattern)));
          trace.signal('SIGINT');
          assert.equal((await trace.done).code, 0);
        }
      } finally {
        clearInterval(publishing);
      }
      await n3.process.kill();
      await watch.prints(/^\(no more events of n3 until it is back\)$/m);
      const seed = `-mbs=${await n2.process.gossipAddress()}`;
      const returned = await scene.startLocal('n3', seed);
      await scene.client(returned, { clientId: 'dash-again' });
      await watch.prints(/ n3 +dash-again connected from 127\.0\.0\.1/m);
      watch.signal('SIGINT');
      assert.equal((await watch.done).code, 0);
      // The figures of another box come some seconds later.
      const status = startCommand(['status', '-watch', control]);
      await status.prints(/^n2 .* 1 +[\d.]+ +\d+ % /m);
      status.signal('SIGINT');
      const top = await runCommand(['top', control]);
      assert.match(top.out, /^n2 +online +1 +1 /m);
      const short = await runCommand(['trace', control, 'nothing', '-for', '1s']);
      assert.equal(short.out, '(no packet came; shoal clients lists who is connected)\n');
      assert.equal(short.code, 0);
    },
  );

  scenario(
    'a box that will not return is forgotten on all boxes, and one leaves at once',
    async (scene) => {
      const { nodes, control } = await cluster(scene, 4);
      const [, n2, n3, n4] = nodes;
      assert.ok(n2 !== undefined && n3 !== undefined && n4 !== undefined);
      const online = await runCommand(['forget', 'n3', control]);
      assert.deepEqual(
        [online.code, online.err],
        [1, 'shoal: n3 is online: end it there first (shoal leave); then it counts as left.\n'],
      );
      await n3.process.kill();
      await nodes[0]?.sees('offline', n3);
      const forgotten = await runCommand(['forget', 'n3', control]);
      assert.deepEqual([forgotten.code, forgotten.out], [0, 'n3 is forgotten on all boxes\n']);
      await n2.sees('left', n3);
      assert.equal((await runCommand(['status', control, '-wait=all', '-timeout=10s'])).code, 0);
      const unknown = await runCommand(['forget', 'n9', control]);
      assert.equal(unknown.code, 1);

      const folder = control.slice('-control='.length).replace(/n1\.sock$/, '');
      const left = await runCommand(['leave', `-control=${folder}n4.sock`]);
      assert.equal(left.code, 0, left.err);
      assert.equal((await n4.process.exited).code, 0);
      await n2.sees('left', n4);
    },
  );

  scenario('without a node a command says where it looked', async (scene) => {
    const folder = dirname(scene.file('unused', ''));
    const none = await runCommand(['status', `-control=${folder}/none.sock`]);
    assert.equal(none.code, 2);
    assert.equal(none.err, `shoal: ${folder}/none.sock: no node runs here\n`);
    const late = runCommand(['status', `-control=${folder}/n1.sock`, '-wait=1']);
    await scene.startLocal('n1', '-http=off', `-control=${folder}/n1.sock`);
    assert.equal((await late).code, 0);
  });
});
