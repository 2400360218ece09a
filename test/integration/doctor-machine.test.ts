// `shoal doctor` on one box of a network of namespaces: what is wrong with the box itself, produced for real,
// and mended by the line that it prints where a command mends it.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { faults } from '../../src/doctor/faults.ts';
import type { DoctorReport } from '../../src/doctor/finding.ts';
import { TestAuthority } from '../support/certificates.ts';
import { BUNDLE, NODE } from '../support/shoal-process.ts';
import {
  doctorOn,
  findingOf,
  flagsOf,
  foundAbout,
  mend,
  NO_SOCKET,
  ONE,
  oneNode,
  THREE,
  TWO,
} from './support/doctor.ts';
import { networkScenario, type Scenario } from './support/scenario.ts';

/** The doctor of box2 as another program starts it. */
async function startedBy(scene: Scenario, ...line: string[]): Promise<DoctorReport> {
  const network = await scene.network({ box2: [TWO] });
  const run = scene.run(
    [...line, NODE, BUNDLE, 'doctor', '-json', NO_SOCKET, '-nid=box2'],
    network.via('box2'),
  );
  await run.waitFor(/^\{.*\}$/m);
  return JSON.parse(/^\{.*\}$/m.exec(run.output)?.[0] ?? '') as DoctorReport;
}

