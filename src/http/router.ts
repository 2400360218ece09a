// Finds the route of a request, checks the request against its schemas, and calls its handler. The same
// for a request from TCP, from the control socket and from another node. Who may call a route is the
// affair of the listener. Invariant: respond() never throws and never rejects.

import type { NodeReply, NodeRequest } from '../shared/node-request.ts';
import { changeOf } from './audit-log.ts';
import { type JoinedFollower, joinedStream } from './joined-stream.ts';
import { LimitedSink } from './limited-sink.ts';
import type { NodeApi, StreamFollower } from './node-api.ts';
import { HttpProblem, problemBody } from './problem.ts';
import type { ApiResponse, Caller, Route, StreamSink, StreamStart } from './route.ts';
import { InputError, queryValue, type Schema } from './schema.ts';
import type { Services } from './services.ts';

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

interface Candidate {
  readonly route: Route;
  readonly segments: readonly string[];
}

export class Router {
  readonly #candidates: readonly Candidate[];
  readonly #node: NodeApi;
  readonly #services: Services;

  constructor(routes: readonly Route[], node: NodeApi, services: Services) {
    this.#services = services;
    this.#candidates = routes.map((one) => ({ route: one, segments: one.path.split('/') }));
    this.#node = node;
  }

  /** @throws HttpProblem 404, or 405 where the path has routes of other methods only */
  match({ method, path }: Pick<NodeRequest, 'method' | 'path'>): Match {
    const segments = path.split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    const others: string[] = [];
    for (const candidate of this.#candidates) {
      const params = paramsOf(candidate.segments, segments);
      if (params === undefined) continue;
      if (candidate.route.method === wanted) return { route: candidate.route, params };
      others.push(candidate.route.method);
    }
    if (others.length === 0) {
      throw new HttpProblem(404, 'There is nothing at this path; /api/v1/openapi.json lists all.');
    }
    throw new HttpProblem(405, `This path takes ${others.join(', ')} only.`);
  }

  /** @param match what match() returned for this request, after the caller was found entitled */
  async respond(match: Match, request: NodeRequest, caller: Caller): Promise<ApiResponse> {
    const response = await this.#respond(match, request, caller);
    const { method, path } = request;
    // The part of this node in a request to all nodes is no change of its own.
    const isOwnPart = caller.kind === 'node' && caller.from === '';
    if (match.route.access === 'change' && method !== 'GET' && !isOwnPart) {
      const answer = 'json' in response ? response.json : undefined;
      const change = changeOf(match.route, request, answer);
      this.#services.audit.record(caller, { method, path, change }, response.status);
    }
    return response;
  }

  async #respond(match: Match, request: NodeRequest, caller: Caller): Promise<ApiResponse> {
    try {
      const { node: wanted, ...query } = request.query;
      const isPassedOn = caller.kind === 'node';
      if (match.route.stream !== undefined) return this.#openStream(match, request, caller);
      if (match.route.scope === 'cluster' || isTextOnly(match.route)) {
        return await this.#answer(match, request, caller);
      }
      if (!isPassedOn && wanted !== undefined && wanted !== this.#node.name) {
        return await this.#askOne(match.route, wanted, request);
      }
      if (!isPassedOn && wanted === undefined && this.#isMerged(match.route)) {
        return await this.#askAll(match.route, request);
      }
      return await this.#answer(match, { ...request, query }, caller);
    } catch (error) {
      return problemResponse(error, this.#node);
    }
  }

  /** A request that another node passes on, or that asks for this node's part of an answer. */
  async answer(request: NodeRequest, from: string): Promise<NodeReply> {
    const caller: Caller = { kind: 'node', from };
    const response = await this.#respondTo(request, caller);
    return 'json' in response
      ? { status: response.status, body: response.json }
      : {
          status: 406,
          body: problemBody(new HttpProblem(406, 'No other node can be asked this.')),
        };
  }

  async #respondTo(request: NodeRequest, caller: Caller): Promise<ApiResponse> {
    try {
      return await this.respond(this.match(request), request, caller);
    } catch (error) {
      return problemResponse(error, this.#node);
    }
  }

