// Single keys from a terminal: raw mode while a command listens, and the usual mode afterwards.

import type { ReadStream } from 'node:tty';

/** @returns stops listening and gives the terminal back */
export function readKeys(input: ReadStream, handler: (key: string) => void): () => void {
  if (input.isTTY !== true) return () => undefined;
  const take = (bytes: Buffer): void => handler(bytes.toString());
  input.setRawMode(true).on('data', take).resume();
  return () => {
    input.setRawMode(false).off('data', take).pause();
  };
}
