// The cluster's keys, derived at the start from the tokens of -csk. The derivation includes the
// cluster's name and the channel, so a datagram of one channel or cluster never verifies on another.
// Sources: RFC 7914 (scrypt), RFC 5869 (HKDF).

import { hkdfSync, scrypt } from 'node:crypto';
import { Hmac } from './hmac.ts';

export type Channel = 'gossip' | 'sync';

export interface ChannelKey {
  /** Every datagram carries it, so that the receiver knows the key without trying all. */
  readonly id: number;
  /** 32 bytes. */
  readonly macKey: Buffer;
  readonly mac: Hmac;
  /** 32 bytes, from which the AES-256-GCM key of each boot is derived. */
  readonly cipherRoot: Buffer;
}

export interface ChannelKeys {
  readonly channel: Channel;
  /** The key of the first token, which signs all that this node sends. */
  readonly signing: ChannelKey;
  /** The keys of all tokens by id: each is accepted. */
  readonly accepted: ReadonlyMap<number, ChannelKey>;
}

/** Keys of one purpose, by identities that are no secrets. */
export interface PresharedKeys {
  /** Of the first token: the node uses it for what it begins itself. */
  readonly own: { readonly identity: string; readonly key: Buffer };
  /** Of all tokens, by identity: each is accepted. */
  readonly accepted: ReadonlyMap<string, Buffer>;
}

/** Keys of the beacon, which shows nothing of them: a receiver tries all. */
export interface BeaconKeys {
  /** 32 bytes, of the first token. */
  readonly own: Buffer;
  readonly accepted: readonly Buffer[];
}

export interface KeyRing {
  readonly gossip: ChannelKeys;
  readonly sync: ChannelKeys;
  /** Of the TLS connections between nodes. */
  readonly bulk: PresharedKeys;
  readonly beacon: BeaconKeys;
  /** Under which a node hands new tokens to another one (token-seal.ts). */
  readonly handover: PresharedKeys;
}

const KEY_BYTES = 32;
/** Part of what is stretched: keys of other parameters have other ids (docs/decisions/0103). */
const STRETCH_VERSION = 1;
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
  return {
    gossip: channelKeys(roots, 'gossip'),
    sync: channelKeys(roots, 'sync'),
    beacon: beaconKeys(roots),
    bulk: presharedKeys(roots, 'bulk', 'psk'),
    handover: presharedKeys(roots, 'handover', 'cipher'),
  };
}

/** The names of the tokens, in their order: the ids that their datagrams carry in the clear. */
export function tokenIds({ gossip }: KeyRing): string[] {
  return [...gossip.accepted.keys()].map((id) => id.toString(16).padStart(8, '0'));
}

function stretch(token: string, clusterName: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(
      token,
      `shoal/${STRETCH_VERSION}/${clusterName}`,
      KEY_BYTES,
      STRETCH_COST,
      (error, key) => (error ? reject(error) : resolve(key)),
    );
  });
}

function channelKeys(roots: readonly Buffer[], channel: Channel): ChannelKeys {
  const keys = roots.map((root) => channelKey(root, channel));
  return { channel, signing: keys[0]!, accepted: new Map(keys.map((key) => [key.id, key])) };
}

function presharedKeys(roots: readonly Buffer[], purpose: string, use: string): PresharedKeys {
  const keys = roots.map((root) => ({
    identity: expand(root, `${purpose}/id`, 4).toString('hex'),
    key: expand(root, `${purpose}/${use}`, KEY_BYTES),
  }));
  return { own: keys[0]!, accepted: new Map(keys.map(({ identity, key }) => [identity, key])) };
}

function beaconKeys(roots: readonly Buffer[]): BeaconKeys {
  const accepted = roots.map((root) => expand(root, 'beacon/key', KEY_BYTES));
  return { own: accepted[0]!, accepted };
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

/** HKDF-SHA256 without a salt. @param info the purpose of the key */
export function expand(secret: Buffer, info: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', info, bytes));
}
