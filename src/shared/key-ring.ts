// Keys of the cluster, derived once at start from the tokens of -csk. The cluster's name and the
// channel go into the derivation, so a datagram of one channel or cluster never verifies on
// another. Sources: RFC 7914 (scrypt), RFC 5869 (HKDF).

import { hkdfSync, scrypt } from 'node:crypto';
import { Hmac } from './hmac.ts';

export type Channel = 'gossip' | 'sync';

export interface ChannelKey {
  /** Stands in every datagram so that the receiver picks the key without trying all. */
  readonly id: number;
  /** 32 bytes. */
  readonly macKey: Buffer;
  readonly mac: Hmac;
  /** Root of the per-boot AES-256-GCM keys; 32 bytes. */
  readonly cipherRoot: Buffer;
}

export interface ChannelKeys {
  readonly channel: Channel;
  /** The first token's key: everything we send is signed with it. */
  readonly signing: ChannelKey;
  /** Every token's key by id: all of them are accepted. */
  readonly accepted: ReadonlyMap<number, ChannelKey>;
}

export interface KeyRing {
  readonly gossip: ChannelKeys;
  readonly sync: ChannelKeys;
}

const KEY_BYTES = 32;
const STRETCH_COST = { N: 16384, r: 8, p: 1 } as const;

/**
 * @param tokens one or more non-empty cluster tokens; the first signs, all verify
 * @param clusterName separates clusters that share a token and a network
 */
export async function deriveKeyRing(
  tokens: readonly string[],
  clusterName: string,
): Promise<KeyRing> {
  if (tokens.length === 0) throw new Error('a key ring needs at least one token');
  const roots = await Promise.all(tokens.map((token) => stretch(token, clusterName)));
  return { gossip: channelKeys(roots, 'gossip'), sync: channelKeys(roots, 'sync') };
}

function stretch(token: string, clusterName: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(token, `shoal/1/${clusterName}`, KEY_BYTES, STRETCH_COST, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function channelKeys(roots: readonly Buffer[], channel: Channel): ChannelKeys {
  const keys = roots.map((root) => channelKey(root, channel));
  return { channel, signing: keys[0]!, accepted: new Map(keys.map((key) => [key.id, key])) };
}

function channelKey(root: Buffer, channel: Channel): ChannelKey {
  const macKey = expand(root, `${channel}/mac`, KEY_BYTES);
  return {
    id: expand(root, `${channel}/id`, 4).readUInt32BE(0),
    macKey,
    mac: new Hmac(macKey),
    cipherRoot: expand(root, `${channel}/cipher`, KEY_BYTES),
  };
}

/** HKDF-SHA256 without salt; `info` names the purpose. */
export function expand(secret: Buffer, info: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', info, bytes));
}
