// Secrets that exist nowhere else, so that a test can prove by their absence that no output contains one. Looks for each in
// the forms in which a program prints bytes: as it is, in Base64 at any offset, in hexadecimal, escaped for a URL, backwards.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

/** Fewer characters of a secret than this are no finding: they could be chance. */
const PART_CHARACTERS = 12;

export class Canaries {
  readonly #forms = new Map<string, readonly string[]>();
  readonly #outputs: { readonly way: string; readonly text: string }[] = [];

  /** @returns a new secret, strong enough for a cluster token */
  make(name: string): string {
    const secret = `Sx${randomBytes(20).toString('hex')}`;
    this.add(name, secret);
    return secret;
  }

  /** @param secret that was made elsewhere */
  add(name: string, secret: string): void {
    const part = secret.slice(-PART_CHARACTERS);
    const whole = Buffer.from(secret);
    const base64 = [0, 1, 2].map((offset) => {
      const shifted = Buffer.concat([Buffer.alloc(offset), whole]).toString('base64');
      // The ends of the text mix with what is around the secret.
      return shifted.slice(4, 4 + PART_CHARACTERS);
    });
    const backwards = [...secret].reverse().join('').slice(0, PART_CHARACTERS);
    this.#forms.set(name, [part, ...base64, Buffer.from(part).toString('hex'), backwards]);
  }

  /** Keeps what a program has put out. @param way for the error */
  saw(way: string, text: string | Buffer): void {
    this.#outputs.push({ way, text: text.toString('latin1') });
  }

  get ways(): readonly string[] {
    return this.#outputs.map(({ way }) => way);
  }

  /** @param meant outputs that exist to hand a secret over: `way: name` */
  assertAbsent(meant: readonly string[] = []): void {
    const found = new Set<string>();
    for (const { way, text } of this.#outputs) {
      for (const [name, forms] of this.#forms) {
        if (forms.some((form) => text.includes(form))) found.add(`${way}: ${name}`);
      }
    }
    assert.deepEqual([...found].sort(), [...meant].sort());
  }
}
