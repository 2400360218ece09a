// One route of the API: what it accepts, what it returns, who may call it, and the function that answers.
// The router, the OpenAPI document, docs/http.md and the command line all read the same rows
// (route-table.ts).

import type { NodeApi } from './node-api.ts';
import type { ObjectOf, Schema } from './schema.ts';
import type { Services } from './services.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/**
 * `read`: free from this machine. `content`: messages, free from this machine where every client may have
 * them. `change`: needs a token over TCP, and has an entry in the audit log.
 */
export type Access = 'read' | 'content' | 'change';

/**
 * `node`: about the node that answers, or another one by `?node=NAME`. `cluster`: about all nodes, by what
 * every node knows. `merged`: every node is asked and the answers are joined; `?node=NAME` asks one.
 */
export type Scope = 'node' | 'cluster' | 'merged';

/** Who asks; for the audit log. */
export interface Caller {
  /** `control`: the control socket; `http`: TCP; `node`: another node passed the request on. */
  readonly kind: 'control' | 'http' | 'node';
  /** Address of a TCP caller, name of a node, empty for the control socket. */
  readonly from: string;
}

/** What a handler receives: everything is checked against the schemas of its route. */
export interface Call<P, Q, B> {
  readonly params: Readonly<Record<keyof P, string>>;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller;
  readonly node: NodeApi;
  readonly services: Services;
}

type Fields = Readonly<Record<string, Schema<unknown>>>;
type NoFields = Readonly<Record<never, Schema<unknown>>>;

interface RouteHead {
  readonly method: Method;
  /** Segments that begin with a colon are parameters. */
  readonly path: string;
  readonly access: Access;
  readonly scope: Scope;
  /** One sentence fragment for the pages. */
  readonly summary: string;
  /** Fields of the response that the audit log keeps beside the request. */
  readonly audited?: readonly string[] | undefined;
}

/** A response that is not JSON, such as the metrics for Prometheus. */
export interface TextReply {
  readonly contentType: string;
  readonly text: string;
}

export interface JsonReply {
  readonly status: number;
  readonly json: unknown;
  /** An error, as problem.ts describes it. */
  readonly isProblem?: boolean;
}

/** A JSON object, or what makes it if it is needed. */
export type EventData = object | (() => object);

/** Takes the events of a stream. */
export interface StreamSink {
  send(event: string, data: EventData): void;
  /** The stream has no more events. */
  end(): void;
}

/** Begins a stream. @returns ends it */
export type StreamStart = (sink: StreamSink) => () => void;

export type ApiResponse =
  | JsonReply
  | (TextReply & { readonly status: number })
  | { readonly status: 200; readonly stream: StreamStart };

type Handler<P, Q, B, R> = (call: Call<P, Q, B>) => R | Promise<R>;

export interface Route extends RouteHead {
  readonly params: Fields;
  readonly query: Fields;
  readonly body: Schema<unknown> | undefined;
  /** Undefined for a response that is not JSON. */
  readonly response: Schema<unknown> | undefined;
  readonly respond: Handler<Fields, never, never, ApiResponse>;
  /** Server-sent events of `one` node or of all, joined; `limited`: each node ends its part itself. */
  readonly stream: 'one' | 'joined' | 'limited' | undefined;
  /** Joins the answers of several nodes; only of scope `merged`. */
  readonly merge: ((answers: readonly unknown[], query: never) => object) | undefined;
}

interface RouteParts<P extends Fields, Q extends Fields, B> extends RouteHead {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: Schema<B>;
}

/** A route whose response is text. */
export function textRoute(
  parts: RouteParts<NoFields, NoFields, undefined> & {
    readonly handler: Handler<NoFields, ObjectOf<NoFields>, undefined, TextReply>;
  },
): Route {
  const { handler, ...rest } = parts;
  const respond: Handler<NoFields, ObjectOf<NoFields>, undefined, ApiResponse> = async (call) => ({
    status: 200,
    ...(await handler(call)),
  });
  return complete<NoFields, NoFields, undefined>(rest, undefined, respond, undefined);
}

/** A route whose response is JSON. A handler that returns another type does not compile. */
export function route<R, P extends Fields = NoFields, Q extends Fields = NoFields, B = undefined>(
  parts: RouteParts<P, Q, B> & {
    readonly response: Schema<R>;
    /** Status of a response, from its value; 200 without. */
    readonly status?: (value: R) => number;
    /** @param answers of one node each, at least one */
    readonly merge?: (answers: readonly R[], query: ObjectOf<Q>) => R & object;
    readonly handler: Handler<P, ObjectOf<Q>, B, R>;
  },
): Route {
  const { handler, status, merge, ...rest } = parts;
  return complete<P, Q, B>(
    rest,
    parts.response,
    async (call) => {
      const json = await handler(call);
      return { status: status?.(json) ?? 200, json };
    },
    merge as Route['merge'],
  );
}

/** A route whose response is a stream of events, of all nodes that are online unless isOfOneNode. */
export function streamRoute<Q extends Fields = NoFields>(
  parts: Omit<RouteParts<NoFields, Q, undefined>, 'method' | 'scope'> & {
    readonly isOfOneNode?: true;
    readonly isLimited?: true;
    /** Called before the response begins: it may throw an HttpProblem. */
    readonly handler: (call: Call<NoFields, ObjectOf<Q>, undefined>) => StreamStart;
  },
): Route {
  const { handler, isOfOneNode, isLimited, ...rest } = parts;
  const scope = isOfOneNode ? 'node' : 'merged';
  const respond: Handler<NoFields, ObjectOf<Q>, undefined, ApiResponse> = (call) => ({
    status: 200,
    stream: handler(call),
  });
  const stream = isOfOneNode ? 'one' : isLimited ? 'limited' : 'joined';
  const base = complete<NoFields, Q, undefined>(
    { method: 'GET', scope, ...rest },
    undefined,
    respond,
    undefined,
  );
  return { ...base, stream };
}

function complete<P extends Fields, Q extends Fields, B>(
  { method, path, access, scope, summary, audited, params, query, body }: RouteParts<P, Q, B>,
  response: Schema<unknown> | undefined,
  respond: Handler<P, ObjectOf<Q>, B, ApiResponse>,
  merge: Route['merge'],
): Route {
  return {
    method,
    path,
    access,
    scope,
    summary,
    audited,
    params: params ?? {},
    query: query ?? {},
    body,
    response,
    // The router has read params, query and body by the schemas of this very route.
    respond: respond as unknown as Route['respond'],
    merge,
    stream: undefined,
  };
}
