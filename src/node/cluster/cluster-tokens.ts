// The tokens of this node as the API sees them, and the port of their rotation: asks other nodes over requests, and
// hands them tokens sealed under the token that both have. Invariant: a node never signs with a token that it has
// not accepted before, and takes no third one.

import { randomBytes } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import {
  type ClusterTokenApi,
  type HandedTokens,
  type NodeTokens,
  nodeTokensSchema,
  type RotationAction,
  type RotationView,
} from '../../http/cluster-token-view.ts';
import { HttpProblem } from '../../http/problem.ts';
import { array, object } from '../../http/schema.ts';
import { tokenIds } from '../../shared/key-ring.ts';
import type { Logger } from '../../shared/logger.ts';
import type { NodeReply } from '../../shared/node-request.ts';
import { openTokens, sealTokens } from '../../shared/token-seal.ts';
import { type ConfigSource, SettingError } from '../config-source.ts';
import type { Cluster } from './cluster.ts';
import { type Surveyed, type Token, TokenRotation } from './token-rotation.ts';

const TOKEN_BYTES = 32;
/** The old one and the new one. */
const CLUSTER_TOKENS_MAX = 2;
/** Of a node that is online and does not answer in time. */
const SILENT = 504;
const PATH = '/api/v1/cluster-token';
const ANSWER = object({ nodes: array(nodeTokensSchema, 1) });
const NOTHING_CHANGED = 'Nothing has changed: ';
const NO_CLUSTER = 'This node is in no cluster: it has no token (-csk).';

/** What this needs of the cluster. */
export type TokenCluster = Pick<Cluster, 'keys' | 'status' | 'queries'>;

export interface ClusterTokensParts {
  readonly nodeName: string;
  readonly log: Logger;
  readonly cluster: TokenCluster | undefined;
  readonly source: ConfigSource;
  /** The options in force. */
  readonly config: () => Config;
  readonly wait: (ms: number) => Promise<void>;
}

export class ClusterTokens implements ClusterTokenApi {
  readonly #parts: ClusterTokensParts;
  readonly #rotation: TokenRotation;
  #incoming: string | null = null;

  constructor(parts: ClusterTokensParts) {
    this.#parts = parts;
    const { nodeName, log, wait } = parts;
    this.#rotation = new TokenRotation({
      nodeName,
      log,
      tokens: () => this.#tokens,
      newToken: () => randomBytes(TOKEN_BYTES).toString('hex'),
      survey: () => this.#survey(),
      members: (state) => this.#members(state),
      hand: (node, tokens, incoming) => this.#hand(node, tokens, incoming),
      wait,
    });
  }

  async view(): Promise<NodeTokens> {
    const { nodeName: node, source } = this.#parts;
    const accepts = tokenIds(this.#cluster.keys);
    const obstacle = await source.tokensObstacle();
    const signs = accepts[0] ?? '';
    return { node, signs, accepts, incoming: this.#incoming, obstacle: obstacle ?? null };
  }

  async take(handed: HandedTokens): Promise<NodeTokens> {
    const tokens = openTokens(handed, this.#cluster.keys.handover, this.#parts.nodeName);
    if (tokens === undefined) {
      throw new HttpProblem(403, 'The tokens are not sealed under a token of this node.');
    }
    await this.#use(tokens, handed.incoming ?? null).catch(asProblem);
    return this.view();
  }

  get rotation(): RotationView {
    return this.#rotation.view;
  }

  async rotate(action: RotationAction): Promise<RotationView> {
    if (this.#parts.cluster === undefined) throw new HttpProblem(409, NO_CLUSTER);
    return this.#rotation.begin(action).catch(asProblem);
  }

  get #cluster(): TokenCluster {
    const { cluster } = this.#parts;
    if (cluster === undefined) throw new HttpProblem(409, NO_CLUSTER);
    return cluster;
  }

  get #tokens(): readonly Token[] {
    const ids = tokenIds(this.#cluster.keys);
    const { tokens = [] } = this.#parts.config();
    return tokens.map((text, index) => ({ text, id: ids[index] ?? '' }));
  }

  /** Rejects with SettingError. */
  async #use(tokens: readonly string[], incoming: string | null): Promise<void> {
    const { source, config } = this.#parts;
    const { tokens: before = [] } = config();
    const all = new Set([...before, ...tokens]);
    if (!before.includes(tokens[0] ?? '') || all.size > CLUSTER_TOKENS_MAX) {
      throw new SettingError('other tokens are on their way to this node');
    }
    await source.replaceTokens(tokens);
    this.#incoming = tokens.length === 1 ? null : incoming || (this.#tokens[1]?.id ?? null);
  }

  #members(state: string): string[] {
    const members = this.#cluster.status?.members() ?? [];
    return members.flatMap(({ member }) => (member.state === state ? [member.name] : []));
  }

  async #survey(): Promise<Surveyed[]> {
    const request = { method: 'GET', path: PATH, query: {} };
    const replies = await this.#cluster.queries.askAll(request);
    return [...replies].map(([node, reply]) => this.#surveyed(node, reply)).sort(byName);
  }

  #surveyed(node: string, reply: NodeReply): Surveyed {
    const found = this.#cluster.status?.members().find(({ member }) => member.name === node);
    const version = found?.member.metadata.version || 'an older version';
    if (reply.status === 404) {
      const problem = `${node} runs ${version}, which can't rotate tokens: update it first`;
      return { node, problem };
    }
    // The first versions neither answer questions nor say anything of themselves.
    if (reply.status === SILENT && found?.own === undefined) {
      const problem = `${node} (${version}) is online and does not answer: it has just started, or is too old to rotate tokens; update it first`;
      return { node, problem };
    }
    if (reply.status >= 400) return { node, problem: `${node}: ${reasonOf(reply)}` };
    try {
      const [tokens] = ANSWER.read(reply.body, 'the answer').nodes;
      if (tokens !== undefined) return { ...tokens, node };
    } catch {
      // Named below.
    }
    return { node, problem: `${node} gives an answer that this node does not understand` };
  }

  async #hand(node: string, tokens: readonly string[], incoming: string): Promise<void> {
    if (node === this.#parts.nodeName) return this.#use(tokens, incoming);
    const sealed = sealTokens(tokens, this.#cluster.keys.handover, node);
    const request = { method: 'PUT', path: PATH, query: {}, body: { ...sealed, incoming } };
    const reply = await this.#cluster.queries.ask(node, request);
    if (reply.status >= 400) throw new SettingError(reasonOf(reply));
  }
}

function byName(one: Surveyed, other: Surveyed): number {
  return one.node < other.node ? -1 : 1;
}

function reasonOf({ body }: NodeReply): string {
  const { detail, error } = (body ?? {}) as Record<string, unknown>;
  const reason = String(detail ?? error ?? 'it gives no reason');
  return reason.replace(NOTHING_CHANGED, '').replace(/\.$/, '');
}

/** @throws HttpProblem for a SettingError */
export function asProblem(error: unknown): never {
  if (!(error instanceof SettingError)) throw error;
  const { message } = error;
  throw new HttpProblem(409, `${NOTHING_CHANGED}${message}${message.endsWith('?') ? '' : '.'}`);
}