describe('doctor on faults of the machine', { concurrency: 2 }, () => {
  networkScenario('IPv6 that is off, and mended', [], async (scene) => {
    const network = await scene.network({ box2: [TWO] });
    const off = 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1';
    await scene.run(['sh', '-c', off], network.via('box2')).exited;
    const unneeded = await doctorOn(network, 'box2', ...flagsOf('box2'));
    assert.equal(
      unneeded.findings.find(({ fault }) => fault === 'ipv6'),
      undefined,
    );
    const flags = flagsOf('box2', '-bind=::1');
    const missing = findingOf(await doctorOn(network, 'box2', ...flags), 'ipv6');
    assert.match(missing.text, /no IPv6, but the configuration has ::1/);
    await mend(network, 'box2', missing);
    const mended = await doctorOn(network, 'box2', ...flags);
    assert.equal(
      mended.findings.find(({ fault }) => fault === 'ipv6'),
      undefined,
    );
  });

  networkScenario('a slow disk', ['strace'], async (scene) => {
    const delay = '--inject=fdatasync:delay_enter=80000';
    const data = join(scene.folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    const network = await scene.network({ box2: [TWO] });
    const doctor = [NODE, BUNDLE, 'doctor', '-json', NO_SOCKET, '-nid=box2', `-data=${data}`];
    const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '--trace=fdatasync', delay];
    const run = scene.run([...strace, ...doctor], network.via('box2'));
    await run.waitFor(/^\{.*\}$/m);
    const report = JSON.parse(/^\{.*\}$/m.exec(run.output)?.[0] ?? '') as DoctorReport;
    assert.match(findingOf(report, 'disk-slow').text, /is slow: fsync p99 \d+ ms/);
  });

  networkScenario('a disk that is full, and a folder of another release', [], async (scene) => {
    const data = join(scene.folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    const mount = `mount -t tmpfs -o size=256k,mode=700 none ${data}; exec "$@" -data=${data}`;
    const report = await startedBy(scene, 'unshare', '-m', 'sh', '-c', mount, 'sh');
    assert.match(findingOf(report, 'disk-full').text, /has 0 MB of 0 MB free/);
  });

  networkScenario('too few descriptors', [], async (scene) => {
    const report = await startedBy(scene, 'sh', '-c', 'ulimit -n 1024; exec "$@"', 'sh');
    const { text, mend: cure } = findingOf(report, 'descriptors');
    assert.match(text, /^the limit of 1024 open files leaves \d+ connections of the 50000/);
    assert.match(cure?.lines[0] ?? '', /^LimitNOFILE=51024 .*ulimit -n 51024$/);
  });

  networkScenario('a weak token in a file that all may read', [], async (scene) => {
    const network = await scene.network({ box2: [TWO] });
    const token = scene.file('token', '12345678\n');
    chmodSync(token, 0o644);
    const doctor = () => doctorOn(network, 'box2', '-nid=box2', `-csk-file=${token}`);
    const report = await doctor();
    assert.match(findingOf(report, 'weak-token').text, /about \d+ bits of \d+; key [\da-f]{8}$/);
    const exposed = findingOf(report, 'exposed-file');
    assert.match(exposed.text, /token/);
    await mend(network, 'box2', exposed);
    const mended = await doctor();
    assert.equal(
      mended.findings.find(({ fault }) => fault === 'exposed-file'),
      undefined,
    );
  });

  networkScenario(
    'a certificate that has ended, and one that is none',
    ['openssl'],
    async (scene) => {
      const network = await scene.network({ box2: [TWO] });
      const { cert, key } = new TestAuthority(scene.folder).issueEnded('box2', '/CN=box2');
      const flags = ['-nid=box2', '-tls=8883', `-cert=${cert}`, `-key=${key}`];
      const ended = findingOf(await doctorOn(network, 'box2', ...flags), 'certificate');
      assert.equal(ended.level, 'bad');
      assert.match(ended.text, /box2\.pem: expired/);
      scene.file('box2.pem', 'no certificate\n');
      const broken = findingOf(await doctorOn(network, 'box2', ...flags), 'certificate');
      assert.equal(broken.level, 'bad');
    },
  );

  networkScenario('a seed without an address, and a box that is silent', ['nft'], async (scene) => {
    const network = await oneNode(scene, '-crp=17946', '-csp=17947');
    network.blockPort('box1', 'in', 17946);
    network.heal('box1');
    const unknown = await doctorOn(network, 'box3', ...flagsOf('box3', '-mbs=no-such-box.invalid'));
    assert.match(findingOf(unknown, 'seed-unresolved').text, /no-such-box\.invalid of -mbs has no/);
    // box1 knows box2 only, and sends nothing to box3; its firewall drops what comes from there.
    network.cut('box1', ['box3']);
    const silent = await doctorOn(network, 'box3', ...flagsOf('box3', `-mbs=${ONE}:17946`));
    assert.deepEqual(foundAbout(silent, ONE), ['bad no-answer']);
  });

  networkScenario('forged datagrams', [], async (scene) => {
    const network = await scene.network({ box2: [TWO], box3: [THREE] });
    const forger = `const socket = require('node:dgram').createSocket('udp4');
      const real = Buffer.from(process.argv[2], 'hex');
      setInterval(() => socket.send(real, 7946, '${TWO}'), 50);
      console.log('sending');`;
    const script = scene.file('forger.js', forger);
    // The key number of the token is no secret; the proof is wrong.
    const own = await doctorOn(network, 'box2', ...flagsOf('box2'));
    const key = /key ([\da-f]{8})/.exec(own.findings.map(({ text }) => text).join('\n'))?.[1];
    const datagram = `53480100${key}${'a1'.repeat(8)}0000000000000001${'00'.repeat(40)}`;
    const forging = scene.run([NODE, script, datagram], network.via('box3'));
    await forging.waitFor(/sending/);
    const report = await doctorOn(network, 'box2', ...flagsOf('box2', '-mbs=192.168.1.199'));
    assert.match(findingOf(report, 'damaged-datagrams').text, new RegExp(THREE));
  });

  networkScenario('a configuration that is not what was meant', [], async (scene) => {
    const network = await scene.network({ box2: [TWO] });
    const flags = flagsOf('box2', '-bind=127.0.0.1', `-mbs=${ONE}`);
    const { text } = findingOf(await doctorOn(network, 'box2', ...flags), 'configuration');
    assert.match(text, /^-bind=127\.0\.0\.1 is reachable from this machine only/);
  });

  test('every fault of the list is produced by a test', () => {
    const folders = ['test/integration', 'test/unit/doctor'];
    const files = folders.flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => readFileSync(join(folder, name), 'utf8')),
    );
    const tests = files.filter((text) => /doctor|Check/.test(text)).join('');
    const missing = Object.keys(faults).filter((id) => !new RegExp(`['^ ]${id}['.:]`).test(tests));
    assert.deepEqual(missing, []);
  });
});
