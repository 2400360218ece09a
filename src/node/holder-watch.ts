// Whether this node may take the address of the clients from nodes that come before it. Pure: the caller sends
// the probes to the address, and passes the time.
//
// It takes the address before they are offline where two witnesses agree: membership suspects each of them,
// and the address itself has been silent for SILENT_MS. Neither alone is enough: a process that hangs is suspect, and
// its kernel still answers; a firewall makes the address silent, and its node is not suspect. After they
// are offline it waits until the address is silent, because a killed process leaves it to its kernel for
// some seconds. Invariant: while the address answers, another node waits for it, WAIT_MS_MAX at most.

/** Three SYNs, so that the loss of two is not taken for silence. */
export const SILENT_MS = 900;
/** Longer than the lifetime of the address: what answers then is no node of this cluster. */
const WAIT_MS_MAX = 4000;

export class HolderWatch {
  #isSuspect = false;
  #silentSince = Number.NEGATIVE_INFINITY;
  #chosenAt: number | undefined;
  #isLost = false;

  /** True: the nodes before this one are passed over. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Whether the address is to be probed. */
  isWatching(now: number): boolean {
    const isWaiting = this.#chosenAt !== undefined && !this.mayHold(now);
    return isWaiting || (this.#isSuspect && !this.#isLost);
  }

  /** Whether this node, if it comes first, holds the address. */
  mayHold(now: number): boolean {
    if (this.#chosenAt === undefined) return false;
    return this.#isSilent(now) || now - this.#chosenAt >= WAIT_MS_MAX;
  }

  /** @param isSuspect whether there are nodes before this one, all of them suspect or offline */
  setSuspect(isSuspect: boolean, now: number): void {
    if (isSuspect === this.#isSuspect) return;
    this.#isSuspect = isSuspect;
    this.#isLost = false;
    if (isSuspect) this.#silentSince = now;
  }

  /** This node comes first, or no longer does. */
  choose(isChosen: boolean, now: number): void {
    this.#chosenAt = isChosen ? now : undefined;
    if (!isChosen) this.#silentSince = Number.NEGATIVE_INFINITY;
  }

  /** A probe has ended at `now`. */
  probed(isAnswered: boolean, now: number): void {
    if (isAnswered) this.#silentSince = now;
    else this.#isLost ||= this.#isSuspect && this.#isSilent(now);
  }

  #isSilent(now: number): boolean {
    return now - this.#silentSince >= SILENT_MS;
  }
}
