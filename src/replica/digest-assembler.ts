// Puts the pages of a member's digest together: what was fetched counts only against a whole digest.
// Of each member the pages of its newest digest are kept; a digest that lost a page is never complete.

import type { DigestPage } from './codec.ts';
import type { DigestEntry } from './register-map.ts';

interface Assembly {
  readonly number: number;
  readonly pages: (readonly DigestEntry[] | undefined)[];
  missing: number;
}

export class DigestAssembler {
  readonly #assemblies = new Map<bigint, Assembly>();

  /** @returns the whole digest when this was its last missing page */
  add(member: bigint, { number, page, pages, entries }: DigestPage): DigestEntry[] | undefined {
    let assembly = this.#assemblies.get(member);
    if (assembly?.number !== number || assembly.pages.length !== pages) {
      assembly = { number, pages: new Array(pages).fill(undefined), missing: pages };
      this.#assemblies.set(member, assembly);
    }
    if (assembly.pages[page] !== undefined) return undefined;
    assembly.pages[page] = entries;
    assembly.missing -= 1;
    if (assembly.missing > 0) return undefined;
    this.#assemblies.delete(member);
    return merged(assembly.pages);
  }

  /** Forgets the pages of members that are not online. */
  keepOnly(members: readonly bigint[]): void {
    for (const member of this.#assemblies.keys()) {
      if (!members.includes(member)) this.#assemblies.delete(member);
    }
  }
}

/** A log with many gaps may continue on the next page. */
function merged(pages: readonly (readonly DigestEntry[] | undefined)[]): DigestEntry[] {
  const whole: DigestEntry[] = [];
  for (const { writer, known } of pages.flatMap((page) => page ?? [])) {
    const last = whole.at(-1);
    if (last?.writer !== writer) whole.push({ writer, known });
    else whole[whole.length - 1] = { writer, known: [...last.known, ...known] };
  }
  return whole;
}
