// Finds the route of a request, checks the request against its schemas, and calls its handler. The same
// for a request from TCP, from the control socket and from another node. Who may call a route is the
// affair of the listener. Invariant: respond() never throws and never rejects.

import type { NodeApi } from './node-api.ts';
import { HttpProblem, PROBLEM_TYPE, problemBody } from './problem.ts';
import type { ApiRequest, ApiResponse, Caller, Route } from './route.ts';
import { InputError, queryValue, type Schema } from './schema.ts';

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

  constructor(routes: readonly Route[], node: NodeApi) {
    this.#candidates = routes.map((one) => ({ route: one, segments: one.path.split('/') }));
    this.#node = node;
  }

  /** @throws HttpProblem 404, or 405 where the path has routes of other methods only */
  match({ method, path }: Pick<ApiRequest, 'method' | 'path'>): Match {
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
  async respond(match: Match, request: ApiRequest, caller: Caller): Promise<ApiResponse> {
    try {
      const { route } = match;
      const call = { ...readInput(match, request), caller, node: this.#node };
      return await route.respond(call as unknown as Parameters<Route['respond']>[0]);
    } catch (error) {
      return problemResponse(error, this.#node);
    }
  }
}

export function problemResponse(error: unknown, node: NodeApi): ApiResponse {
  const problem = problemOf(error);
  if (problem.status === 500) node.reportFault(error);
  const text = JSON.stringify(problemBody(problem));
  return { status: problem.status, contentType: PROBLEM_TYPE, text };
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
function readInput({ route, params }: Match, { query, body }: ApiRequest) {
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
