// How V8's garbage collector works in this process. Only the program may set it: flags hold for the whole
// process, which with the library belongs to someone else.

import { setFlagsFromString } from 'node:v8';

/**
 * Frees the memory of buffers on the main thread. Node reads into new buffers of 64 KiB; freed by a helper
 * thread, their memory comes back cold, and locks of the allocator pass between the threads.
 */
export function tuneCollector(): void {
  setFlagsFromString('--no-concurrent-array-buffer-sweeping');
}
