// The bounds of what finds other nodes and is found, for docs/limits.md: what, the bound, what happens there.

export const discoveryLimits: readonly (readonly [string, string, string])[] = [
  [
    'beacons that are read in a second: of one source; of all',
    '{count net BEACON_RATES.ofSource}; {count net BEACON_RATES.total}',
    'dropped unread, counted (`beacon/dropped/overRate`)',
  ],
  [
    'answers to beacons in a second; to one node',
    '{count discovery ANSWERS_PER_SECOND}; one in {ms discovery ANSWER_INTERVAL_MS}',
    'not answered, counted (`beacon/dropped/limited`)',
  ],
  [
    'boots whose calls are distinguished from recordings',
    '{count discovery CALLERS_MAX}',
    'the oldest is forgotten: a recording of it has one answer more',
  ],
  [
    'invitations at a time; time of each',
    '{count net INVITATIONS_MAX}; {ms net INVITATION_MS}',
    'the oldest ends; the line is void',
  ],
  [
    'connections of new boxes; their length; in a second of one address, of all',
    '{count net BOX_CONNECTIONS_MAX}; {ms net EXCHANGE_MS}; {count net ADDRESS_RATE_MAX}, {count net TOTAL_RATE_MAX}',
    'the oldest of the busiest address is closed; a new one beyond the rate is closed unread; counted (`cluster/invitations/refused`), logged',
  ],
  [
    'hosts of one service in `-mbs` (SRV)',
    '{count net SERVICE_HOSTS_MAX}',
    'the others are not contacted',
  ],
  ['networks on which a node calls', '{count net LINKS_MAX}', 'the others are not called'],
  [
    'boxes with another token that are remembered',
    '{count net CALLING_STRANGERS_MAX}',
    'further ones are counted only (`beacon/dropped/stranger`)',
  ],
  [
    'messages of mDNS that are read in a second on each interface: of one source; of all',
    '{count net MDNS_RATES.ofSource}; {count net MDNS_RATES.total}',
    'dropped unread, counted (`mdns/dropped/overRate`)',
  ],
  [
    'answers of mDNS to single hosts in a second on each interface',
    '{count discovery UNICASTS_PER_SECOND}',
    'not answered, counted (`mdns/dropped/limited`)',
  ],
  [
    'labels of all names of a message of mDNS',
    '{count discovery LABELS_MAX}',
    'dropped, counted (`mdns/dropped/malformed`)',
  ],
];
