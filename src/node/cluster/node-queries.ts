// Requests to this node from other nodes, and from this node to others: JSON on top of src/query. A
// request of another node that changes something has a line in the log of the node that it changes.
// Invariants: ask() never rejects, a fault is a reply with a status of its own; no handler's error
// leaves this file; a request is served at most once.

import { performance } from 'node:perf_hooks';
import type { ValuesOf } from '../../metrics/metric-list.ts';
import { REPLY_BYTES_MAX, REQUEST_BYTES_MAX } from '../../query/limits.ts';
import { QueryNode } from '../../query/query-node.ts';
import type { QueryFault, ServedKey } from '../../query/query-port.ts';
import type { Logger } from '../../shared/logger.ts';
import {
  type NodeReply,
  type NodeRequest,
  readNodeReply,
  readNodeRequest,
} from '../../shared/node-request.ts';
import { OngoingFaults } from '../../shared/ongoing-faults.ts';
import { type Follower, followStream, type StreamHandler, StreamServer } from './node-streams.ts';

/** A node that is silent fails sooner; the doctor of another node may take some seconds. */
const QUERY_TIMEOUT_MS = 15_000;
/** Nodes that askAll() asks at a time. */
const ASKED_AT_A_TIME = 16;

const FAULTS: Readonly<Record<QueryFault, NodeReply>> = {
  offline: failure(502, 'the node is not online'),
  silent: failure(504, 'the node does not answer'),
  timeout: failure(504, 'the node has not answered in time'),
  busy: failure(503, 'this node waits for too many answers of other nodes'),
  refused: failure(503, 'the node is busy with other requests'),
  tooLarge: failure(
    413,
    `a request may have ${REQUEST_BYTES_MAX} bytes, a reply ${REPLY_BYTES_MAX}`,
  ),
};
const NO_HANDLER = failure(503, 'the node is starting');

/** Answers a request. @param from name of the node that asks; undefined if it is this node itself */
export type RequestHandler = (request: NodeRequest, from: string | undefined) => Promise<NodeReply>;

export interface OnlineNode {
  readonly name: string;
  readonly bootId: bigint;
}

export interface NodeQueriesOptions {
  readonly nodeName: string;
  readonly log: Logger;
  /** Sends a datagram to a member, without any guarantee. */
  send(member: bigint, message: Buffer): void;
  rttMs(member: bigint): number | undefined;
}

