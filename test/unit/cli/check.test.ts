// What `shoal check` tries of a start: each fault of the moment is refused, or warned of, in the words of the
// start, and nothing is left behind.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { crc32 } from '../../../src/storage/crc32.ts';
import { encodeHeader, FORMAT_VERSION, HEADER_BYTES } from '../../../src/storage/file-format.ts';
import { fileName } from '../../../src/storage/file-names.ts';
import { lockFolder } from '../../../src/storage/folder-lock.ts';
import { fakeContext } from '../../support/fake-context.ts';

const base = mkdtempSync(join(tmpdir(), 'shoal-check-'));
after(() => rmSync(base, { recursive: true }));

async function check(...flags: string[]) {
  const context = { ...fakeContext(), readFile: (path: string) => readFileSync(path, 'utf8') };
  const own = ['-anonymous=true', '-port=0', '-http=off', '-control=auto', '-nid=check-test'];
  const code = await main(['check', ...own, ...flags], context);
  return { code, out: context.out.join(''), err: context.err.join('') };
}

function taken(port: number, flag: string): string {
  return `127.0.0.1:${port} is in use by node (pid ${process.pid}); choose another port with ${flag}\n`;
}

test('check refuses a TCP port that another program has', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const listener = await check('-bind=127.0.0.1', `-port=${port}`);
  assert.deepEqual(listener, { code: 3, out: '', err: `shoal: TCP ${taken(port, '-port')}` });
  const http = await check(`-http=${port}`);
  assert.deepEqual(http, { code: 3, out: '', err: `shoal: TCP ${taken(port, '-http')}` });
});

test('check refuses a UDP port that another program has', async (t) => {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  const token = '-csk=4hxkwzq8jvtm3n6ybdfrpcsag7';
  const { code, err } = await check(token, '-bind=127.0.0.1', `-crp=${port}`, '-csp=0');
  assert.equal(code, 3);
  assert.ok(err.endsWith(`shoal: UDP ${taken(port, '-crp')}`), err);
});

test('check refuses a data folder that another node uses', async (t) => {
  const folder = join(base, 'used');
  mkdirSync(folder);
  const lock = await lockFolder(folder);
  t.after(() => lock.release());
  const { code, err } = await check(`-data=${folder}`);
  assert.equal(code, 5);
  assert.match(err, /^shoal: \/.*\/used is in use by another running Shoal; stop that one/);
});

test('check refuses a data folder with a file of a newer release', async () => {
  const folder = join(base, 'newer');
  mkdirSync(folder);
  const header = encodeHeader({ kind: 'log', needsSnapshot: false, generation: 1, run: 1n });
  const name = fileName('log', 1);
  writeFileSync(join(folder, name), header);
  assert.equal((await check(`-data=${folder}`)).code, 0);
  header.writeUInt16LE(FORMAT_VERSION + 1, 8);
  header.writeUInt32LE(crc32(header.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4);
  writeFileSync(join(folder, name), header);
  const { code, err } = await check(`-data=${folder}`);
  assert.equal(code, 5);
  assert.match(err, /was written by a newer release/);
});

test('check refuses a data folder that cannot be made', {
  skip: !existsSync('/proc/self') && 'no /proc',
}, async () => {
  const { code, err } = await check('-data=/proc/shoal');
  assert.ok(code === 5 || code === 2, String(code));
  assert.match(err, /^shoal: .*\/proc\/shoal.* cannot be created/);
});

test('check leaves nothing behind in the data folder, and no folder that was not there', async () => {
  const folder = join(base, 'new');
  assert.equal((await check(`-data=${folder}`)).code, 0);
  assert.equal(existsSync(folder), false);
  mkdirSync(folder);
  assert.equal((await check(`-data=${folder}`)).code, 0);
  assert.deepEqual(
    readdirSync(folder).filter((name) => !name.startsWith('lock.')),
    [],
  );
});

test('check refuses a file of tokens that is none', async () => {
  const file = join(base, 'tokens.json');
  writeFileSync(file, 'no tokens\n');
  const { code, err } = await check(`-http-token-file=${file}`);
  assert.deepEqual(
    { code, err },
    { code: 2, err: `shoal: ${file}: is no file of tokens; delete it\n` },
  );
});

test('check warns of names that have no address', async () => {
  // No name server is asked for a label of more than 63 characters.
  const host = `${'x'.repeat(64)}.example`;
  const file = join(base, 'bridge.toml');
  writeFileSync(
    file,
    `[[bridge]]\nname = "hq"\naddress = "mqtt://${host}"\ntopics = ["a/# out"]\nclient-id = "c"\n`,
  );
  const cluster = ['-csk=4hxkwzq8jvtm3n6ybdfrpcsag7', '-crp=0', '-csp=0', `-mbs=${host}`];
  const { code, out, err } = await check(`-config=${file}`, ...cluster);
  assert.deepEqual({ code, out }, { code: 0, out: 'configuration ok\n' });
  assert.match(err, new RegExp(`^shoal: -mbs: ${host}: the name server `, 'm'));
  assert.match(err, new RegExp(`^shoal: ${file}:1: ${host}: the name server `, 'm'));
});

test('check refuses an address that no interface has, and names the option that has it', async () => {
  const words = "can't be opened: no interface has this address; choose another one with";
  const bind = await check('-bind=203.0.113.1', '-port=1');
  assert.deepEqual([bind.code, bind.err], [3, `shoal: TCP 203.0.113.1:1 ${words} -bind\n`]);
  const http = await check('-http=203.0.113.1:1');
  assert.deepEqual([http.code, http.err], [3, `shoal: TCP 203.0.113.1:1 ${words} -http\n`]);
});