  #answer(match: Match, request: NodeRequest, caller: Caller): ApiResponse | Promise<ApiResponse> {
    const call = {
      ...readInput(match, request),
      caller,
      node: this.#node,
      services: this.#services,
    };
    return match.route.respond(call as unknown as Parameters<Route['respond']>[0]);
  }

  #openStream(match: Match, request: NodeRequest, caller: Caller): ApiResponse {
    const { online, name } = this.#node;
    const { node: wanted = match.route.stream === 'one' ? name : undefined } = request.query;
    if (wanted !== undefined && !online.includes(wanted)) throw noNode(wanted, online);
    // Checks the request, even if this node is not asked.
    const own = this.startStream(request, match, caller);
    if (wanted === name) return { status: 200, stream: own };
    const follow = (node: string, follower: JoinedFollower) =>
      this.#node.follow(node, request, followerOf(node, follower));
    const stream: StreamStart =
      wanted !== undefined
        ? (sink) => follow(wanted, onlyInto(sink, wanted))
        : joinedStream({
            online: () => this.#node.online,
            own,
            follow,
            isLasting: match.route.stream === 'joined',
          });
    return { status: 200, stream };
  }

  /**
   * The part of this node in a stream.
   * @throws HttpProblem, InputError
   */
  startStream(
    request: NodeRequest,
    match: Match = this.match({ ...request, method: 'GET' }),
    caller: Caller = { kind: 'node', from: '' },
  ): StreamStart {
    const response = this.#answer(match, request, caller);
    if ('stream' in response) return (sink) => response.stream(this.#limited(sink));
    throw new HttpProblem(400, 'This request has no stream.');
  }

  #limited(sink: StreamSink): StreamSink {
    const { streams } = this.#services;
    return new LimitedSink(sink, () => {
      streams.dropped += 1;
    });
  }

  #isMerged({ merge }: Route): boolean {
    return merge !== undefined && this.#node.online.length > 1;
  }

  async #askOne({ response }: Route, name: string, request: NodeRequest): Promise<ApiResponse> {
    const { online } = this.#node;
    if (!online.includes(name)) throw noNode(name, online);
    const reply = checkedReply(await this.#node.ask(name, request), response);
    if (reply.status >= 400) return problemResponse(problemOfReply(name, reply), this.#node);
    return { status: reply.status, json: reply.body };
  }

  /** A node that does not answer is named in the result, and the answers of the others count. */
  async #askAll(
    { merge, response, query: fields }: Route,
    request: NodeRequest,
  ): Promise<ApiResponse> {
    const query = readFields(fields, request.query, 'query');
    const answers: unknown[] = [];
    const missing: { node: string; problem: string }[] = [];
    let refusal: HttpProblem | undefined;
    let status = 200;
    for (const [node, answered] of await this.#node.askAll(request)) {
      const isOwn = node === this.#node.name;
      const reply = isOwn ? answered : checkedReply(answered, response);
      if (reply.status < 400) {
        status = reply.status;
        answers.push(reply.body);
        continue;
      }
      const problem = problemOfReply(node, reply);
      // Each node has refused the request itself: the caller needs the reason only once.
      if (isOwn || refusal === undefined) refusal = problem;
      // Where a client is not, it is not missing.
      if (problem.status !== 404) missing.push({ node, problem: problem.message });
    }
    if (answers.length === 0 && refusal !== undefined) throw refusal;
    const json = merge?.(answers, query as never);
    return { status, json: missing.length === 0 ? json : { ...json, missing } };
  }
}

/** What another node answers, or a fault in place of an answer that its route can't give. */
function checkedReply(reply: NodeReply, response: Schema<unknown> | undefined): NodeReply {
  if (reply.status >= 400 || response === undefined) return reply;
  try {
    return { status: reply.status, body: response.read(reply.body, 'the answer', true) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: 502, body: { error: `it is malformed: ${reason}` } };
  }
}

/** Metrics and the like have one node each: Prometheus asks every node itself. */
function isTextOnly({ response }: Route): boolean {
  return response === undefined;
}

function noNode(name: string, online: readonly string[]): HttpProblem {
  const known = online.join(', ');
  return new HttpProblem(404, `No node ${name.slice(0, 64)} is online, only ${known}.`);
}

/** Checks what another node sends. */
function followerOf(node: string, { event: pass, ended }: JoinedFollower): StreamFollower {
  return {
    item: (item) => {
      const { event, data } = (item ?? {}) as { event?: unknown; data?: unknown };
      const isEvent = typeof event === 'string' && typeof data === 'object' && data !== null;
      if (isEvent) pass(event.replace(/[\r\n]/g, ''), data);
    },
    dropped: (count) => pass('dropped', { node, count }),
    ended: (reply) => ended(reply && problemOfReply(node, reply).message),
  };
}

/** The events of one other node alone. */
function onlyInto(sink: StreamSink, node: string): JoinedFollower {
  return {
    event: (event, data) => sink.send(event, data),
    ended: (reason) => {
      if (reason !== undefined) sink.send('end', { node, reason });
      sink.end();
    },
  };
}

function problemOfReply(node: string, { status, body }: NodeReply): HttpProblem {
  const { detail, error } = (body ?? {}) as { detail?: unknown; error?: unknown };
  if (typeof detail === 'string') return new HttpProblem(status, detail);
  const reason = typeof error === 'string' ? error : 'it gave no reason';
  return new HttpProblem(status, `The answer of ${node} is missing: ${reason}.`);
}

export function problemResponse(error: unknown, node: NodeApi): ApiResponse {
  const problem = problemOf(error);
  if (problem.status === 500) node.reportFault(error);
  return { status: problem.status, json: problemBody(problem), isProblem: true };
}

function problemOf(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof InputError) return new HttpProblem(400, `${error.message}.`);
  return new HttpProblem(500, 'This is a fault of Shoal; the log of the node has it.');
}

function paramsOf(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, wanted] of pattern.entries()) {
    const given = segments[index] ?? '';
    if (wanted.startsWith(':')) {
      if (given === '') return undefined;
      params[wanted.slice(1)] = given;
    } else if (wanted !== given) {
      return undefined;
    }
  }
  return params;
}

/** @throws InputError */
function readInput({ route, params }: Match, { query, body }: NodeRequest) {
  const decoded: Record<string, string> = {};
  for (const [name, value] of Object.entries(params)) decoded[name] = decode(name, value);
  return {
    params: readFields(route.params, decoded, 'path'),
    query: readFields(route.query, query, 'query'),
    body: readBody(route.body, body),
  };
}

function readFields(
  fields: Route['query'],
  given: Readonly<Record<string, string>>,
  where: string,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(fields, name)) {
      const known = Object.keys(fields).join(', ') || 'nothing';
      throw new InputError(`The ${where} has no '${name.slice(0, 40)}'; it takes ${known}`);
    }
  }
  for (const [name, field] of Object.entries(fields)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined) result[name] = field.read(queryValue(field, value), `'${name}'`);
    else if (!field.isOptional) throw new InputError(`The ${where} needs '${name}'`);
  }
  return result;
}

function readBody(schema: Schema<unknown> | undefined, body: unknown): unknown {
  if (schema !== undefined) return schema.read(body ?? {}, 'The body');
  if (body !== undefined) throw new InputError('This request takes no body');
  return undefined;
}

function decode(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new InputError(`'${name}' in the path is not percent-encoded UTF-8`);
  }
}
