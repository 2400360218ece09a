// Fuzz target: what the rotation of the cluster token reads. That is the file of tokens, the tokens that another node
// hands over, and what other nodes answer while this one leads a rotation. The other node has the token.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ConfigError, loadConfig } from '../../../src/config/load.ts';
import { HttpProblem } from '../../../src/http/problem.ts';
import { ClusterTokens, type TokenCluster } from '../../../src/node/cluster/cluster-tokens.ts';
import type { ConfigSource } from '../../../src/node/config-source.ts';
import type { KeyRing } from '../../../src/shared/key-ring.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import type { NodeReply } from '../../../src/shared/node-request.ts';
import { sealTokens } from '../../../src/shared/token-seal.ts';
import { type FuzzTarget, sources } from '../engine/target.ts';

const OLD = 'c1c5b8f02b7f4c0d9e6a3d2f1b0a9c8d';
const TURNS_MAX = 500;

/** As deriveKeyRing makes it, without the stretching, which takes 50 ms for each token. */
function ringOf(tokens: readonly string[]): KeyRing {
  const keys = tokens.map((token) => createHash('sha256').update(token).digest());
  const identities = keys.map((key) => key.toString('hex', 0, 4));
  const accepted = new Map(keys.map((key, index) => [identities[index]!, key]));
  const own = { identity: identities[0]!, key: keys[0]! };
  const gossip = { accepted: new Map(keys.map((key) => [key.readUInt32BE(0), key])) };
  return { gossip, handover: { own, accepted } } as unknown as KeyRing;
}

/** What a node reads from its file. @returns undefined for a file that it refuses */
function tokensIn(file: string): readonly string[] | undefined {
  const host = { environment: {}, hostName: 'box1', readFile: () => file };
  try {
    return loadConfig({ 'csk-file': 'tokens' }, host).config.tokens;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return undefined;
  }
}

/** A node with a file of tokens and one other node, which gives these replies in turn. */
class TokenNode {
  tokens: readonly string[] = [OLD];
  readonly #replies: readonly NodeReply[];
  #asked = 0;
  readonly api: ClusterTokens;

  constructor(replies: readonly NodeReply[]) {
    this.#replies = replies;
    const reply = (): NodeReply => this.#replies[this.#asked++ % this.#replies.length]!;
    const own = (): Promise<NodeReply> => this.#own();
    const node = this;
    const cluster = {
      get keys() {
        return ringOf(node.tokens);
      },
      status: { members: () => [] },
      queries: {
        ask: async () => reply(),
        askAll: async () =>
          new Map([
            ['box1', await own()],
            ['box2', reply()],
          ]),
      },
    };
    const source: Partial<ConfigSource> = {
      tokensObstacle: async () => undefined,
      replaceTokens: async (tokens) => {
        this.tokens = tokens;
      },
    };
    this.api = new ClusterTokens({
      nodeName: 'box1',
      log: silentLogger,
      cluster: cluster as unknown as TokenCluster,
      source: source as ConfigSource,
      config: () => ({ tokens: this.tokens }) as never,
      wait: () => Promise.resolve(),
    });
  }

  async #own(): Promise<NodeReply> {
    return { status: 200, body: { nodes: [await this.api.view()] } };
  }

  check(): void {
    const { tokens } = this;
    assert.ok(tokens.length === 1 || tokens.length === 2, `${tokens.length} tokens`);
    const file = Buffer.from(tokens.map((token) => `${token}\n`).join(''));
    const read = tokensIn(file.toString('utf8'));
    assert.deepEqual(read, tokens, 'its file holds other tokens');
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function takes(handed: unknown): Promise<void> {
  const node = new TokenNode([{ status: 404 }]);
  const tokens = Array.isArray(handed) ? handed : [handed];
  const { handover } = ringOf(node.tokens);
  try {
    await node.api.take(sealTokens(tokens as string[], handover, 'box1'));
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    assert.deepEqual(node.tokens, [OLD]);
  }
  assert.ok(node.tokens.includes(OLD), 'it forgets the token that it signs with');
  node.check();
}

async function leads(replies: readonly NodeReply[]): Promise<void> {
  const node = new TokenNode(replies);
  try {
    await node.api.rotate('start');
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
  }
  for (let turn = 0; node.api.rotation.state === 'running'; turn++) {
    assert.ok(turn < TURNS_MAX, 'the rotation does not end');
    await new Promise(setImmediate);
  }
  const { state, keeps } = node.api.rotation;
  if (state !== 'done') assert.ok(node.tokens.includes(OLD), 'it forgets the old token too early');
  else
    assert.deepEqual(
      [...ringOf(node.tokens).gossip.accepted.keys()],
      [Number.parseInt(keeps ?? '', 16)],
    );
  node.check();
}

const ANSWER =
  '{"nodes":[{"node":"box2","signs":"e3b0c442","accepts":["e3b0c442"],"incoming":null,"obstacle":null}]}';

export const tokenTarget: FuzzTarget = {
  name: 'tokens',
  what: 'a file of tokens, tokens that a node hands over, or answers of a node during a rotation, one a line',
  bytesMax: 600,
  words: [
    ANSWER,
    OLD,
    '","',
    '["',
    '"]',
    '\\ud800',
    '\\r',
    '\\u2028',
    'null',
    ' ',
    ',',
    '\n',
    '\r',
  ],
  covers: sources(
    '/node/cluster/cluster-tokens',
    '/node/cluster/token-rotation',
    '/shared/token-seal',
    '/http/schema',
  ),
  run: async (input) => {
    const text = input.toString('utf8', 1);
    const kind = (input[0] ?? 0) % 3;
    if (kind === 0) {
      const tokens = tokensIn(text);
      if (tokens === undefined) return;
      assert.deepEqual(tokensIn(tokens.map((token) => `${token}\n`).join('')), tokens);
    } else if (kind === 1) {
      await takes(jsonOf(text));
    } else {
      await leads(text.split('\n').map((line) => ({ status: 200, body: jsonOf(line) })));
    }
  },
};
