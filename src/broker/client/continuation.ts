// What a connection does once the store accepts again. It is cleared on disconnect, so that a store that
// accepts nothing for hours does not keep the clients that have left in memory.

export interface Continuation {
  run: ((now: number) => void) | undefined;
}

/** A function of its own: one made inside a method of the client would refer to the client. */
export function runOf(continuation: Continuation): (now: number) => void {
  return (now) => continuation.run?.(now);
}
