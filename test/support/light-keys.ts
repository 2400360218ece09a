// Keys whose MAC is a checksum: for simulations of nodes that all know the token, in which HMAC would take a
// fifth of the time. Knows only the interface of src/shared/hmac.ts. Protects against nothing but chance;
// test/simulation/sync-trust.test.ts has the real keys.

import { Hmac } from '../../src/shared/hmac.ts';
import type { ChannelKeys } from '../../src/shared/key-ring.ts';

class Checksum extends Hmac {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    super(key);
    this.#key = key;
  }

  override sign(message: Buffer, end: number, bytes: number): void {
    const sum = this.#sum(message, end);
    for (let at = 0; at < bytes; at++) message[end + at] = sum >>> (8 * (at & 3));
  }

  override verify(message: Buffer, end: number): boolean {
    const sum = this.#sum(message, end);
    for (let at = end; at < message.length; at++) {
      if (message[at] !== ((sum >>> (8 * ((at - end) & 3))) & 0xff)) return false;
    }
    return true;
  }

  /** FNV-1a. */
  #sum(message: Buffer, end: number): number {
    let sum = this.#key.readUInt32BE(0);
    for (let at = 0; at < end; at++) sum = Math.imul(sum ^ message[at]!, 0x01000193);
    return sum >>> 0;
  }
}

/** The same keys by the same ids. Encryption stays what it is. */
export function lightKeys({ channel, signing, accepted }: ChannelKeys): ChannelKeys {
  const light = new Map(
    [...accepted].map(([id, key]) => [id, { ...key, mac: new Checksum(key.macKey) }]),
  );
  return { channel, signing: light.get(signing.id)!, accepted: light };
}
