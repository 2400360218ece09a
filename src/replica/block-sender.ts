// Answers the requests of other members: cuts the ranges they asked for into blocks of one datagram
// and sends a few in each turn, round robin, so that neither live traffic nor another member waits.
// Invariant: a block covers its range whole: everything of the writer that is current in it is inside.

import { REQUEST_BLOCKS_MAX, REQUESTS_WAITING_MAX, TURN_BLOCKS_MAX, TURN_MS } from './limits.ts';
import type { Register } from './register.ts';
import type { RegisterMap } from './register-map.ts';
import type { LogRange, RepairPort, Request } from './repair-port.ts';

interface Job {
  readonly to: bigint;
  readonly id: number;
  readonly ranges: LogRange[];
  blocksLeft: number;
}

export class BlockSender {
  readonly #map: RegisterMap;
  readonly #port: RepairPort;
  #jobs: Job[] = [];
  #deadline = Number.POSITIVE_INFINITY;
  /** Requests that found no place. */
  refusedRequests = 0;

  constructor(map: RegisterMap, port: RepairPort) {
    this.#map = map;
    this.#port = port;
  }

  get deadline(): number {
    return this.#deadline;
  }

  /** A newer request of the same member takes the place of its older one. */
  handleRequest(from: bigint, { id, ranges }: Request, now: number): void {
    this.forget(from);
    if (this.#jobs.length >= REQUESTS_WAITING_MAX) {
      this.refusedRequests += 1;
      return;
    }
    this.#jobs.push({ to: from, id, ranges: [...ranges], blocksLeft: REQUEST_BLOCKS_MAX });
    this.#deadline = Math.min(this.#deadline, now);
  }

  forget(member: bigint): void {
    this.#jobs = this.#jobs.filter(({ to }) => to !== member);
  }

  advance(now: number): void {
    if (now < this.#deadline) return;
    for (let sent = 0; sent < TURN_BLOCKS_MAX && this.#port.isReady(); sent++) {
      const job = this.#jobs.shift();
      if (job === undefined) break;
      if (!this.#sendBlock(job)) this.#jobs.push(job);
    }
    this.#deadline = this.#jobs.length > 0 ? now + TURN_MS : Number.POSITIVE_INFINITY;
  }

  /** @returns true if that was the job's last */
  #sendBlock(job: Job): boolean {
    const range = this.#nextRange(job);
    job.blocksLeft -= 1;
    if (range === undefined) return true;
    const block = this.#fill(range);
    const wanted = job.ranges[0]!;
    if (block.to < wanted.to) job.ranges[0] = { ...wanted, from: block.to + 1 };
    else job.ranges.shift();
    const isLast = job.blocksLeft === 0 || this.#nextRange(job) === undefined;
    this.#port.sendBlock(job.to, {
      requestId: job.id,
      range: { writer: range.writer, from: range.from, to: block.to },
      isLast,
      registers: block.registers,
    });
    return isLast;
  }

  /** The next range of which we know something; what is not known here is passed over. */
  #nextRange({ ranges }: Job): LogRange | undefined {
    for (let range = ranges[0]; range !== undefined; range = ranges[0]) {
      const known = this.#map.log(range.writer)?.firstKnown(range);
      if (known !== undefined) return { writer: range.writer, ...known };
      ranges.shift();
    }
    return undefined;
  }

  #fill(range: LogRange): { readonly registers: Register[]; readonly to: number } {
    const log = this.#map.log(range.writer);
    const registers: Register[] = [];
    let room = this.#port.blockBytes;
    for (const register of log?.from(range.from) ?? []) {
      if (register.sequence > range.to) break;
      room -= this.#port.measure(register);
      if (room < 0 && registers.length > 0) return { registers, to: register.sequence - 1 };
      registers.push(register);
    }
    return { registers, to: range.to };
  }
}
