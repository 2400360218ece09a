// TLS listeners of the bundle: certificates of both sides, names, versions, revocation, renewal while
// clients are connected; with MQTT.js, with mosquitto's programs and with bare TLS sockets.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { type ConnectionOptions, connect as dialTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { type CertificateFiles, noOpenssl, TestAuthority } from '../support/certificates.ts';
import { freePorts } from '../support/free-ports.ts';
import { RawClient } from '../support/raw-client.ts';
import { BUNDLE, loopbackFlags, NODE, ShoalProcess } from '../support/shoal-process.ts';
import { connect } from '../support/wire.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'shoal-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const CONNACK_BYTES = 4;
const RETURN_CODE_AT = 3;
const skip = noOpenssl();

suite('TLS', { skip }, () => {
  const authority = skip === false ? new TestAuthority(folder) : undefined;
  if (authority === undefined) return;
  const server = authority.issue('server', '/CN=box', 'DNS:localhost', 'IP:127.0.0.1');
  const other = authority.issue('other', '/CN=other', 'DNS:other.example', 'DNS:*.wild.example');
  const client = authority.issue('client', '/CN=sensor7');
  const nameless = authority.issue('nameless', '/O=Nobody');
  const revoked = authority.issue('revoked', '/CN=stolen');
  mkdirSync(join(folder, 'foreign'));
  const foreign = new TestAuthority(join(folder, 'foreign'));
  const foreignAuthority = foreign.ca;
  const foreigner = foreign.issue('client', '/CN=sensor7');
  const ca = readFileSync(authority.ca);
  const serverFlags = [`-cert=${server.cert}`, `-key=${server.key}`];
  const clientAuthority = [`-ca=${authority.ca}`, '-require-certificate=required'];
  const asClient = ({ cert, key }: CertificateFiles) => ({
    cert: readFileSync(cert),
    key: readFileSync(key),
  });

  async function withShoal(
    flags: readonly string[],
    body: (shoal: ShoalProcess) => Promise<void>,
  ): Promise<void> {
    const shoal = new ShoalProcess(
      loopbackFlags('n1', '-tls=0', '-wss=0', '-log-level=debug', ...serverFlags, ...flags),
      { cwd: folder },
    );
    try {
      await body(shoal);
    } finally {
      await shoal.kill();
    }
  }

  const failure = (reason: string) =>
    new RegExp(`TLS handshake failed.* from=127\\.0\\.0\\.1 .*reason="?${reason}`);

  /** Resolves when the handshake is complete on this side. */
  function openTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = dialTls({ port, host: '127.0.0.1', ca, ...options }, () => resolve(socket));
      socket.once('error', reject);
    });
  }

  /** @returns whether the broker accepted the client */
  async function letsIn(
    port: number,
    options: ConnectionOptions = {},
    login: { username?: string; password?: string } = {},
  ): Promise<boolean> {
    const socket = await openTls(port, options).catch(() => undefined);
    if (socket === undefined) return false;
    const raw = new RawClient(socket);
    socket.write(connect({ version: 4, clientId: 'c1', ...login }));
    return isIn(raw);
  }

  async function isIn(raw: RawClient): Promise<boolean> {
    await Promise.race([raw.bytes(CONNACK_BYTES), raw.ended()]);
    raw.destroy();
    return raw.received[RETURN_CODE_AT] === 0;
  }

  test('MQTT.js over TLS and over WebSocket in TLS', async () => {
    await withShoal([], async (shoal) => {
      for (const url of [
        `mqtts://localhost:${await shoal.mqttPort('tls')}`,
        `wss://localhost:${await shoal.mqttPort('wss')}/mqtt`,
      ]) {
        const both = await mqtt.connectAsync(url, { ca, protocolVersion: 5, reconnectPeriod: 0 });
        const echo = new Promise<number>((resolve) => {
          both.once('message', (_topic, payload) => resolve(payload.length));
        });
        await both.subscribeAsync('a');
        await both.publishAsync('a', Buffer.alloc(500_000), { qos: 2 });
        assert.equal(await echo, 500_000);
        await both.endAsync();
      }
    });
  });

  test('mosquitto_pub and mosquitto_sub over TLS with client certificates', async (t) => {
    if (await run('mosquitto_pub', ['--version']).then(noop, isMissing)) {
      t.skip('needs mosquitto_pub');
      return;
    }
    const flags = [...clientAuthority, '-use-identity-as-username'];
    await withShoal(flags, async (shoal) => {
      const where = ['-h', 'localhost', '-p', String(await shoal.mqttPort('tls'))];
      const trust = ['--cafile', authority.ca];
      const identity = ['--cert', client.cert, '--key', client.key];
      await run('mosquitto_pub', [
        ...where,
        ...trust,
        ...identity,
        ...'-t a -m hello -q 1 -r'.split(' '),
      ]);
      const { stdout } = await run('mosquitto_sub', [
        ...where,
        ...trust,
        ...identity,
        ...'-t a -C 1 -W 5'.split(' '),
      ]);
      assert.equal(stdout, 'hello\n');
      await assert.rejects(
        run('mosquitto_pub', [...where, ...trust, ...'-t a -m no -q 1'.split(' ')]),
      );
      await shoal.waitFor(/client certificate refused.*none was sent/);
      await shoal.waitFor(/client connected.* user=sensor7/);
    });
  });

  test('a client certificate must come from our authority, be unrevoked, and have a name', async () => {
    authority.revoke(revoked);
    const flags = [...clientAuthority, `-crl=${authority.crl}`, '-use-identity-as-username'];
    await withShoal(flags, async (shoal) => {
      for (const protocol of ['TLSv1.2', 'TLSv1.3'] as const) {
        const port = await shoal.mqttPort('tls');
        const version = { minVersion: protocol, maxVersion: protocol };
        assert.equal(await letsIn(port, { ...asClient(client), ...version }), true);
        assert.equal(await letsIn(port, { ...asClient(revoked), ...version }), false);
        assert.equal(await letsIn(port, { ...asClient(foreigner), ...version }), false);
        assert.equal(await letsIn(port, { ...asClient(nameless), ...version }), false);
        assert.equal(await letsIn(port, version), false);
      }
      await shoal.waitFor(/client certificate refused.*CERT_REVOKED/);
      await shoal.waitFor(/client certificate refused.*no single Common Name/);
    });
  });

  test('a revocation list of the issuing authority is enough, also for a chain that the client sends', async () => {
    const [lower, other] = ['lower', 'other'].map((name) => {
      mkdirSync(join(folder, name));
      return new TestAuthority(join(folder, name), name, authority);
    }) as [TestAuthority, TestAuthority];
    const chained = (files: CertificateFiles, { ca }: TestAuthority): CertificateFiles => {
      const cert = files.cert.replace('.pem', '-chain.pem');
      writeFileSync(cert, readFileSync(files.cert, 'utf8') + readFileSync(ca, 'utf8'));
      return { ...files, cert };
    };
    const good = chained(lower.issue('good', '/CN=good'), lower);
    const bad = chained(lower.issue('bad', '/CN=bad'), lower);
    const unlisted = chained(other.issue('unlisted', '/CN=unlisted'), other);
    lower.revoke({ cert: join(lower.folder, 'bad.pem') });
    await withShoal([...clientAuthority, `-crl=${lower.crl}`], async (shoal) => {
      const port = await shoal.mqttPort('tls');
      assert.equal(await letsIn(port, asClient(good)), true);
      assert.equal(await letsIn(port, asClient(bad)), false);
      await shoal.waitFor(/client certificate refused.*CERT_REVOKED/);
      assert.equal(await letsIn(port, asClient(unlisted)), false);
      await shoal.waitFor(/client certificate refused.*UNABLE_TO_GET_CRL/);
      await shoal.waitFor(/has no list of the authority CN=Test Authority: all clients/);
    });
  });

  test('an optional client certificate may be missing, but not wrong', async () => {
    const flags = [`-ca=${authority.ca}`, '-require-certificate=optional'];
    await withShoal(flags, async (shoal) => {
      const port = await shoal.mqttPort('tls');
      assert.equal(await letsIn(port), true);
      assert.equal(await letsIn(port, asClient(client)), true);
      assert.equal(await letsIn(port, asClient(foreigner)), false);
    });
  });

  test('the Common Name is the user name for the ACL, and needs no password', async () => {
    const passwords = join(folder, 'passwords');
    const made = new ShoalProcess(['passwd', '-c', '-b', passwords, 'someone', 'secret']);
    assert.equal((await made.exited).code, 0, made.output);
    const acl = join(folder, 'acl');
    writeFileSync(acl, 'user sensor7\ntopic readwrite own/#\n');
    const flags = [...clientAuthority.slice(0, 1), '-require-certificate=optional'];
    flags.push('-use-identity-as-username', `-auth=${passwords}`, `-acl=${acl}`);
    await withShoal(flags, async (shoal) => {
      const url = `mqtts://localhost:${await shoal.mqttPort('tls')}`;
      const options = { ca, protocolVersion: 5, reconnectPeriod: 0 } as const;
      // A user name in CONNECT does not count against a certificate.
      const proven = await mqtt.connectAsync(url, {
        ...options,
        ...asClient(client),
        username: 'someone',
      });
      const [own] = await proven.subscribeAsync('own/a', { qos: 1 });
      assert.equal(own?.qos, 1);
      await assert.rejects(proven.subscribeAsync('other/a'));
      await proven.endAsync();
      await assert.rejects(mqtt.connectAsync(url, options), /Not authorized|Bad User/i);
      const known = { ...options, username: 'someone', password: 'secret' };
      await (await mqtt.connectAsync(url, known)).endAsync();
    });
  });

  test('of several certificates the server name that the client asks for (SNI) selects one', async () => {
    const flags = [`-cert=${server.cert},${other.cert}`, `-key=${server.key},${other.key}`];
    await withShoal(flags, async (shoal) => {
      for (const [servername, name] of [
        ['localhost', 'box'],
        ['other.example', 'other'],
        ['x.wild.example', 'other'],
        ['unknown.example', 'box'],
        ['*', 'box'],
        ['.', 'box'],
        ['é '.repeat(60), 'box'],
        ['', 'box'],
      ] as const) {
        const checkServerIdentity = () => undefined;
        const port = await shoal.mqttPort('tls');
        const socket = await openTls(port, { servername, checkServerIdentity });
        assert.equal(socket.getPeerCertificate().subject.CN, name, servername);
        socket.destroy();
      }
    });
  });

  test('ALPN is mqtt, for WebSocket http/1.1; TLS 1.1 and other protocols are refused', async () => {
    await withShoal([], async (shoal) => {
      const port = await shoal.mqttPort('tls');
      const socket = await openTls(port, { ALPNProtocols: ['h2', 'mqtt'] });
      assert.equal(socket.alpnProtocol, 'mqtt');
      socket.destroy();
      const webSocket = await openTls(await shoal.mqttPort('wss'), { ALPNProtocols: ['http/1.1'] });
      assert.equal(webSocket.alpnProtocol, 'http/1.1');
      webSocket.destroy();
      await assert.rejects(openTls(port, { ALPNProtocols: ['h2'] }));
      const old = {
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1',
        ciphers: 'ALL@SECLEVEL=0',
      } as const;
      await assert.rejects(openTls(port, old));
    });
    await withShoal(['-tls-version=1.3'], async (shoal) => {
      await assert.rejects(openTls(await shoal.mqttPort('tls'), { maxVersion: 'TLSv1.2' }));
    });
  });

  test('SIGHUP loads a new certificate and keeps the open connections', async () => {
    const cert = join(folder, 'live.pem');
    const key = join(folder, 'live.key');
    copyFileSync(server.cert, cert);
    copyFileSync(server.key, key);
    await withShoal([`-cert=${cert}`, `-key=${key}`], async (shoal) => {
      const checkServerIdentity = () => undefined;
      const port = await shoal.mqttPort('tls');
      const nameServed = async (): Promise<string> => {
        const socket = await openTls(port, { checkServerIdentity });
        const name = socket.getPeerCertificate().subject.CN;
        socket.destroy();
        return String(name);
      };
      const held = await mqtt.connectAsync(`mqtts://localhost:${port}`, { ca, reconnectPeriod: 0 });
      let dropped = false;
      held.on('close', () => (dropped = true));

      copyFileSync(other.cert, cert);
      shoal.signal('SIGHUP');
      await shoal.waitFor(
        /file not reloaded: its last valid version stays in force.*listeners="-tls, -wss".*live\.key: is not the key of .*live\.pem/,
      );
      await shoal.waitFor(/configuration reloaded, except for what is wrong.* faults=1/);
      assert.equal(await nameServed(), 'box');

      copyFileSync(other.key, key);
      const from = shoal.lineCount;
      shoal.signal('SIGHUP');
      await shoal.waitFor(/configuration reloaded"/, undefined, from);
      assert.equal(await nameServed(), 'other');
      await held.publishAsync('a', 'still here', { qos: 1 });
      assert.equal(dropped, false);
      await held.endAsync();
    });
  });

  test('a certificate revoked by SIGHUP is refused, also with a session ticket', async () => {
    const crl = join(folder, 'live-crl.pem');
    const thief = authority.issue('thief', '/CN=thief');
    copyFileSync(authority.crl, crl);
    await withShoal([...clientAuthority, `-crl=${crl}`], async (shoal) => {
      const port = await shoal.mqttPort('tls');
      const before = await openTls(port, asClient(thief));
      const session = await new Promise<Buffer>((resolve) => before.once('session', resolve));
      before.destroy();
      const resumed = await openTls(port, { ...asClient(thief), session });
      assert.equal(resumed.isSessionReused(), true);
      resumed.destroy();
      authority.revoke(thief);
      copyFileSync(authority.crl, crl);
      shoal.signal('SIGHUP');
      await shoal.waitFor(/configuration reloaded/);
      assert.equal(await letsIn(port, { ...asClient(thief), session }), false);
      assert.equal(await letsIn(port, asClient(thief)), false);
      assert.equal(await letsIn(port, asClient(client)), true);
    });
  });

  test('a SIGHUP with a wrong file leaves the listener as it was, never half changed', async () => {
    const users = join(folder, 'half-users');
    await run(NODE, [BUNDLE, 'passwd', '-I', '100', '-c', '-b', users, 'ann', 'right']);
    const config = join(folder, 'half.toml');
    const [cert, key] = [`cert = "${server.cert}"`, `key = "${server.key}"`];
    const required = 'require-certificate = "required"';
    const byPassword = ['protocol = "tls"', cert, key, `auth = "${users}"`];
    const byCertificate = ['protocol = "tls"', cert, key, required];
    const [taken = 0] = await freePorts(1);
    const set = (lines: readonly string[]) =>
      writeFileSync(config, ['[[listener]]', `port = ${taken}`, ...lines, ''].join('\n'));
    set(byPassword);
    const shoal = new ShoalProcess(['-nid=n1', '-bind=127.0.0.1', `-config=${config}`]);
    try {
      await shoal.mqttPort('tls');
      const hangUp = async (lines: readonly string[], pattern: RegExp): Promise<void> => {
        set(lines);
        const from = shoal.lineCount;
        shoal.signal('SIGHUP');
        await shoal.waitFor(pattern, undefined, from);
      };
      const wrong = /configuration reloaded, except for what is wrong/;
      await hangUp([...byCertificate, 'ca = "no-such-authority.pem"'], wrong);
      assert.equal(await letsIn(taken), false, 'neither password nor certificate');
      assert.equal(await letsIn(taken, {}, { username: 'ann', password: 'right' }), true);

      await hangUp([...byCertificate, `ca = "${authority.ca}"`], /configuration reloaded"/);
      assert.equal(await letsIn(taken), false, 'no certificate');
      await hangUp(['protocol = "tcp"', 'auth = "no-such-users"'], wrong);
      const plain = RawClient.tcp(taken, connect({ version: 4, clientId: 'c2' }));
      assert.equal(await isIn(plain), false, 'no TLS');
      assert.equal(await letsIn(taken), false, 'no certificate still');
      assert.equal(await letsIn(taken, asClient(client)), true);
    } finally {
      await shoal.kill();
    }
  });

  test('behind a load balancer TLS begins after the PROXY header', async () => {
    await withShoal(['-proxy-protocol'], async (shoal) => {
      for (const [protocol, url] of [
        ['tls', 'mqtts'],
        ['wss', 'wss'],
      ] as const) {
        const target = await shoal.mqttPort(protocol);
        const balancer = createServer((near) => {
          const far = dial(target, '127.0.0.1');
          // The header and the beginning of the handshake in one segment.
          near.once('data', (chunk) => {
            far.write(Buffer.concat([Buffer.from('PROXY TCP6 2001:db8::7 ::1 4 5\r\n'), chunk]));
            near.pipe(far).pipe(near);
          });
          for (const end of [near, far]) end.on('error', () => undefined);
        });
        await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve));
        const address = balancer.address();
        assert.ok(typeof address === 'object' && address !== null);
        const options = { ca, clientId: `behind-${protocol}`, reconnectPeriod: 0 };
        const behind = await mqtt.connectAsync(`${url}://localhost:${address.port}/mqtt`, options);
        await shoal.waitFor(new RegExp(`client connected.*behind-${protocol}.*from=2001:db8::7`));
        await behind.endAsync();
        balancer.close();
      }
    });
  });

  test("a failed handshake is logged in words, with the client's plain address", async () => {
    const distrust = ['-verify_return_error', '-CAfile', foreignAuthority, '-quiet'];
    await withShoal(['-bind=::', ...clientAuthority], async (shoal) => {
      const port = await shoal.mqttPort('tls');
      for (const [firstBytes, reason] of [
        [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'plain HTTP on the TLS port'],
        [connect({ version: 4, clientId: 'c1' }), 'not TLS: plain MQTT on the TLS port\\?'],
      ] as const) {
        const raw = RawClient.tcp(port, firstBytes);
        await shoal.waitFor(failure(reason));
        raw.destroy();
      }
      const from = shoal.lineCount;
      const hasty = dial(port, '127.0.0.1', () => hasty.end());
      await shoal.waitFor(/TLS handshake not finished.* from=127\.0\.0\.1/, 5000, from);
      for (const version of ['-tls1_2', '-tls1_3']) {
        const from = shoal.lineCount;
        const where = ['-connect', `127.0.0.1:${port}`, version];
        await assert.rejects(run('openssl', ['s_client', ...where, ...distrust]));
        await shoal.waitFor(failure('the client does not trust this certificate'), 5000, from);
      }
      assert.equal(await letsIn(port, asClient(foreigner)), false);
      await shoal.waitFor(
        /client certificate refused.*no authority in -ca signed it \(CERT_SIGNATURE_FAILURE/,
      );
    });
  });

  test('a client that hangs up over the certificate is logged, a health check is not', async () => {
    await withShoal(['-log-level=info'], async (shoal) => {
      const port = await shoal.mqttPort('tls');
      const check = dial(port, '127.0.0.1', () => check.end());
      await new Promise((resolve) => check.once('close', resolve));
      await assert.rejects(openTls(port, { ca: [], minVersion: 'TLSv1.3' }));
      await shoal.waitFor(failure('the client hung up: does it trust this certificate'));
      assert.equal(shoal.output.match(/TLS handshake/g)?.length, 1);
    });
  });

  test('a stalled handshake ends after the connect timeout', async () => {
    await withShoal(['-connect-timeout=1s'], async (shoal) => {
      const started = performance.now();
      const silent = RawClient.tcp(await shoal.mqttPort('tls'));
      // The head of a ClientHello that never ends.
      const trickling = RawClient.tcp(
        await shoal.mqttPort('wss'),
        Buffer.from('16030102000100', 'hex'),
      );
      const trickle = setInterval(() => trickling.stream.write(Buffer.alloc(1)), 100);
      const wordless = new RawClient(await openTls(await shoal.mqttPort('wss')));
      await Promise.all([silent.ended(), trickling.ended(), wordless.ended()]);
      clearInterval(trickle);
      const tookMs = performance.now() - started;
      assert.ok(tookMs > 900 && tookMs < 4000, `${tookMs} ms`);
    });
  });

  test('an unusable file ends the start with 2 and is named', async () => {
    const empty = join(folder, 'empty.pem');
    writeFileSync(empty, 'nothing\n');
    for (const [flags, line] of [
      [
        [`-cert=${server.cert}`, `-key=${client.key}`],
        /client\.key: is not the key of .*server\.pem/,
      ],
      [
        ['-cert=nowhere.pem', `-key=${server.key}`],
        /-cert=\S*\/nowhere\.pem: there is no such file$/m,
      ],
      [[`-cert=${empty}`, `-key=${server.key}`], /empty\.pem: holds no certificate in PEM form/],
      [[`-cert=${server.cert}`, `-key=${empty}`], /empty\.pem: holds no private key in PEM form/],
      [[...serverFlags, `-ca=${empty}`], /empty\.pem: holds no certificate in PEM form/],
      [[...serverFlags, `-crl=${empty}`], /empty\.pem: holds no certificate revocation list/],
      [[`-cert=${server.cert}`], /-tls: TLS needs a certificate and its key/],
      [
        [...serverFlags, '-require-certificate=required'],
        /-require-certificate=required needs -ca/,
      ],
    ] as const) {
      const shoal = new ShoalProcess(loopbackFlags('n1', '-tls=0', ...flags), { cwd: folder });
      assert.equal((await shoal.exited).code, 2, shoal.output);
      assert.match(shoal.output, line);
    }
  });
});

const noop = (): boolean => false;
const isMissing = (error: NodeJS.ErrnoException): boolean => error.code === 'ENOENT';
