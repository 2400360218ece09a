// Writes log lines to an output without ever waiting for it. Node writes to a terminal synchronously: a
// terminal that takes no output (Ctrl-S, a dead SSH session, a serial console) would stop the broker.
// Invariant: what waits for the output is bounded.

import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** Lines that may wait for the output. */
const PENDING_BYTES_MAX = 262_144;
/** Time that an exit waits for them. */
const FLUSH_MS_MAX = 1000;

/** Node's handle of a terminal or pipe; other runtimes and files have none. */
interface WithHandle {
  readonly _handle?: { setBlocking?(isBlocking: boolean): unknown } | null;
}

/** @returns a function that returns false if the output takes no more, and the line is lost */
export function nonBlockingWriter(output: Writable): (line: string) => boolean {
  let isBlocking = true;
  return (line) => {
    if (isBlocking) {
      (output as WithHandle)._handle?.setBlocking?.(false);
      isBlocking = false;
    }
    if (output.writableLength + line.length > PENDING_BYTES_MAX) return false;
    output.write(line);
    return true;
  };
}

/** Resolves when the output has taken everything, or will not in time. */
export async function flush(output: Writable): Promise<void> {
  if (output.writableLength === 0) return;
  const taken = new Promise<void>((resolve) => output.write('', () => resolve()));
  await Promise.race([taken, delay(FLUSH_MS_MAX)]);
}
