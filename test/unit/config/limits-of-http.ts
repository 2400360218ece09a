// The bounds of the HTTP API, for docs/limits.md: what, the bound, what happens there.

export const httpLimits: readonly (readonly [string, string, string])[] = [
  [
    'connections over TCP; on the control socket',
    '{count http CONNECTIONS_MAX} each',
    'the address with the most of them loses its oldest one, or gets no further one; counted, in the log',
  ],
  [
    'bytes that are read in one turn of the event loop',
    '{bytes http READ_BYTES} of one connection',
    'the others are read in later turns, in the order in which they came; nothing is lost',
  ],
  [
    'headers; their number; time until they are whole',
    '{bytes http HEADER_BYTES_MAX}; {count http HEADERS_MAX}; {ms http HEADERS_MS_MAX}',
    '431, or closed (408)',
  ],
  [
    'body; time of a whole request',
    '{bytes http BODY_BYTES_MAX}; {ms http REQUEST_MS_MAX}',
    '413, or closed (408)',
  ],
  [
    'items of one page of a list; their bytes',
    '{count http LIMIT_MAX}; {bytes http PAGE_BYTES_MAX}',
    '400; the page ends, and `next` leads on',
  ],
  ['streams of events', '{count http STREAMS_MAX}', '503'],
  [
    'lines of the log in the timeline of a client; of all clients',
    '{count http EVENTS_PER_CLIENT_MAX}; {bytes http TIMELINES_BYTES_MAX}',
    'the oldest line; the client that has been quiet for longest',
  ],
  [
    'events that wait for the reader of a stream: gathered; in its socket',
    '{bytes http PENDING_CHARACTERS_MAX}; {bytes http UNTAKEN_BYTES_MAX}',
    'dropped, counted (`http/dropped events`), and an event says how many; without any progress for {ms http STUCK_MS} closed',
  ],
  [
    'events of a stream in {ms http WINDOW_MS}, on each node',
    '{count http EVENTS_PER_WINDOW}',
    'dropped, counted (`http/dropped events`), and an event says how many',
  ],
  [
    'time of a trace; packets in a second that it sees',
    '{count http TRACE_SECONDS_MAX} s; {count node PACKETS_PER_SECOND_MAX}',
    'the trace ends and says why',
  ],
  ['tokens', '{count http TOKENS_MAX}', 'the oldest is void'],
  [
    'wrong tokens of one address in {ms http WAIT_MS}; addresses that are remembered',
    '{count http GUESSES_MAX}; {count http ADDRESSES_MAX}',
    '429, counted, logged; the address that is forgotten may guess again',
  ],
  ['changes in the audit log', '{count http ENTRIES_MAX}', 'the oldest is dropped; the log has it'],
];
