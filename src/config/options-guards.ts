// Options of the guards: what keeps one client from harming the others. All are off by default, and
// then cost nothing. SIGHUP applies all of them.

import { option } from './option.ts';
import { bytesLimit, limit, seconds } from './value-types.ts';

const NO_LIMIT = { fallback: Number.POSITIVE_INFINITY, fallbackText: '0 (no limit)' };
const MIB = 1024 ** 2;

export const guardOptions = {
  clientMessageRate: option({
    flag: 'client-message-rate',
    group: 'Limits',
    type: limit(1_000_000),
    ...NO_LIMIT,
    help: 'messages a second that one client may publish; a faster client is read more slowly',
    reload: true,
  }),
  clientByteRate: option({
    flag: 'client-byte-rate',
    group: 'Limits',
    type: bytesLimit(1024 * MIB),
    ...NO_LIMIT,
    help: 'bytes a second that one client may send; a faster client is read more slowly',
    reload: true,
  }),
  messageRate: option({
    flag: 'message-rate',
    group: 'Limits',
    type: limit(1_000_000),
    ...NO_LIMIT,
    help: 'messages a second that all clients of a listener together may publish; they take turns',
    reload: true,
  }),
  byteRate: option({
    flag: 'byte-rate',
    group: 'Limits',
    type: bytesLimit(1024 * MIB),
    ...NO_LIMIT,
    help: 'bytes a second that all clients of a listener together may send; they take turns',
    reload: true,
  }),
  connectRate: option({
    flag: 'connect-rate',
    group: 'Limits',
    type: limit(1_000_000),
    ...NO_LIMIT,
    help: 'new connections a second that a listener serves; further ones wait, and addresses take turns',
    reload: true,
  }),
  rateBurstSeconds: option({
    flag: 'rate-burst',
    group: 'Limits',
    type: seconds(1, 3600),
    fallback: 1,
    help: 'burst after silence, in all of these rates: what the rate allows in this time comes at once',
    reload: true,
  }),
} as const;
