// The version of a replicated value (src/replica), as it travels with the value's PUBLISH.

export interface Stamp {
  /** Cluster time of the write, ms. */
  readonly time: number;
  /** Boot id of the node that wrote. */
  readonly writer: bigint;
  /** Number of the write among all of its writer, from 1. */
  readonly sequence: number;
}
