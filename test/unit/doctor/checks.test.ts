// What the doctor finds on one machine. Where a fault can't be made without root, the machine is a model.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../../src/config/load.ts';
import type { DoctorContext } from '../../../src/doctor/context.ts';
import { runDoctor } from '../../../src/doctor/doctor.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { type Machine, thisMachine } from '../../../src/doctor/machine.ts';
import { UdpSocket } from '../../../src/net/cluster/udp.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { noOpenssl } from '../../support/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'shoal-doctor-'));
after(() => rmSync(folder, { recursive: true, force: true }));

type Flags = Readonly<Record<string, string>>;

/** Free ports, so that nothing of this machine is found. */
const QUIET: Flags = { nid: 'box1', port: '0' };

interface Model {
  readonly machine?: Partial<Machine>;
  readonly exposure?: readonly string[];
  readonly losses?: DoctorContext['losses'];
  readonly mdns?: DoctorContext['mdns'];
  readonly isUp?: boolean;
}

async function findingsOf(flags: Flags, model: Model = {}): Promise<readonly Finding[]> {
  const host = {
    environment: {},
    hostName: 'box1',
    readFile: (path: string) => {
      throw new Error(path);
    },
  };
  const { config, warnings } = loadConfig({ ...QUIET, ...flags }, host);
  const machine: Machine = {
    ...thisMachine,
    readFile: () => '8388608\n',
    run: () => Promise.resolve(undefined),
    ...model.machine,
  };
  const report = await runDoctor({
    config,
    version: '1.2.3',
    isUp: model.isUp ?? false,
    machine,
    firewall: { kind: 'none', chains: { in: [], out: [] } },
    warnings: { configuration: warnings, exposure: model.exposure ?? [] },
    cluster: () => Promise.resolve(undefined),
    bridges: new Map(),
    mdns: model.mdns,
    losses: model.losses ?? [],
  });
  return report.findings;
}

/** The one finding of this fault. */
function only(findings: readonly Finding[], fault: string): Finding {
  const found = findings.filter((finding) => finding.fault === fault);
  assert.equal(found.length, 1, JSON.stringify(findings, undefined, 1));
  return found[0]!;
}

test('a clock that was never set is a warning with the line that sets it', async () => {
  const findings = await findingsOf({}, { machine: { now: () => 86_400_000 } });
  const { text, mend } = only(findings, 'clock');
  assert.equal(text, 'the clock of this box says 1970-01-02');
  assert.deepEqual(mend?.lines, ['timedatectl set-ntp true']);
});

test('a disk that is nearly full is a fault, and a well one has its figures', async () => {
  const space = (free: number) => ({ space: () => Promise.resolve({ free, total: 1e11 }) });
  const full = await findingsOf({ data: folder }, { machine: space(5e7) });
  assert.match(only(full, 'disk-full').text, /has 48 MB of 93.1 GB free/);
  const well = await findingsOf({ data: folder }, { machine: space(9e10) });
  assert.ok(
    well.some(({ text }) => /data folder .*, 83.8 GB free, fsync p99 [\d.]+ ms/.test(text)) ||
      well.some(({ fault }) => fault === 'disk-slow'),
  );
});

test('a data folder that cannot be used is a fault', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  assert.match(only(await findingsOf({ data: file }), 'data-folder').text, /is a file/);
});

test('a small receive buffer is a warning with the lines that raise it', async () => {
  const machine = { readFile: () => '212992\n' };
  const { text, mend } = only(
    await findingsOf({ csk: 'f2b7e6b0c1d24f7f9a5d3c8e1b6a4f20' }, { machine }),
    'receive-buffer',
  );
  assert.match(text, /bursts of messages from other nodes may be lost \(212992 bytes\)$/);
  assert.equal(mend?.lines[0], 'sysctl -w net.core.rmem_max=4194304');
});