export class NodeQueries {
  readonly #options: NodeQueriesOptions;
  readonly #core: QueryNode;
  readonly #streams = new StreamServer();
  readonly #faults = new OngoingFaults();
  readonly #waiting = new Map<number, (reply: NodeReply) => void>();
  #online: readonly OnlineNode[] = [];
  #handler: RequestHandler = () => Promise.resolve(NO_HANDLER);
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(options: NodeQueriesOptions) {
    this.#options = options;
    this.#core = new QueryNode({
      send: (member, message) => options.send(member, message),
      rttMs: (member) => options.rttMs(member),
      replied: (id, reply) => this.#settle(id, parseReply(reply)),
      failed: (id, fault) => this.#settle(id, FAULTS[fault]),
      requested: (key, request) => this.#requested(key, request),
      abandoned: () => undefined,
      refused: (member) => this.#refused(member),
    });
  }

  /** What answers requests, of other nodes and of ask() to this node. */
  set handler(handler: RequestHandler) {
    this.#handler = handler;
  }

  /** What answers follow(); by path. */
  addStream(path: string, handler: StreamHandler): void {
    this.#streams.add(path, handler);
  }

  /** Names of this node and of all that are online; this node first. */
  get nodes(): readonly string[] {
    return [this.#options.nodeName, ...this.#online.map(({ name }) => name)];
  }

  /** Replaces the list of nodes that are online. */
  setOnline(nodes: readonly OnlineNode[]): void {
    this.#online = nodes;
    this.#core.setMembers(
      performance.now(),
      nodes.map(({ bootId }) => bootId),
    );
    this.#schedule();
  }

  /** @param message valid during the call only */
  receive(member: bigint, message: Buffer): void {
    this.#core.handle(performance.now(), member, message);
    this.#schedule();
  }

  /**
   * Asks a node, which may be this one.
   * @param node its name
   * @param timeoutMs at most a minute
   */
  ask(node: string, request: NodeRequest, timeoutMs = QUERY_TIMEOUT_MS): Promise<NodeReply> {
    if (node === this.#options.nodeName) return this.#serve(request, undefined);
    const member = this.#online.find(({ name }) => name === node);
    if (member === undefined) return Promise.resolve(FAULTS.offline);
    const bytes = Buffer.from(JSON.stringify(request));
    const id = this.#core.ask(performance.now(), member.bootId, bytes, timeoutMs);
    this.#schedule();
    if (typeof id === 'string') return Promise.resolve(FAULTS[id]);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** Asks all nodes that are online, this one too. @returns the reply of each, by name */
  async askAll(request: NodeRequest): Promise<Map<string, NodeReply>> {
    const replies = new Map<string, NodeReply>();
    const names = [...this.nodes];
    for (const name of names) replies.set(name, FAULTS.offline);
    const askNext = async (): Promise<void> => {
      for (let name = names.shift(); name !== undefined; name = names.shift()) {
        replies.set(name, await this.ask(name, request));
      }
    };
    await Promise.all(Array.from({ length: ASKED_AT_A_TIME }, askNext));
    return replies;
  }

  /**
   * Follows a stream of a node, which may be this one.
   * @returns ends it
   */
  follow(node: string, request: NodeRequest, follower: Follower): () => void {
    return followStream((one) => this.ask(node, one), request, follower);
  }

  metrics(): ValuesOf<'queries'> {
    const { failed, ...counts } = this.#core.counters;
    return {
      ...counts,
      failed: Object.entries(failed).map(([reason, value]) => ({ labels: { reason }, value })),
    };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#streams.close();
    this.#core.setMembers(performance.now(), []);
  }

  #requested(key: ServedKey, bytes: Buffer): void {
    const from = this.#nameOf(key.member);
    this.#accepted(from);
    const request = readNodeRequest(parseJson(bytes));
    const reply =
      request === undefined
        ? Promise.resolve(failure(400, 'this is no request'))
        : this.#serve(request, { name: from, member: key.member });
    void reply.then((one) => {
      this.#core.reply(performance.now(), key, encodeReply(one));
      this.#schedule();
    });
  }

  async #serve(
    request: NodeRequest,
    from: { readonly name: string; readonly member: bigint } | undefined,
  ): Promise<NodeReply> {
    const { method, path } = request;
    try {
      const streamed = this.#streams.serve(request, from?.member);
      if (streamed !== undefined) return await streamed;
      const reply = await this.#handler(request, from?.name);
      if (from !== undefined && method !== 'GET') {
        const { status } = reply;
        this.#options.log.info('request of another node', {
          node: from.name,
          method,
          path,
          status,
        });
      }
      return reply;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.error('request failed', { method, path, reason });
      return failure(500, 'the node failed to answer; its log says why');
    }
  }

  #settle(id: number, reply: NodeReply): void {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve?.(reply);
  }

  #refused(member: bigint): void {
    const node = this.#nameOf(member);
    if (!this.#faults.report(node, performance.now())) return;
    const { refused } = this.#core.counters;
    this.#options.log.warn('requests of another node are refused: too many at a time', {
      node,
      total: refused,
    });
  }

  #accepted(node: string): void {
    const lastedMs = this.#faults.resolve(node, performance.now());
    if (lastedMs === undefined) return;
    this.#options.log.info('requests of another node are accepted again', { node, lastedMs });
  }

  #nameOf(member: bigint): string {
    return this.#online.find(({ bootId }) => bootId === member)?.name ?? 'another node';
  }

  #schedule(): void {
    const { deadline } = this.#core;
    if (this.#isClosed || deadline >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    this.#timer = setTimeout(
      () => this.#advance(),
      Math.max(0, Math.ceil(deadline - performance.now())),
    );
    this.#timer.unref();
  }

  #advance(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#core.advance(performance.now());
    this.#schedule();
  }
}

function failure(status: number, error: string): NodeReply {
  return { status, body: { error } };
}

function encodeReply(reply: NodeReply): Buffer {
  const bytes = Buffer.from(JSON.stringify(reply));
  return bytes.length <= REPLY_BYTES_MAX ? bytes : Buffer.from(JSON.stringify(FAULTS.tooLarge));
}

function parseReply(bytes: Buffer): NodeReply {
  return readNodeReply(parseJson(bytes)) ?? failure(502, "the node's reply is malformed");
}

/** @returns undefined for what is no JSON */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
