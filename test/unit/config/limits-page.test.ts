// Generates docs/limits.md from the constants of the sources, and compares the page with it. After a
// change: UPDATE_DOCS=1 npx tsx test/run.ts test/unit/config

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { optionTable } from '../../../src/config/config.ts';
import type { AnyOption } from '../../../src/config/option.ts';
import { COSTS, COSTS_HEAD } from '../../support/memory-cost-rows.ts';
import { OVERLOAD } from '../../support/overload-figures.ts';
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
      'wrong passwords of one address, connections of one client from one address, in a minute',
      '`-ban-failures`, `-ban-connects`',
      'CONNACK 0x8A for `-ban-time`, counted and logged ([guards.md](guards.md#bans)); {count broker BANS_MAX} bans, and {count broker WATCHED_MAX} addresses, clients and users that are watched: the oldest is forgotten',
    ],
    [
      'messages and bytes a second of one client; of all clients of a listener; new connections a second',
      '`-client-message-rate`, `-client-byte-rate`; `-message-rate`, `-byte-rate`; `-connect-rate`, after silence for `-rate-burst` at once',
      'clients are read more slowly and take turns, and nothing is lost; connections wait, {count net ACCEPTS_WAITING_MAX} at most, then the newest one of the address with the most is closed; counted and logged ([guards.md](guards.md))',
    ],
    ['HTTP header of a WebSocket', '{bytes net HTTP_HEADER_BYTES_MAX}', '400, closed'],
    [
      'WebSocket message',
      '`-max-packet-size` and {bytes net WEBSOCKET_MESSAGE_SPARE_BYTES} more, in {count net FRAGMENTS_MAX} frames',
      'closed with 1009 or 1008',
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
      'closed, counted, logged',
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
      'what one user may use of `-memory-limit`, of `-queue-memory`, of retained messages and their bytes, of topic levels, of shapes, and with absent sessions of `-max-sessions`',
      'a share that falls with the square of what is free: one user alone has three quarters of a bound, two 90 %, and a hundred still leave a thousandth free',
      'as at the bound itself. Clients without a user name count with all others of their address, an IPv6 /64 as one address. Where every listener checks user names (`-auth`, `-auth-jwt-key`, `-auth-http`) and admits clients without one, these together also have the share of one user, of `-max-connections` too',
    ],
    [
      'topics whose subscribers are cached, in use and before: of each; their bytes',
      '{count broker GENERATION_TOPICS_MAX}; {bytes broker GENERATION_BYTES_MAX}',
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
  Cluster: [
    [
      'clients of all nodes that a node knows, each with a will that fits a gossip datagram',
      '{count node CLIENTS_MAX}',
      'a further client is not known to other nodes; counted (`clients/refused`), logged',
    ],
    [
      'topics with a version, cleared ones included',
      '{count node REGISTERS_PER_VALUE} for each of `-retained-messages`',
      'a further retained message crosses without a version; counted (`retained/refused`)',
    ],
    ['nodes whose status is known', '{count node NODES_MAX}', 'a further one is not shown'],
    [
      'Topic Filters that a node announces with `-forward=interest`',
      '{count mqtt JOINED_FILTERS_MAX}, {count mqtt JOINED_BYTES_MAX} bytes together, {count mqtt JOINED_FILTER_BYTES_MAX} bytes and {count mqtt JOINED_LEVELS_MAX} levels each',
      'they are cut after some levels, at last to `#`',
    ],
    [
      'different Topic Filters of a node that are joined for this',
      '{count mqtt FILTERS_TO_JOIN_MAX}',
      'the node announces `#`',
    ],
    [
      'registers of the filters of all nodes, up to four each',
      '{count node FILTER_REGISTERS_ALL_MAX}',
      'further nodes are sent everything',
    ],
    [
      'datagrams that wait for each node with `-forward=interest`',
      'an equal share of `-queue-length`, at least {count sync QUEUE_SHARE_MIN}',
      '`-queue-policy`, counted',
    ],
    [
      'shared groups of all nodes, with `-shared=cluster`: one for each group and node that has members',
      '{count replica GROUP_REGISTERS_MAX}',
      'the members of a further one are not known to other nodes, so that its messages are served on each node; counted (`groups/refused`), logged',
    ],
    [
      'PUBLISH that crosses to other nodes, encoded',
      '{bytes sync PUBLISH_BYTES_MAX}, with `-large` its size',
      'a larger one stays on its node, counted, logged with topic and client',
    ],
    [
      'bytes that wait for one node with `-large`; time that its connection may take none',
      '{bytes sync BULK_QUEUE_BYTES_MAX}; {ms sync BULK_STALL_MS}',
      'the message is lost for that node, counted, logged; the connection is opened anew',
    ],
    [
      'frame of another node with `-large`: before its hello; after it',
      '18 bytes; the larger of `-large` and {bytes sync BULK_FRAME_BYTES_MAX}',
      'skipped unread, counted and logged',
    ],
    [
      'with `-roaming`: wait of a CONNECT for its session; bytes of a session; transfers at a time, in each direction',
      '{ms node FETCH_MS_MAX}; {bytes node SESSION_BYTES_MAX}; {count node TRANSFERS_MAX}',
      'a new session begins, logged and counted; the old one stays on its node',
    ],
    [
      'TLS handshakes of other nodes at a time; time of one; time for its hello',
      '{count net HANDSHAKES_MAX}; {ms net HANDSHAKE_MS}; {ms sync HELLO_MS}',
      'the connection is closed and counted',
    ],
    [
      'time that messages wait for a first peer, after the start or after the last peer went offline',
      '{ms sync JOIN_WAIT_MS}, in the send queue',
      'discarded, counted (`noPeerMessages`), logged',
    ],
    [
      'heartbeats whose acknowledgement is awaited, for each peer',
      '{count sync SENT_HEARTBEATS_MAX}',
      'older ones are not judged',
    ],
    [
      'datagrams that wait for the network, of `-datagram` bytes each',
      '`-queue-length`',
      '`-queue-policy`, counted; receivers count the same messages as lost',
    ],
    [
      'datagrams of a peer that wait for a missing one',
      '{count sync HOLD_DATAGRAMS}, for {ms sync HOLD_MS}',
      'the missing one is given up, and its messages are counted as lost',
    ],
    [
      'time between the parts of a split message',
      '{ms sync PARTIAL_MS}',
      'the message is dropped and counted as lost',
    ],
    [
      'datagrams of a sender that are remembered against repeats',
      '{count sync REPEAT_SPAN}',
      'older ones are dropped and counted as late',
    ],
    [
      'peers with counters; former peers with positions',
      '{count sync PEER_NAMES_MAX}; {count sync RETIRED_STREAMS_MAX}',
      'the oldest is removed',
    ],
    [
      'members, online or not',
      '{count swim MEMBERS_MAX}',
      'one that never answered is removed first, then the one that has been offline longest; a new node that proves itself also replaces an online one that never answered; otherwise the new one is refused and counted (`tableFull`)',
    ],
    [
      'challenges in {ms swim INTERVAL_MS}, to one boot of a node; to one address',
      '{count swim CHALLENGES_PER_BOOT_MAX}; {count swim CHALLENGES_PER_ADDRESS_MAX}',
      'the datagram is not answered, and counted (`unproven`)',
    ],
    [
      'boots and addresses that are remembered for this; datagrams of each boot',
      '{count swim BOOTS_MAX}, {count swim ADDRESSES_MAX}; {count swim COUNTERS_MAX}',
      'the oldest is forgotten',
    ],
    [
      'hellos of a node in a second to peers that never answered: first {count sync HELLOS_FIRST} of each; later ones',
      '{count sync HELLOS_FIRST_PER_SECOND}; {count sync HELLOS_LATER_PER_SECOND}',
      'the others wait for their next turn',
    ],
    [
      'datagrams held for peers that have not answered yet',
      '{count sync HELD_DATAGRAMS_MAX}, for {ms sync JOIN_WAIT_MS}',
      'such a peer is not sent the older ones, and counts their messages as lost',
    ],
    ['time that an offline member is remembered', '{ms swim RETENTION_MS}', 'it is removed'],
    [
      'gossip datagram, sent; received',
      '{bytes net DATAGRAM_BYTES_MAX}; {bytes net RECEIVED_BYTES_MAX}',
      'the rest goes with the next one; a longer one is dropped unread and counted (`tooLong`)',
    ],
    ['metadata of a node', '{bytes swim METADATA_BYTES_MAX}', 'its record is malformed'],
    [
      'indirect pings for other members at the same time',
      '{count swim INDIRECT_PROBES_MAX}',
      'a further request is not served',
    ],
    [
      'members that are probed in a round, besides the member whose turn it is',
      '{count swim EXTRA_PROBES_MAX}',
      'the others wait for the next round',
    ],
    [
      'addresses contacted at a time: of a host name in `-mbs`; of all seeds',
      '{count net ADDRESSES_PER_TURN}; {count swim SEEDS_PER_TURN_MAX}',
      'of a host name, the next ones follow at its next turn',
    ],
    [
      'nodes that speak to this one, do not hear it and are no members',
      '{count swim UNHEARD_BOOTS_MAX}',
      'the oldest is forgotten',
    ],
    [
      'wait for another node before MQTT opens',
      '{ms node JOIN_MS_MAX}',
      'MQTT opens without other nodes, logged',
    ],
    [
      'request to another node; reply',
      '{bytes query REQUEST_BYTES_MAX}; {bytes query REPLY_BYTES_MAX}',
      'refused (status 413)',
    ],
    [
      'requests of a node that wait for a reply: to one node; to all',
      '{count query ASKED_PER_MEMBER_MAX}; {count query ASKED_MAX}',
      'refused here (status 503), counted (`queries/failed/busy`)',
    ],
    [
      'requests of other nodes that a node works on: of one node; of all',
      '{count query SERVED_PER_MEMBER_MAX}; {count query SERVED_MAX}',
      'refused, counted (`queries/refused`), logged',
    ],
    [
      'parts of replies on their way to a node that asks',
      '{count query NODE_WINDOW_PARTS}',
      'the others wait',
    ],
    [
      'wait for a reply: without any datagram of the node; in all',
      '{ms query SILENT_MS}; {ms node QUERY_TIMEOUT_MS}, at most {ms query TIMEOUT_MS_MAX}',
      'the request fails (status 504), counted',
    ],
    [
      'streams that other nodes follow; items and bytes that wait for one follower',
      '{count node STREAMS_MAX}; {count node STREAM_ITEMS_MAX}, {bytes node STREAM_BYTES_MAX}',
      'refused (status 503); the oldest are dropped, and the follower learns how many',
    ],
    [
      'probes of other nodes that are checked and answered in a second',
      '{count net ANSWERS_PER_SECOND_MAX}',
      'dropped unread, counted (`probes/dropped`)',
    ],
    ['node name, cluster name', '{bytes swim NAME_BYTES_MAX}', 'refused at the start'],
  ],
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
  return HEAD + sections.join('') + OVERLOAD + COSTS_HEAD + costs;
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
