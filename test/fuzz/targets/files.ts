// Fuzz targets: files that people write, and files of the data folder.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parseAcl } from '../../../src/auth/acl-file.ts';
import { parsePasswordFile, removeUser, setUser } from '../../../src/auth/password-file.ts';
import { Permissions, rulesOf } from '../../../src/auth/permissions.ts';
import { ArchiveError, readArchive } from '../../../src/cli/backup/archive.ts';
import { renderToml } from '../../../src/cli/commands/convert.ts';
import { ConfigError, loadConfig } from '../../../src/config/load.ts';
import { translateDirectives } from '../../../src/config/mosquitto-conf.ts';
import { type Directive, readDirectives } from '../../../src/config/mosquitto-lines.ts';
import { withSetting } from '../../../src/config/toml-edit.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import {
  BLOCK_HEAD_BYTES,
  encodeHeader,
  HEADER_BYTES,
  sealBlock,
} from '../../../src/storage/file-format.ts';
import { loadFolder } from '../../../src/storage/loader.ts';
import { MemoryDisk } from '../../support/memory-disk.ts';
import { type FuzzTarget, sources } from '../engine/target.ts';

const TEXT_BYTES_MAX = 400;
const GENERATION = 1;

/** @throws what is no refusal */
function configOf(toml: string): boolean {
  const host = { environment: {}, hostName: 'box7', readFile: () => toml };
  try {
    loadConfig({ config: 'shoal.toml' }, host);
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return false;
  }
}

const config: FuzzTarget = {
  name: 'config',
  what: 'configuration files; one that is accepted still is after `config set`',
  bytesMax: TEXT_BYTES_MAX,
  words: [
    '[[listener]]',
    '[[bridge]]',
    ' = ',
    '"',
    "'",
    '"""',
    '\n',
    'port',
    'mbs',
    'topics',
    '[',
    ']',
    '{',
    '#',
    '1e9',
    'true',
  ],
  covers: sources('/config/'),
  run: (input) => {
    const text = input.toString('utf8');
    if (!configOf(text)) return;
    const changed = withSetting(text, 'log-level', 'debug');
    if (changed !== undefined) assert.ok(configOf(changed), changed);
  },
};

const convert: FuzzTarget = {
  name: 'convert',
  what: 'mosquitto.conf: what `shoal convert` writes is accepted by `shoal check`',
  bytesMax: TEXT_BYTES_MAX,
  words: [
    'listener ',
    'connection x\n',
    'topic # both 1 ',
    'address ',
    'include_dir ',
    ' true\n',
    ' 1883\n',
    'bridge_',
    'cafile ',
    'acl_file ',
    'user ',
    'max_',
    'persistence ',
    'protocol websockets\n',
    'bind_address ',
    '\n',
    '"',
  ],
  covers: sources('/config/mosquitto', '/config/bridges', '/config/listeners'),
  run: (input) => {
    const files = { readFile: () => '', listFolder: () => [] };
    let directives: Directive[];
    try {
      directives = readDirectives('mosquitto.conf', input.toString('utf8'), files);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return;
    }
    const toml = renderToml(translateDirectives(directives));
    assert.ok(configOf(toml), toml);
  },
};

const acl: FuzzTarget = {
  name: 'acl',
  what: 'ACL files; one that is accepted decides on any topic',
  bytesMax: TEXT_BYTES_MAX,
  words: [
    'topic ',
    'pattern ',
    'user ',
    'read ',
    'write ',
    'readwrite ',
    'deny ',
    '%c',
    '%u',
    '#',
    '+',
    '/',
    '\n',
    '$SYS',
  ],
  covers: sources('/auth/acl', '/auth/permission'),
  run: (input) => {
    const { acl: parsed, problems } = parseAcl('acl', input.toString('utf8'));
    for (const problem of problems) assert.match(problem, /^acl:\d+: /);
    if (problems.length > 0) return;
    for (const name of ['a', '+', '#', '$SYS', '']) {
      const permissions = new Permissions(rulesOf(parsed, name, name));
      for (const topic of ['a', 'a/b', '$SYS/x']) {
        const mayRead = permissions.allows('read', topic);
        if (mayRead) assert.ok(permissions.maySubscribe(topic));
      }
    }
  },
};

