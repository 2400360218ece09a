// What every node says of the same change of a member: `shoal watch` shows the first one that it hears, and
// leaves out the echoes of the others. Pure.

import { memberOfEvent } from '../../shared/event-words.ts';
import type { NodeEvent } from './event-words.ts';

/** By then the news has reached every node. */
const ECHO_MS = 10_000;
const KEPT_MAX = 1000;

interface Said {
  readonly at: number;
  readonly by: Set<string>;
}

export class MemberEchoes {
  readonly #said = new Map<string, Said>();

  /** @returns whether another node has said the same a short time before; a node that says it again has news */
  isEcho({ node, at, event }: NodeEvent): boolean {
    const member = memberOfEvent(event);
    if (member === undefined) return false;
    const key = `${member.name} ${member.state}`;
    const said = this.#said.get(key);
    if (said !== undefined && Math.abs(at - said.at) < ECHO_MS && !said.by.has(node)) {
      said.by.add(node);
      return true;
    }
    if (this.#said.size >= KEPT_MAX) this.#said.clear();
    this.#said.set(key, { at, by: new Set([node]) });
    return false;
  }
}
