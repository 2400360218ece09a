// One key of a replicated map as this node knows it: its version, whether it has a value, and the log of
// its writer. The owner of the map keeps the value itself.

import type { Stamp } from '../shared/stamp.ts';
import type { WriterLog } from './writer-log.ts';

export class Register implements Stamp {
  readonly key: string;
  readonly time: number;
  readonly sequence: number;
  readonly log: WriterLog;
  /** False: the key was cleared; kept for a while so that no older value comes back (a tombstone). */
  hasValue: boolean;

  constructor(key: string, log: WriterLog, time: number, sequence: number, hasValue: boolean) {
    this.key = key;
    this.log = log;
    this.time = time;
    this.sequence = sequence;
    this.hasValue = hasValue;
  }

  get writer(): bigint {
    return this.log.writer;
  }
}
