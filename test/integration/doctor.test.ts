// `shoal doctor` in networks of namespaces: each fault is produced, found by its name, and, where a command
// mends it, mended by the very line that the doctor prints.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { SiteView } from '../../src/cli/views/status-view.ts';
import type { PingReport } from '../../src/net/cluster/ping.ts';
import { readMachineMark } from '../../src/net/machine-mark.ts';
import { BUNDLE, NODE } from '../support/shoal-process.ts';
import {
  askOn,
  doctorOn,
  findingOf,
  flagsOf,
  foundAbout,
  mend,
  NO_SOCKET,
  ONE,
  oneNode,
  THREE,
  TOKEN,
  TWO,
  twoNodes,
} from './support/doctor.ts';
import { allSeeEachOther, networkScenario } from './support/scenario.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
describe('doctor without a node', { concurrency: 2 }, () => {
  networkScenario(
    'tcp 7947 of -roaming, and a node that has not the option',
    ['nft'],
    async (scene) => {
      const network = await oneNode(scene, '-roaming');
      const flags = flagsOf('box2', `-mbs=${ONE}`, '-roaming');
      assert.deepEqual(foundAbout(await doctorOn(network, 'box2', ...flags), ONE), ['ok', 'ok']);
      network.blockPort('box1', 'in', 7947, 'tcp');
      const blocked = findingOf(await doctorOn(network, 'box2', ...flags), 'blocked');
      assert.match(blocked.text, /we do not reach it on tcp 7947 \(no answer\): blocked there/);
      const without = flagsOf('box3', `-mbs=${ONE}`);
      assert.deepEqual(foundAbout(await doctorOn(network, 'box3', ...without), ONE), ['ok']);
    },
  );

  networkScenario(
    'a box that is well, one without a node, and one that is not there',
    ['nft'],
    async (scene) => {
      const network = await oneNode(scene);
      const report = await doctorOn(
        network,
        'box2',
        ...flagsOf('box2', `-mbs=${ONE},${THREE},192.168.1.199`),
      );
      assert.equal(report.isUp, false);
      assert.deepEqual(foundAbout(report, `${ONE} (box1)`), ['ok']);
      assert.deepEqual(foundAbout(report, THREE), ['bad nothing-listens']);
      assert.deepEqual(foundAbout(report, '192.168.1.199'), ['bad host-unreachable']);
    },
  );

  for (const port of [7946, 7947]) {
    networkScenario(
      `udp ${port} blocked in either direction, on either box`,
      ['nft'],
      async (scene) => {
        const network = await oneNode(scene);
        const flags = flagsOf('box2', `-mbs=${ONE}`);
        network.blockPort('box2', 'in', port);
        const here = findingOf(await doctorOn(network, 'box2', ...flags), 'blocked');
        assert.match(
          here.text,
          new RegExp(`box1.*we reach it, it does not reach us on udp ${port}: blocked here`),
        );
        await mend(network, 'box2', here);
        assert.deepEqual(foundAbout(await doctorOn(network, 'box2', ...flags), ONE), ['ok']);
        network.heal('box2');
        network.blockPort('box1', 'in', port);
        const there = findingOf(await doctorOn(network, 'box2', ...flags), 'blocked');
        assert.match(
          there.text,
          new RegExp(`it reaches us, we do not reach it on udp ${port}: blocked there`),
        );
        assert.equal(there.mend?.where, 'on box1');
        network.heal('box1');
        network.blockPort('box2', 'out', port);
        const refused = findingOf(await doctorOn(network, 'box2', ...flags), 'send-refused');
        assert.match(refused.text, new RegExp(`this box refuses to send to udp ${port}`));
        await mend(network, 'box2', refused);
        assert.deepEqual(foundAbout(await doctorOn(network, 'box2', ...flags), ONE), ['ok']);
      },
    );
  }

  networkScenario('all incoming datagrams blocked, here and there', ['nft'], async (scene) => {
    const network = await oneNode(scene);
    const flags = flagsOf('box2', `-mbs=${ONE}`);
    for (const port of [7946, 7947]) network.blockPort('box2', 'in', port);
    const here = findingOf(await doctorOn(network, 'box2', ...flags), 'blocked');
    assert.match(here.text, /it does not reach us on udp 7946 and 7947: blocked here/);
    await mend(network, 'box2', here);
    assert.deepEqual(foundAbout(await doctorOn(network, 'box2', ...flags), ONE), ['ok']);
    network.heal('box2');
    for (const port of [7946, 7947]) network.blockPort('box1', 'in', port);
    const there = findingOf(await doctorOn(network, 'box2', ...flags), 'blocked');
    assert.match(there.text, /we hear it, it does not hear us: udp 7946 and 7947 blocked there/);
  });

  networkScenario(
    'another token, cluster name, -encrypt, a copied disk, and a name in use',
    [],
    async (scene) => {
      const network = await oneNode(scene);
      const seed = `-mbs=${ONE}`;
      const report = (...flags: string[]) => doctorOn(network, 'box2', ...flags, seed);
      const [token, cluster, encrypt, copy] = [
        await report('-nid=box2', '-csk=0b1c9d7e6f5a4b3c2d1e0f9a8b7c6d5e'),
        await report(...flagsOf('box2', '-cluster=plant')),
        await report(...flagsOf('box2', '-encrypt')),
        await report(...flagsOf('box1')),
      ];
      network.setMachineId('box2', 'c'.repeat(32));
      const name = await report(...flagsOf('box1'));
      assert.deepEqual(foundAbout(token, ONE), ['bad wrong-token']);
      assert.deepEqual(foundAbout(cluster, ONE), ['bad other-cluster']);
      assert.match(findingOf(cluster, 'other-cluster').text, /it belongs to the cluster shoal/);
      assert.deepEqual(foundAbout(encrypt, ONE), ['bad other-encrypt']);
      // The namespaces share the machine id, as a disk and its copy do.
      const hasMachineId = readMachineMark() !== undefined;
      assert.deepEqual(foundAbout(copy, ONE), [
        `bad ${hasMachineId ? 'copied-disk' : 'name-in-use'}`,
      ]);
      assert.deepEqual(foundAbout(name, ONE), ['bad name-in-use']);
    },
  );

  networkScenario('a wrong -advertise and a small MTU', ['nft'], async (scene) => {
    const network = await oneNode(scene);
    const flags = flagsOf('box2', `-mbs=${ONE}`);
    const advertise = await doctorOn(network, 'box2', ...flags, '-advertise=192.168.1.77');
    assert.deepEqual(foundAbout(advertise, ONE), ['bad wrong-advertise']);
    assert.deepEqual(findingOf(advertise, 'wrong-advertise').mend?.lines, [
      `-advertise=${TWO}, or leave it out`,
    ]);
    network.dropLarger('box2', 1300);
    const mtu = findingOf(await doctorOn(network, 'box2', ...flags), 'path-mtu');
    assert.match(mtu.text, /datagrams of 1400 bytes do not pass, those of 1200 do/);
  });

  networkScenario(
    'an older version, and another program that sends to the port',
    [],
    async (scene) => {
      const network = await scene.network({ box1: [ONE], box2: [TWO], box3: [THREE] });
      const older = readFileSync(BUNDLE, 'utf8').replaceAll(`"${version}"`, '"0.0.1"');
      const flags = flagsOf('box1', '-port=1883', `-control=${join(scene.folder, 'old.sock')}`);
      const old = [NODE, scene.file('old.js', older), ...flags, '-http=off'];
      await scene.run(old, network.via('box1')).waitFor(/cluster on udp/);
      scene.file('junk.js', junkTo(TWO, 7946));
      const junk = scene.run([NODE, join(scene.folder, 'junk.js')], network.via('box3'));
      await junk.waitFor(/sending/);
      // The junk is seen while the doctor waits for a box that is silent.
      const seeds = `-mbs=${ONE},192.168.1.199`;
      const report = await doctorOn(network, 'box2', ...flagsOf('box2', seeds));
      assert.deepEqual(foundAbout(report, `${ONE} (box1)`), ['ok', 'warn old-version']);
      assert.match(
        findingOf(report, 'other-program').text,
        new RegExp(`another program at ${THREE}`),
      );
    },
  );

  networkScenario(
    'mosquitto has the MQTT port, or a port beside it',
    ['mosquitto'],
    async (scene) => {
      const network = await scene.network({ box2: [TWO] });
      const mosquitto = scene.run(['mosquitto', '-p', '1883'], network.via('box2'));
      await mosquitto.waitFor(/running/);
      const taken = findingOf(await doctorOn(network, 'box2', '-nid=box2'), 'port-taken');
      assert.match(
        taken.text,
        /^mosquitto \(pid \d+\), mosquitto, another MQTT broker, has TCP 1883/,
      );
      assert.equal(taken.mend?.lines[0], 'systemctl disable --now mosquitto');
      const beside = findingOf(
        await doctorOn(network, 'box2', '-nid=box2', '-port=2883'),
        'other-broker',
      );
      assert.match(beside.text, /clients without a port find it/);
    },
  );
});

