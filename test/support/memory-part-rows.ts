// What the memory of a node consists of, for docs/limits.md: each part, its bound, and the test that holds it. A constant
// of the sources is written as in the other tables.

export const PARTS_HEAD = `
## What a node's memory consists of

Every part of a node that can grow, and its bound in bytes. A bound that counts things has the most that they can take beside it. The last
column is the test that counts what is kept, not the resident size of a process; \`node --import tsx test/simulation/day.ts\` shows all of
them together: days of three nodes on a clock that is moved, with new names of clients, topics and filters all the time.

| part | bound | test |
| --- | --- | --- |
`;

export const PARTS: readonly (readonly [part: string, bound: string, test: string])[] = [
  [
    'the program itself, idle',
    '62 to 69 MB resident with Node 20, 70 to 73 with Node 22 to 26',
    '`test/bench/start.ts`',
  ],
  [
    'keys of a new cluster token, checks of tokens of the HTTP API',
    '16 MB in each of the four threads of libuv, which `malloc` keeps; a reload with the same token derives none',
    '`embedded-node.test.ts`',
  ],
  [
    'sessions, subscriptions, retained and waiting messages, connections, wills, aliases',
    '`-memory-limit`, as [below](#what-counts-as-memory)',
    '`test/bench/memory-costs.ts`',
  ],
  [
    'bytes that clients have not read; bytes before CONNECT is answered',
    '{bytes net BACKLOG_BYTES}; {bytes net TOTAL_BYTES_MAX}',
    '`npm run test:attack`',
  ],
  [
    'topics with their subscribers, in two generations',
    'each {bytes broker GENERATION_BYTES_MAX}, or a sixteenth of `-memory-limit` if that is less; a topic counts {bytes broker CACHED_TOPIC_BYTES}, its bytes and its name',
    '`topic-table.test.ts`',
  ],
  [
    'lists of subscribers of these topics',
    '{count broker CACHED_TARGETS_MAX} entries, shared groups and the routes of topics included: up to 150 bytes each, so some 36 MiB',
    '`shares.test.ts`, `route.test.ts`',
  ],
  [
    'versions of retained topics, those of cleared ones included',
    '35 % of `-memory-limit`; a version counts {bytes replica REGISTER_BYTES} and its topic, and {bytes replica CLEARED_BYTES} more without a value',
    '`register-memory.test.ts`',
  ],
  [
    'clients of all nodes, those that left in the last ten minutes included',
    '15 % of `-memory-limit`, each as a version, and its will',
    '`register-memory.test.ts`',
  ],
  [
    'shared groups of all nodes',
    '5 % of `-memory-limit`, each as a version',
    '`register-memory.test.ts`',
  ],
  [
    'lines of the log in the timelines of clients',
    '{bytes http TIMELINES_BYTES_MAX}; a line counts {bytes http EVENT_BYTES} and its texts',
    '`client-timeline.test.ts`',
  ],
  [
    'messages of other nodes that wait for a turn, and as much of repaired values',
    '{bytes node INTAKE_BYTES_MAX} each',
    '`peer-intake.test.ts`',
  ],
  [
    'bytes for other nodes: datagrams; with `-large`, for each node',
    '`-queue-length` of `-datagram` bytes; {bytes sync BULK_QUEUE_BYTES_MAX}',
    '`sync-flow-control.test.ts`',
  ],
  [
    'changes that wait for the disk',
    '{bytes storage PENDING_BYTES_MAX}',
    '`test/attack/slow-disk.ts`',
  ],
];
