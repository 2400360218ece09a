// Whether this node may take the address of the clients. Pure: the caller sends the probes to the address,
// and passes the time.
//
// A node that comes first takes the address once it has been silent for SILENT_MS: a killed process leaves it to
// its kernel for some seconds, and it may be the address of a host outside the cluster. It takes it before the
// nodes that come before it are offline where two witnesses agree: membership suspects each of them, and the
// address is silent. Neither alone is enough: a process that hangs is suspect, and its kernel still answers;
// a firewall makes the address silent, and its node is not suspect. Invariant: an address that answers is not
// taken, unless the caller says that another program moves it.

/** Three SYNs, so that the loss of two is not taken for silence. */
export const SILENT_MS = 900;
/** Longer than the lifetime of the address: what answers then is no node of this cluster that has died. */
const WAIT_MS_MAX = 4000;

export class HolderWatch {
  readonly #isMovedByHook: boolean;
  #isSuspect = false;
  #probedAt = Number.NEGATIVE_INFINITY;
  #silentSince = Number.NEGATIVE_INFINITY;
  #chosenAt: number | undefined;
  #mayHold = false;
  #isUsed = false;
  #isLost = false;

  /** @param isMovedByHook a program moves the address, which answers elsewhere until then */
  constructor(isMovedByHook = false) {
    this.#isMovedByHook = isMovedByHook;
  }

  /** True: the nodes before this one are passed over. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** This node comes first. */
  get isChosen(): boolean {
    return this.#chosenAt !== undefined;
  }

  /** This node comes first and does not take the address, because another host answers there. */
  get isUsed(): boolean {
    return this.#isUsed;
  }

  /** Whether this node holds the address. */
  get mayHold(): boolean {
    return this.#mayHold;
  }

  /** Whether the address is to be probed. */
  get isWatching(): boolean {
    const isWaiting = this.isChosen && !this.#mayHold && !this.#isUsed;
    return isWaiting || (this.#isSuspect && !this.#isLost);
  }

  /** @param isSuspect whether there are nodes before this one, all of them suspect or offline */
  setSuspect(isSuspect: boolean, now: number): void {
    if (isSuspect === this.#isSuspect) return;
    this.#isSuspect = isSuspect;
    this.#isLost = false;
    if (isSuspect) this.#silentSince = now;
  }

  /** This node comes first, or no longer does. With `true` again it begins to wait anew. */
  choose(isChosen: boolean, now: number): void {
    this.#chosenAt = isChosen ? now : undefined;
    this.#isUsed = false;
    this.#mayHold = isChosen && this.#isLost;
    // Silence counts only where probes were sent.
    if (now - this.#probedAt >= SILENT_MS) this.#silentSince = now;
  }

  /** A probe has ended at `now`. */
  probed(isAnswered: boolean, now: number): void {
    this.#probedAt = now;
    if (isAnswered) this.#silentSince = now;
    const isSilent = now - this.#silentSince >= SILENT_MS;
    this.#isLost ||= this.#isSuspect && isSilent;
    if (this.#chosenAt === undefined || this.#mayHold) return;
    const isOverdue = isAnswered && now - this.#chosenAt >= WAIT_MS_MAX;
    this.#mayHold = isSilent || (isOverdue && this.#isMovedByHook);
    this.#isUsed = isOverdue && !this.#mayHold;
  }
}
