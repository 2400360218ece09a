// The bounds of the cluster, for docs/limits.md: what, the bound, what happens there.

type Row = readonly [what: string, bound: string, effect: string];

export const clusterLimits: readonly Row[] = [
  [
    'clients of all nodes that a node knows, each with a will that fits a gossip datagram',
    '{count node CLIENTS_MAX}, and 15 % of `-memory-limit`',
    'a further client is not known to other nodes; counted (`clients/refused`), logged',
  ],
  [
    'topics with a version, cleared ones included',
    '{count node REGISTERS_PER_VALUE} for each of `-retained-messages`',
    'a further retained message crosses without a version; counted (`retained/refused`)',
  ],
  [
    'memory of all versions; of those of cleared topics, which are kept for `-tombstone-time`',
    '35 %; 25 % of `-memory-limit`',
    'a message on a further topic crosses without a version; counted (`retained/refused`), logged',
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
    '{count replica GROUP_REGISTERS_MAX}, and 5 % of `-memory-limit`',
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
    '{count sync HELD_DATAGRAMS_MAX}, {bytes sync HELD_BYTES_MAX} of receive buffer, for {ms sync JOIN_WAIT_MS}',
    'such a peer is not sent the older ones: counted by both (`cluster/peers/missedMessages`), logged',
  ],
  [
    'networks of this machine, with `-sync=multicast`',
    '{count net LINKS_MAX}',
    'nodes on further ones get unicast',
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
  [
    'messages of other nodes that wait for a turn of the event loop that has work left for them; of repaired values as much again',
    '{bytes node INTAKE_BYTES_MAX}, in equal shares for each node; {ms node INTAKE_MS_MAX}',
    'dropped, counted (`cluster/sync/overloadDroppedMessages`; `starvedDroppedMessages` where other programs use the processor), logged; a block of repaired values is asked for again',
  ],
];