test('too few descriptors for -max-connections is a warning', async () => {
  const limit = { descriptors: 1024, socketsMax: 900, reserve: 64 };
  const machine = { descriptors: () => limit };
  const { text, mend } = only(
    await findingsOf({ 'max-connections': '5000' }, { machine }),
    'descriptors',
  );
  assert.equal(
    text,
    'the limit of 1024 open files leaves 900 connections of the 5000 of -max-connections',
  );
  assert.match(mend?.lines[0] ?? '', /^LimitNOFILE=6024/);
  const all = await findingsOf({ 'max-connections': '0' }, { machine });
  assert.ok(
    all.some(({ text: line }) => line === 'room for 900 connections'),
    'no limit is asked for',
  );
});

test('messages that were lost in the last minute are a warning about the receiver', async () => {
  const losses = [{ from: 'box1', to: 'box2', share: 0.013 }];
  const { text, mend } = only(await findingsOf({}, { losses, isUp: true }), 'messages-lost');
  assert.equal(text, '1.3 % of the messages from box1 to box2 were lost in the last minute');
  assert.equal(mend?.where, 'on box2');
});

test('a weak token is a warning, and a strong one has a key to compare', async () => {
  const weak = only(await findingsOf({ csk: '12345678' }), 'weak-token');
  assert.match(weak.text, /about 4 bits of 60; key 1f751f10/);
  const strong = await findingsOf({ csk: 'f2b7e6b0c1d24f7f9a5d3c8e1b6a4f20' });
  assert.ok(strong.some(({ text }) => /token strong; key [\da-f]{8}/.test(text)));
});

test('a file that others can read has the chmod that mends it', async () => {
  const exposure = [
    '-csk-file=/t: every user of this machine can read it, and it contains the cluster token; run: chmod 600 /t',
  ];
  const { text, mend } = only(await findingsOf({}, { exposure }), 'exposed-file');
  assert.match(text, /and it contains the cluster token$/);
  assert.deepEqual(mend?.lines, ['chmod 600 /t']);
});

test('a name of -mbs without an address is a fault', async () => {
  const machine = { resolve: () => Promise.resolve([]) };
  const flags = { csk: 'f2b7e6b0c1d24f7f9a5d3c8e1b6a4f20', mbs: 'nosuch.example' };
  const { text } = only(await findingsOf(flags, { machine }), 'seed-unresolved');
  assert.equal(text, 'the name nosuch.example of -mbs has no address');
});

test('a taken TCP port and a taken UDP port are faults that name the program', async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const quiet = { bind: '127.0.0.1', receiveBufferBytes: 0, log: silentLogger };
  const socket = await UdpSocket.open({ ...quiet, port: 0, flag: '', onDatagram: () => undefined });
  const findings = await findingsOf({
    port: String(address.port),
    bind: '127.0.0.1',
    csk: 'f2b7e6b0c1d24f7f9a5d3c8e1b6a4f20',
    crp: String(socket.local.port),
  });
  server.close();
  await socket.close();
  const taken = findings.filter(({ fault }) => fault === 'port-taken').map(({ text }) => text);
  assert.equal(taken.length, 2);
  assert.match(taken[0] ?? '', new RegExp(`has TCP ${address.port}$`));
  assert.match(taken[1] ?? '', new RegExp(`has UDP ${socket.local.port}$`));
});

test('a certificate that cannot be read is a fault', async () => {
  const pem = join(folder, 'broken.pem');
  writeFileSync(pem, 'no certificate');
  chmodSync(pem, 0o600);
  const findings = await findingsOf({ tls: '0', cert: pem, key: pem });
  assert.match(only(findings, 'certificate').text, /broken\.pem/);
});

test('a certificate that ends soon is a warning', { skip: noOpenssl() }, async () => {
  const [cert, key] = [join(folder, 'soon.pem'), join(folder, 'soon.key')];
  const days = ['-days', '3', '-subj', '/CN=box1', '-nodes', '-newkey', 'rsa:2048'];
  execFileSync('openssl', ['req', '-x509', ...days, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  const { level, text } = only(await findingsOf({ tls: '0', cert, key }), 'certificate');
  assert.equal(level, 'warn');
  assert.match(text, /soon\.pem: expires /);
});

test('a check that fails is a finding, and the others go on', async () => {
  const machine = {
    now: () => {
      throw new Error('out of order');
    },
  };
  const findings = await findingsOf({}, { machine });
  assert.match(only(findings, 'check-failed').text, /'clock' could not be made: out of order/);
  assert.ok(findings.length > 3);
});
