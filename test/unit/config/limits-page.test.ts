// Generates docs/limits.md from the constants of the sources, and compares the page with it. After a
// change: UPDATE_DOCS=1 npx tsx test/run.ts test/unit/config

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { optionTable } from '../../../src/config/config.ts';
import type { AnyOption } from '../../../src/config/option.ts';
import { COSTS, COSTS_HEAD } from '../../support/memory-cost-rows.ts';
import { PARTS, PARTS_HEAD } from '../../support/memory-part-rows.ts';
import { OVERLOAD } from '../../support/overload-figures.ts';
import { clusterLimits } from './limits-of-cluster.ts';
import { discoveryLimits } from './limits-of-discovery.ts';
import { httpLimits } from './limits-of-http.ts';

const PAGE = 'docs/limits.md';

const HEAD = `# Limits

Everything that can grow has a bound. If an option sets the bound, its name is given here, and
[configuration.md](configuration.md) has its default.
`;

/** `{bytes net NAME}` is the constant NAME in a file under src/net, as a size; also count and ms. */
type Row = readonly [what: string, bound: string, effect: string];

const SECTIONS: Readonly<Record<string, readonly Row[]>> = {
  'Clients and messages': [
    [
      'connections',
      '`-max-connections`, of the node and of each listener',
      'a connection beyond the bound is closed, a CONNECT beyond it refused (0x97)',
    ],
    [
      'connections of all listeners together',
      "the process's file descriptors, less those in use and a reserve of a sixteenth ({count net RESERVE_MIN} to {count net RESERVE_MAX})",
      'a connection beyond the bound is closed; a warning at the start if it is below `-max-connections`',
    ],
    [
      'time for PROXY header, TLS and WebSocket together',
      '`-connect-timeout`',
      'the connection is closed',
    ],
    ['time until CONNECT', '`-connect-timeout`', 'the connection is closed'],
    [
      'time from CONNECT to its answer',
      '{ms broker CONNACK_MS_MAX}',
      'CONNACK 0x89, server busy, logged',
    ],
    [
      'wrong passwords of one address, connections of one client from one address, in a minute',
      '`-ban-failures`, `-ban-connects`',
      'CONNACK 0x8A for `-ban-time`, counted and logged ([guards.md](guards.md#bans)); {count broker BANS_MAX} bans, and {count broker WATCHED_MAX} addresses, clients and users that are watched: the oldest is forgotten',
    ],
    [
      'messages and bytes a second of one client; of all clients of a listener; new connections a second',
      '`-client-message-rate`, `-client-byte-rate`; `-message-rate`, `-byte-rate`; `-connect-rate`, after silence for `-rate-burst` at once',
      'clients are read more slowly and take turns, and nothing is lost; connections wait, {count net ACCEPTS_WAITING_MAX} at most, then the newest one of the address with the most is closed; counted and logged ([guards.md](guards.md))',
    ],
    [
      'HTTP header of a WebSocket',
      '{bytes net HTTP_HEADER_BYTES_MAX}',
      '400, closed; of further requests behind it nothing is read',
    ],
    [
      'WebSocket message',
      '`-max-packet-size` and {bytes net WEBSOCKET_MESSAGE_SPARE_BYTES} more, in {count net FRAGMENTS_MAX} frames',
      'closed with 1009 or 1008',
    ],
    [
      'frames of a WebSocket',
      '{count net FRAMES_AT_ONCE} in one read',
      'the connection is read again in a later turn, after the others; nothing is lost',
    ],
    [
      'PROXY header',
      '{bytes net LINE_BYTES_MAX} (version 1), {bytes net BODY_BYTES_MAX} (version 2)',
      'the connection is refused',
    ],
    [
      'bytes that a client has not read',
      '{bytes net CONGESTED_BYTES}; {bytes net PAUSE_BYTES}',
      'further messages wait in its queue; from the second bound on its own packets are not read either',
    ],
    [
      'bytes that all clients together have not read',
      '{bytes net BACKLOG_BYTES}',
      'beyond it both bounds above are {bytes net BACKLOG_SHARE_BYTES} for each client',
    ],
    [
      'time to close after a DISCONNECT',
      '{ms net LINGER_MS}; {ms node CLIENTS_LEAVE_MS_MAX} for all when the node stops',
      'the connection is destroyed',
    ],
    [
      'size of a packet',
      '`-max-packet-size`',
      'refused by its announced length, before anything is buffered: DISCONNECT 0x95 (MQTT 5), closed, logged with size, topic and client',
    ],
    [
      'payload of a message',
      '`-message-size-limit`',
      'the message is dropped, counted and logged; PUBACK or PUBREC 0x83 (MQTT 5)',
    ],
    [
      'size of CONNECT, will and password included',
      '{bytes broker CONNECT_BYTES_MAX}',
      'closed without an answer',
    ],
    [
      'bytes received before CONNECT is answered: of one client; of all clients beyond the first {bytes net FREE_BYTES} of each',
      '{bytes net CONNECTION_BYTES_MAX}; {bytes net TOTAL_BYTES_MAX}',
      'closed, counted, logged; an address with much before others: one alone has three quarters, as with users below',
    ],
    [
      'unacknowledged messages from a client',
      '`-receive-maximum`',
      'DISCONNECT 0x93 (MQTT 5), closed',
    ],
    [
      'unacknowledged messages to a client',
      "`-max-inflight-messages` and the client's Receive Maximum",
      'the next ones wait in its queue',
    ],
    [
      'messages that wait for a client',
      '`-max-queued-messages`, `-max-queued-bytes`',
      'the newest or the oldest is dropped (`-queue-drop`), counted and logged; PUBACK 0x97 (MQTT 5) if no subscriber had room',
    ],
    [
      'memory of everything that clients make the node keep, each thing as under [What counts as memory](#what-counts-as-memory)',
      '`-memory-limit`',
      'CONNACK, SUBACK, PUBACK 0x97; a message is not queued or not retained; a client whose packet or topic alias finds no room is disconnected (0x97); counted and logged',
    ],
    [
      'memory of all messages that wait or are in flight; a message counts once, and for each of its clients',
      '`-queue-memory`',
      'like a full queue for every client; a small message still goes to a client that has acknowledged all others; counted and logged',
    ],
    ['sessions', '`-max-sessions`', 'a CONNECT that needs a new session is refused (0x97), logged'],
    ['lifetime of the session of an absent client', '`-max-session-expiry`', 'the session ends'],
    ['topic aliases', '`-max-topic-alias`', 'DISCONNECT 0x94 (MQTT 5), closed'],
    [
      'topic levels, topic length',
      '`-topic-levels`, `-topic-length`',
      'for a publisher DISCONNECT 0x90 (MQTT 5), closed; for a will CONNACK 0x90 (MQTT 5), closed; for a subscriber SUBACK 0x8F',
    ],
    [
      'subscriptions of a client',
      '`-max-subscriptions`',
      'SUBACK 0x97 (before MQTT 5: 0x80), counted and logged, as in the next rows',
    ],
    [
      'topic levels of all subscriptions, common beginnings counted once: of the node; of one client',
      '{count broker NODES_MAX}; {count broker CLIENT_NODES_MAX}',
      'SUBACK 0x97',
    ],
    [
      'shapes of the filters with wildcards (which levels are `+` or `#`) and names of shared groups: of the node; of one client',
      '{count broker SHAPES_MAX}; {count broker CLIENT_SHAPES_MAX}',
      'SUBACK 0x97 for a shape that the node does not have yet; filters without wildcards have no shape',
    ],
    [
      'names of shared groups (`$share/NAME/...`), each counted once for each shape of its filters: of the node; of one client',
      '{count broker GROUPS_MAX}; {count broker CLIENT_GROUPS_MAX}',
      'SUBACK 0x97 for a group that the node does not have yet; a group may have any number of members',
    ],
    [
      'what one user may use of `-memory-limit`, of `-queue-memory`, of retained messages and their bytes, of topic levels, of shapes, of shared groups, and with absent sessions of `-max-sessions`',
      'a share that falls with the square of what is free: one user alone has three quarters of a bound, two 90 %, and a hundred still leave a thousandth free',
      'as at the bound itself. Clients without a user name count with all others of their address, an IPv6 /64 as one address. Where every listener checks user names (`-auth`, `-auth-jwt-key`, `-auth-http`) and admits clients without one, these together also have the share of one user, of `-max-connections` too',
    ],
    [
      'topics whose subscribers are cached, in use and before: of each; their memory',
      '{count broker GENERATION_TOPICS_MAX}; {bytes broker GENERATION_BYTES_MAX}, and no more than a sixteenth of `-memory-limit`',
      'those that are not used are dropped, and found anew when needed',
    ],
    [
      'entries of cached lists of subscribers',
      '{count broker CACHED_TARGETS_MAX}',
      'all lists are dropped, and made anew when needed',
    ],
    ['topic filters in one packet', '{count mqtt FILTERS_MAX}', 'DISCONNECT 0x97 (MQTT 5), closed'],
    [
      'retained messages',
      '`-retained-messages`, `-retained-bytes`',
      'a further message is delivered but not retained: Reason String, or PUBACK 0x97 if it has no subscriber (MQTT 5); counted and logged',
    ],
  ],
  Access: [
    [
      'password and token checks at the same time',
      '{count auth PARALLEL_CHECKS_MAX}, and no more than processors',
      'the next ones wait',
    ],
    [
      'waiting checks; time that a check waits',
      '{count auth CHECKS_WAITING_MAX}; {ms auth CHECK_WAIT_MS_MAX}',
      'CONNACK 0x89, server busy; strangers first',
    ],
    [
      'addresses and users whose logins come first, because they have succeeded before',
      '{count auth REMEMBERED_MAX} of each',
      'the one used longest ago is forgotten',
    ],
    [
      'requests to the HTTP server at the same time',
      '{count auth QUEUE_LIMITS.parallelMax}',
      'the next ones wait',
    ],
    [
      'waiting requests; time that a request waits',
      '{count auth QUEUE_LIMITS.waitingMax}; {ms auth QUEUE_LIMITS.waitMsMax}',
      'CONNACK 0x89, server busy',
    ],
    ['time of an HTTP request', '{ms auth TIMEOUT_MS}', 'CONNACK 0x88'],
    ['size of an HTTP answer', '{bytes auth ANSWER_BYTES_MAX}', 'CONNACK 0x88'],
    [
      'cached acceptances of the authentication server',
      '{count auth CACHED_MAX}, for `-auth-http-cache`',
      'the user with the most loses its oldest one',
    ],
    [
      'users with cached permissions; cached topics of each; characters of these topics',
      '{count auth USERS_MAX}; {count auth CACHED_TOPICS_MAX}; {count auth CACHED_CHARS_MAX}',
      'the oldest is removed, and computed again when needed',
    ],
    ['topic filters in a list of a token', '{count auth FILTERS_MAX}', 'the token is refused'],
    [
      'password, ACL and key files; keys in a file',
      '{bytes auth FILE_BYTES_MAX}; {count auth KEYS_MAX}',
      'the file is refused',
    ],
    ['iterations of a PBKDF2 hash', '{count auth ITERATIONS_MAX}', 'the line is refused'],
    [
      'memory (KiB), passes and lanes of an Argon2 hash',
      '{count auth ARGON2_KIB_MAX}, {count auth ARGON2_PASSES_MAX}, {count auth ARGON2_LANES_MAX}',
      'the line is refused',
    ],
  ],
  'Storage (`-data`)': [
    [
      'changes that wait for the disk, before publishers are held back',
      'what the disk writes in {ms storage BACKLOG_MS}, from {bytes storage BACKLOG_BYTES_MIN} to {bytes storage BACKLOG_BYTES_MAX}',
      'clients that publish with QoS 1 or 2, or retained, are not read until the disk has caught up; from half of it on, CONNECTs with a will or a session that is stored wait, and so do SUBSCRIBE and UNSUBSCRIBE of stored sessions',
    ],
    [
      'changes that wait for the disk',
      '{bytes storage PENDING_BYTES_MAX}',
      'discarded; a whole snapshot replaces them once the disk has room ([storage.md](storage.md))',
    ],
    [
      'logs',
      'the size of the snapshot, at least {bytes storage COMPACT_BYTES_MIN}',
      'a new snapshot replaces them',
    ],
    ['damaged files set aside', '{count storage DAMAGED_FILES_MAX}', 'the oldest is removed'],
  ],
  Cluster: clusterLimits,
  'Finding each other': discoveryLimits,
  'HTTP API': httpLimits,
  Log: [
    [
      'lines of one event in {ms cli REPEAT_WINDOW_MS}',
      '{count cli REPEATS_MAX}',
      'counted; the next line has the count',
    ],
    ['text of one field, in characters', '{count cli FIELD_CHARS_MAX}', 'the rest is cut'],
  ],
};

