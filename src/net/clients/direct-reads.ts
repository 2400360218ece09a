// Emits what a socket reads without the bookkeeping of its stream. Node's sockets pass each chunk to push(), which
// emits 'data' at once if nothing is queued, and then looks in a microtask of its own whether to read on: a
// twentieth of what a message costs that comes alone.
// Invariant: a stream that is paused, or that has chunks queued, works as without this; so does its end.

import { type Duplex, Readable } from 'node:stream';

/** For a stream whose source goes on by itself until push() returns false, as a socket of net and tls. */
export function emitChunksAtOnce(stream: Duplex): void {
  stream.push = pushAtOnce;
}

/** One function for all sockets: an idle one keeps no closure. */
function pushAtOnce(this: Duplex, chunk: Buffer | null): boolean {
  if (chunk === null || this.readableFlowing !== true || this.readableLength > 0) {
    return Readable.prototype.push.call(this, chunk);
  }
  this.emit('data', chunk);
  return true;
}