/** A program that sends datagrams which are not Shoal's. */
function junkTo(address: string, port: number): string {
  return `const socket = require('node:dgram').createSocket('udp4');
    setInterval(() => socket.send('x'.repeat(100), ${port}, '${address}'), 50);
    console.log('sending');`;
}

describe('doctor with a node', { concurrency: 2 }, () => {
  networkScenario('tcp 7947 of -large blocked, here and there', ['nft'], async (scene) => {
    const network = await scene.network({ box1: [ONE], box2: [TWO] });
    network.blockPort('box2', 'in', 7947, 'tcp');
    const { ask, control } = await twoNodes(scene, network, '-large=1M');
    const here = findingOf(await ask(), 'blocked');
    assert.match(here.text, /box1.*it opens no connection to us on tcp 7947: blocked here/);
    const status = () => askOn<SiteView>(network, 'box2', 'status', control);
    while ((await status()).verdict.level === 'well') await delay(500);
    const [fault] = (await status()).verdict.faults;
    assert.match(fault?.text ?? '', /^box1 does not connect to box2 on TCP 7947/);
    await mend(network, 'box2', here);
    while ((await status()).verdict.level !== 'well') await delay(500);
    assert.deepEqual(foundAbout(await ask(), ONE), ['ok', 'ok']);
    network.heal('box2');
    network.blockPort('box1', 'in', 7947, 'tcp');
    const there = findingOf(await ask(), 'blocked');
    assert.match(there.text, /we do not reach it on tcp 7947 \(no answer\): blocked there/);
    assert.match(
      there.mend?.lines[0] ?? '',
      /^ufw allow from 192.168.1.0\/24 to any port 7947 proto tcp/,
    );
  });

  networkScenario('a third box names the dead link between two others', ['nft'], async (scene) => {
    const network = await scene.network({ box1: [ONE], box2: [TWO], box3: [THREE] });
    const control = `-control=${join(scene.folder, 'box3.sock')}`;
    const { one, two } = await twoNodes(scene, network);
    const three = scene.startOn('box3', 'box3', flagsOf('box3', `-mbs=${ONE}`, control));
    await allSeeEachOther([one, two, three]);
    const status = () => askOn<SiteView>(network, 'box3', 'status', control);
    network.blockFrom('box2', ONE, 7947);
    while ((await status()).verdict.level === 'well') await delay(500);
    const [fault] = (await status()).verdict.faults;
    assert.match(fault?.text ?? '', /^box2 does not hear box1, .* UDP 7947 is blocked on box2$/);
    network.heal('box2');
    while ((await status()).verdict.level !== 'well') await delay(500);
  });

  networkScenario(
    '-bundle writes what a bug report needs, without the token',
    [],
    async (scene) => {
      const network = await scene.network({ box1: [ONE], box2: [TWO] });
      // Every place that can hold a secret: the token, a bridge, a URL, a key.
      const secrets = [TOKEN.slice('-csk='.length), 'BridgePass', 'UrlKey', 'JwtSecret'];
      const config = scene.file(
        'shoal.toml',
        `auth-http = "http://127.0.0.1:9/check?key=UrlKey"
auth-jwt-key = "${scene.file('jwt.key', 'JwtSecret'.repeat(5))}"
[[bridge]]
name = "hq"
address = "mqtt://127.0.0.1:9"
client-id = "site7"
username = "site7"
password = "BridgePass"
topics = ["up/# out 1"]
`,
      );
      const { control } = await twoNodes(scene, network, `-config=${config}`);
      const [ip = '', ...via] = network.via('box2');
      const options = { cwd: scene.folder, encoding: 'utf8', stdio: 'pipe' } as const;
      const bundle = (...flags: string[]): string => {
        rmSync(join(scene.folder, 'shoal-doctor.tgz'), { force: true });
        // Faults make its exit code 1.
        spawnSync(ip, [...via, NODE, BUNDLE, 'doctor', '-bundle', ...flags], options);
        return execFileSync('tar', ['xzOf', 'shoal-doctor.tgz'], options);
      };
      const down = bundle(NO_SOCKET, TOKEN, '-nid=box3', `-config=${config}`);
      assert.match(down, /bridge/);
      for (const secret of secrets) assert.ok(!down.includes(secret), `${secret} is in the bundle`);
      const texts = bundle(control);
      const names = execFileSync('tar', ['tzf', 'shoal-doctor.tgz'], options).trim().split('\n');
      for (const name of [
        'doctor.txt',
        'doctor.json',
        'configuration.txt',
        'versions.txt',
        'metrics.txt',
      ]) {
        assert.ok(names.includes(name), `${name} is not among ${names}`);
      }
      assert.match(texts, /shoal_/);
      assert.match(texts, /192\.168\.1\.100 \(box1\)/);
      assert.match(texts, /http:\/\/127\.0\.0\.1:9\/check/);
      for (const secret of secrets)
        assert.ok(!texts.includes(secret), `${secret} is in the bundle`);
    },
  );

  networkScenario(
    'the node itself finds a blocked port, and its line mends it',
    ['nft'],
    async (scene) => {
      const network = await scene.network({ box1: [ONE], box2: [TWO] });
      const { ask } = await twoNodes(scene, network);
      const well = await ask();
      assert.equal(well.isUp, true);
      assert.deepEqual(foundAbout(well, `${ONE} (box1)`), ['ok']);
      network.blockPort('box2', 'in', 7947);
      const here = findingOf(await ask(), 'blocked');
      assert.match(here.text, /we reach it, it does not reach us on udp 7947: blocked here/);
      await mend(network, 'box2', here);
      assert.deepEqual(foundAbout(await ask(), ONE), ['ok']);
      network.heal('box2');
      for (const port of [7946, 7947]) network.blockPort('box1', 'in', port);
      const there = findingOf(await ask(), 'blocked');
      assert.match(there.text, /it does not hear us: udp 7946 and 7947 blocked there/);
    },
  );

  networkScenario(
    'ping shows both ports, sizes and a blocked direction',
    ['nft'],
    async (scene) => {
      const network = await scene.network({ box1: [ONE], box2: [TWO] });
      const { control } = await twoNodes(scene, network);
      const ping = () => askOn<PingReport>(network, 'box2', 'ping', 'box1', control);
      const well = await ping();
      assert.equal(well.ports.gossip.answered, 5);
      assert.equal(well.ports.sync.answered, 5);
      assert.deepEqual(
        well.sizes.map(({ bytes, passes }) => [bytes, passes]),
        [
          [1400, true],
          [4096, true],
        ],
      );
      assert.ok(Math.abs(well.clockAheadMs ?? Number.NaN) < 1000);
      network.blockPort('box1', 'in', 7947);
      const blocked = await ping();
      assert.equal(blocked.ports.sync.answered, 0);
      assert.deepEqual(blocked.ways.sync, { out: 'blocked', in: 'ok' });
      assert.equal(blocked.ports.gossip.answered, 5);
    },
  );
});