test('docs/limits.md has every bound as the sources have it', () => {
  const page = renderPage();
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, 'utf8'), page);
});

test('every option among the bounds exists', () => {
  const flags = new Set(Object.values(optionTable).map(({ flag }: AnyOption) => `-${flag}`));
  const named = [...renderPage().matchAll(/`(-[a-z-]+)`/g)].map(([, flag = '']) => flag);
  assert.deepEqual(
    named.filter((flag) => flag !== '-data' && !flags.has(flag)),
    [],
  );
});

function renderPage(): string {
  const sections = Object.entries(SECTIONS).map(([title, rows]) => {
    const lines = rows.map((row) => `| ${row.map(withConstants).join(' | ')} |\n`);
    return `\n## ${title}\n\n| what | bound | at the bound |\n| --- | --- | --- |\n${lines.join('')}`;
  });
  const costs = COSTS.map((row) => `| ${row.map(withConstants).join(' | ')} |\n`).join('');
  const parts = PARTS.map((row) => `| ${row.map(withConstants).join(' | ')} |\n`).join('');
  return HEAD + sections.join('') + OVERLOAD + PARTS_HEAD + parts + COSTS_HEAD + costs;
}

function withConstants(text: string): string {
  return text.replace(/\{(bytes|count|ms) (\w+) ([\w.]+)\}/g, (_, unit, layer, name) => {
    const value = constantOf(layer, name);
    if (unit === 'bytes') return formatBytes(value);
    return unit === 'ms' ? formatTime(value) : value.toLocaleString('en-US');
  });
}

/** The value of the one constant of this name in the sources of a layer. */
function constantOf(layer: string, name: string): number {
  const folder = join('src', layer);
  const [constant = '', field] = name.split('.');
  const value = field === undefined ? '' : `[^;]*\\b${field}: `;
  const pattern = new RegExp(
    `^(?:export )?const ${constant}(?:: number)? = ${value}([\\d_ ()*+-]+)[;,}]`,
    'gm',
  );
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(pattern)]);
  assert.equal(found.length, 1, `${name} in src/${layer}: found ${found.length} times`);
  const [, expression = ''] = found[0] ?? [];
  return Number(new Function(`return ${expression}`)());
}

function formatBytes(bytes: number): string {
  if (bytes >= 1024 ** 2 && bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2} MiB`;
  if (bytes > 1024 && bytes % 1024 === 0) return `${bytes / 1024} KiB`;
  return bytes === 1024 ? '1 KiB' : `${bytes} bytes`;
}

function formatTime(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} hours`;
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}