const passwords: FuzzTarget = {
  name: 'passwords',
  what: 'password files; users are added and removed one at a time',
  bytesMax: TEXT_BYTES_MAX,
  words: [':', '$', '$6$', '$7$101$', '$argon2id$v=19$', '$pbkdf2', '\n', '#', 'AAAAAAAAAAAAAAAA'],
  covers: sources('/auth/password'),
  run: (input) => {
    const source = input.toString('utf8');
    const { users, problems } = parsePasswordFile('pw', source);
    for (const problem of problems) assert.match(problem, /^pw:\d+: /);
    if (problems.length > 0) return;
    const hash = `$7$101$AAAAAAAAAAAAAAAA$${Buffer.alloc(64).toString('base64')}`;
    const more = parsePasswordFile('pw', setUser(source, 'new', hash));
    assert.deepEqual(more.problems, []);
    assert.equal(more.users.size, users.has('new') ? users.size : users.size + 1);
    for (const name of users.keys()) {
      const fewer = parsePasswordFile('pw', removeUser(source, name) ?? '');
      assert.equal(fewer.users.size, users.size - 1);
    }
  },
};

const journal: FuzzTarget = {
  name: 'journal',
  what: 'logs and snapshots of the data folder; every second one with right checksums',
  bytesMax: 700,
  words: ['a/b', 'client'],
  covers: sources('/storage/'),
  run: (input) => {
    const [first = 0] = input;
    const kind = first & 2 ? 'snapshot' : 'log';
    const header = encodeHeader({ kind, needsSnapshot: false, generation: GENERATION, run: 7n });
    const body = input.subarray(1);
    const blocks = first % 2 === 0 ? sealed(body) : body;
    const name = `shoal-0000000${GENERATION}.${kind === 'log' ? 'log' : 'snap'}`;
    const disk = new MemoryDisk(new Map([[name, Buffer.concat([header, blocks])]]));
    const { state } = loadFolder(disk, silentLogger, { wall: 1e12, mono: 0 });
    assert.ok([...state.sessions].length <= body.length, 'a session needs bytes');
  },
};

/** A block with this payload, directly behind the header. */
function sealed(payload: Buffer): Buffer {
  const block = Buffer.concat([Buffer.alloc(BLOCK_HEAD_BYTES), payload]);
  sealBlock(block, GENERATION, HEADER_BYTES, { wall: 1e12, mono: 0 });
  return block;
}

/** Its tar is compressed here: damage to gzip itself never gets further than zlib. */
const archive: FuzzTarget = {
  name: 'archive',
  what: 'tar archives for `shoal restore`',
  bytesMax: 4096,
  words: ['../', '/', 'shoal-00000001.log', 'shoal-00000001.snap', 'ustar\u000000', '77777777777'],
  covers: sources('/cli/backup', '/shared/tar'),
  run: async (input) => {
    const root = mkdtempSync(join(tmpdir(), 'shoal-fuzz-'));
    const folder = join(root, 'data');
    const file = join(root, 'backup.tgz');
    mkdirSync(folder);
    writeFileSync(file, gzipSync(input, { level: 1 }));
    try {
      const names = await readArchive(file, folder, () => undefined);
      assert.deepEqual(readdirSync(folder).sort(), names.sort());
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
    } finally {
      assert.deepEqual(readdirSync(root).sort(), ['backup.tgz', 'data']);
      rmSync(root, { recursive: true });
    }
  },
};

export const fileTargets: readonly FuzzTarget[] = [
  config,
  convert,
  acl,
  passwords,
  journal,
  archive,
];
